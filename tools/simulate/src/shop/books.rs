//! What is left of an order when everything has settled, wherever it shows: in the services' streams, at the gateway, at
//! the carrier, in its saga. Separate from the run, which only brings it about.

use std::sync::Arc;

use backstitch_domain::{OrderId, ProductId};
use backstitch_event_store::{Cursor, StoredEvent, StreamId, StreamVersion};
use backstitch_inventory::handlers as inventory;
use backstitch_order::handlers as order;
use backstitch_participant::{Participant, shared_state_of, state_of};

use super::outside::Outside;
use super::service::WAREHOUSE;
use crate::postgres::Postgres;
use crate::world::lock;

/// What is left of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// As the order service has it.
    pub order: &'static str,
    /// What the customer has paid and not got back, minor units.
    pub money: i64,
    /// Parcels on their way.
    pub parcels: i64,
    /// Units that are claimed for it.
    pub units: u64,
    /// How its saga stands, by the word in its row; `none` where it has none.
    pub saga: String,
}

/// The shop's books.
pub(super) struct Books<'a> {
    pub(super) databases: &'a [Arc<Postgres>],
    pub(super) outside: &'a Outside,
}

impl Books<'_> {
    /// What is left of the order.
    pub(super) fn kept(&self, order_id: OrderId, saga: String) -> Kept {
        let order = self.state(&order::Orders::default(), &order::stream(order_id));
        let reservation = self.state(&WAREHOUSE, &inventory::reservation_stream(order_id));
        let claim = reservation.as_ref().and_then(|own| own.reservation.claim());
        let units = claim.into_iter().flat_map(|claim| &claim.items).map(|item| u64::from(item.quantity.units()));
        Kept {
            order: order.map_or("none", |order| order.status()),
            money: self.outside.money_kept(order_id),
            parcels: self.outside.parcels_kept(order_id),
            units: units.sum(),
            saga,
        }
    }

    /// Units of a product that are claimed, and that ever came in.
    pub(super) fn stock(&self, product: &ProductId) -> (u64, u64) {
        let events = self.events(&inventory::stock_stream(product));
        let stock = shared_state_of(&WAREHOUSE, &events).ok().flatten().unwrap_or_default();
        (stock.claimed(), stock.received())
    }

    fn state<P: Participant>(&self, participant: &P, stream: &StreamId) -> Option<P::State> {
        state_of(participant, &self.events(stream)).ok().flatten()
    }

    fn events(&self, stream: &StreamId) -> Vec<StoredEvent> {
        let found = self.databases.iter().find_map(|database| lock(&database.tables).streams.get(stream).cloned());
        let stored = |(event, version)| StoredEvent {
            event,
            stream: stream.clone(),
            version: StreamVersion(version),
            cursor: Cursor::default(),
        };
        found.unwrap_or_default().into_iter().zip(1..).map(stored).collect()
    }
}
