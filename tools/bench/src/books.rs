//! Was anything lost or done twice? Counted in the stores of those who did it, not in what the orchestrator says of it.

use anyhow::Result;
use serde::Serialize;

use crate::stage::Live;

/// What was done more often than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Doubled {
    charges: i64,
    refunds: i64,
    shipments: i64,
    reservations: i64,
    ends: i64,
}

impl Doubled {
    /// All of it.
    pub(crate) const fn sum(self) -> i64 {
        self.charges + self.refunds + self.shipments + self.reservations + self.ends
    }
}

/// Looks through all orders that there ever were on this stack.
pub(crate) async fn doubled(live: &Live) -> Result<Doubled> {
    Ok(Doubled {
        charges: in_streams(live, "payment", "PaymentProcessed").await?,
        refunds: in_streams(live, "payment", "PaymentRefunded").await?,
        shipments: in_streams(live, "shipping", "OrderShipped").await?,
        reservations: reservations(live).await?,
        ends: ends(live).await?,
    })
}

/// An order has one stream there, and such an event at most once.
async fn in_streams(live: &Live, service: &str, event_type: &str) -> Result<i64> {
    let query = "SELECT count(*) FROM (SELECT stream_id FROM store.events WHERE event_type = $1
                                       GROUP BY stream_id HAVING count(*) > 1) AS doubled";
    Ok(sqlx::query_scalar(query).bind(event_type).fetch_one(&mut live.database(service).await?).await?)
}

/// A product's stream tells for which orders units were taken.
async fn reservations(live: &Live) -> Result<i64> {
    let query = "SELECT count(*) FROM (SELECT 1 FROM store.events WHERE event_type = 'StockReserved'
                                       GROUP BY stream_id, data->>'order_id' HAVING count(*) > 1) AS doubled";
    Ok(sqlx::query_scalar(query).fetch_one(&mut live.database("inventory").await?).await?)
}

async fn ends(live: &Live) -> Result<i64> {
    let query =
        "SELECT count(*) FROM (SELECT 1 FROM saga.journal_entries WHERE kind IN ('SagaCompleted', 'SagaRolledBack')
                                       GROUP BY saga_id HAVING count(*) > 1) AS doubled";
    Ok(sqlx::query_scalar(query).fetch_one(&mut live.database("orchestrator").await?).await?)
}
