//! Following the global order: first what is there, then what comes. Separate from the stores, because catching up,
//! waiting and bounds are the same for all of them.
//!
//! Nothing is skipped: a store shows only what no running append can still precede. Nothing piles up: a page is read
//! when the one before was taken, so that a slow consumer holds one page in memory, whatever is appended meanwhile.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures::Stream;
use futures::stream;
use tokio::time::{Instant, timeout};

use crate::store::AppendSignal;
use crate::{Cursor, EventStore, Lag, Page, ReadError, Selection, StoredEvent};

/// How a subscription reads.
#[derive(Debug, Clone)]
pub struct SubscriptionSettings {
    /// Events read at once, which is also what it holds in memory at most. 500 by default.
    pub page_max: u32,
    /// How long it waits before it looks by itself, should no signal of an append come. 100 ms by default.
    pub poll_interval: Duration,
    /// How often it measures how far it is behind, at most. 1 s by default.
    pub lag_interval: Duration,
}

impl Default for SubscriptionSettings {
    fn default() -> Self {
        Self { page_max: 500, poll_interval: Duration::from_millis(100), lag_interval: Duration::from_secs(1) }
    }
}

/// Follows the events of a selection. The consumer keeps [`Page::next`] with what the page led to, in one transaction,
/// and begins there after a restart: then each event has its effect once.
///
/// Metrics, by `subscription` (its name): `event_subscription_lag_events`, `event_subscription_lag_seconds`,
/// `event_subscription_events_total`.
pub struct Subscription {
    name: String,
    store: Arc<dyn EventStore>,
    selection: Selection,
    settings: SubscriptionSettings,
    at: Cursor,
    appends: AppendSignal,
    lag: Lag,
    measured_at: Option<Instant>,
}

impl Subscription {
    /// Follows `selection` from the event after `after`; `name` is for metrics.
    #[must_use]
    pub fn new(name: impl Into<String>, store: Arc<dyn EventStore>, selection: Selection, after: Cursor) -> Self {
        let appends = store.appends();
        let settings = SubscriptionSettings::default();
        Self {
            name: name.into(),
            store,
            selection,
            settings,
            at: after,
            appends,
            lag: Lag::default(),
            measured_at: None,
        }
    }

    /// The same, reading as `settings` say.
    #[must_use]
    pub fn with(mut self, settings: SubscriptionSettings) -> Self {
        self.settings = settings;
        self
    }

    /// The next page, never empty: waits until there is something. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the store cannot be read; calling again tries again from the same place.
    pub async fn next(&mut self) -> Result<Page, ReadError> {
        loop {
            let page = self.try_next().await?;
            if !page.events.is_empty() {
                return Ok(page);
            }
            self.wait().await;
        }
    }

    /// What there is to read now; an empty page when it has caught up.
    ///
    /// # Errors
    /// When the store cannot be read; calling again tries again from the same place.
    pub async fn try_next(&mut self) -> Result<Page, ReadError> {
        // Seen before reading: what is appended after this wakes the wait that follows.
        self.appends.mark_unchanged();
        self.measure().await?;
        let page = self.store.read(&self.selection, self.at, self.settings.page_max.max(1)).await?;
        self.at = page.next;
        metrics::counter!("event_subscription_events_total", "subscription" => self.name.clone())
            .increment(page.events.len() as u64);
        Ok(page)
    }

    /// Where it is: the cursor of the last event that it gave.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.at
    }

    /// How far it was behind when that was last measured.
    #[must_use]
    pub fn lag(&self) -> Lag {
        self.lag
    }

    /// The events one by one. After an error the stream goes on from the same place.
    pub fn into_stream(self) -> impl Stream<Item = Result<StoredEvent, ReadError>> + Send {
        stream::unfold((self, Vec::new().into_iter()), |(mut subscription, mut page)| async move {
            if let Some(event) = page.next() {
                return Some((Ok(event), (subscription, page)));
            }
            match subscription.next().await {
                Ok(next) => {
                    let mut page = next.events.into_iter();
                    let first = page.next()?;
                    Some((Ok(first), (subscription, page)))
                }
                Err(error) => Some((Err(error), (subscription, page))),
            }
        })
    }

    async fn wait(&mut self) {
        let woken = timeout(self.settings.poll_interval, self.appends.changed()).await;
        if matches!(woken, Ok(Err(_))) {
            // The store sends no signals any more: only looking is left.
            tokio::time::sleep(self.settings.poll_interval).await;
        }
    }

    async fn measure(&mut self) -> Result<(), ReadError> {
        if self.measured_at.is_some_and(|at| at.elapsed() < self.settings.lag_interval) {
            return Ok(());
        }
        self.lag = self.store.lag(&self.selection, self.at).await?;
        self.measured_at = Some(Instant::now());
        let name = || self.name.clone();
        #[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!("event_subscription_lag_events", "subscription" => name()).set(self.lag.events as f64);
        metrics::gauge!("event_subscription_lag_seconds", "subscription" => name()).set(self.lag.seconds(Utc::now()));
        Ok(())
    }
}
