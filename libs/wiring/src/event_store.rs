//! A service's event store, with its housekeeping running. Separate from the other wires: the orchestrator has none.

use std::time::Duration;

use anyhow::Context as _;
use backon::{ExponentialBuilder, Retryable as _};
use backstitch_event_store_postgres::PostgresStore;
use backstitch_service_kit::Context;

use crate::wires::{START_PATIENCE, Wires};

/// How often partitions are looked after and the store is measured.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(60);

impl Wires {
    /// The event store in the service's database: looked at for a restore before anything is appended, and then kept in
    /// order until the process ends. To be called before the processor starts.
    ///
    /// # Errors
    /// If the database does not answer for a minute, or has not been migrated.
    pub async fn event_store<C>(&self, context: &Context<C>) -> anyhow::Result<PostgresStore> {
        let store = PostgresStore::new(self.pool.clone());
        let patience = ExponentialBuilder::default()
            .with_jitter()
            .with_max_delay(Duration::from_secs(3))
            .without_max_times()
            .with_total_delay(Some(START_PATIENCE));
        let look = || store.recognise_restore();
        look.retry(patience)
            .when(|error| !matches!(error, sqlx::Error::Database(refusal) if is_lasting(refusal.code().as_deref())))
            .notify(|error, _| tracing::warn!(%error, "waiting for the database"))
            .await
            .context("the event store; has `migrate` run?")?;
        let (keeper, stop) = (store.clone(), context.shutdown.clone());
        context.tasks.spawn("event store housekeeping", async move {
            tokio::select! {
                () = keeper.keep_house(HOUSEKEEPING_INTERVAL) => {}
                () = stop.cancelled() => {}
            }
            Ok(())
        });
        Ok(store)
    }
}

/// A schema or a function that is missing does not come by waiting.
fn is_lasting(code: Option<&str>) -> bool {
    matches!(code, Some("3F000" | "42883" | "42P01"))
}
