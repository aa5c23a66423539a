//! One lane of one version: reads its partitions and applies what they hold, for as long as the lane is ours. Separate
//! from the runner, which shares lanes out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use backstitch_contracts::headers;
use backstitch_messaging::{
    Delivery, Feed, FeedItem, Inbox, LaneId, LearningDecoder, ReadValueError, TopicPartition, UnknownSchemas,
};
use chrono::Utc;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::apply::{Applier, Letter, What};
use crate::checkpoint::{Version, begin, note_ends};
use crate::error::{ApplyError, chain};
use crate::projection::{Event, Projection, Unfit};
use crate::supervisor::Health;

/// How often it is looked how far there is to go.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Between two transactions of a lane: what comes meanwhile goes along with the next. The first event after a quiet time
/// is taken in at once. A transaction for each event cost more than the orders themselves: `docs/performance.md`.
const PACE: Duration = Duration::from_millis(100);

/// What the lanes of a version share.
pub(crate) struct Shared<P> {
    pub(crate) projection: Arc<P>,
    pub(crate) version: Version,
    pub(crate) pool: PgPool,
    pub(crate) inbox: Arc<dyn Inbox>,
    pub(crate) decoder: LearningDecoder,
    pub(crate) batch_max: usize,
    pub(crate) health: Health,
}

/// Works on the lane until told to stop; outages are waited out.
pub(crate) async fn own<P: Projection>(shared: Arc<Shared<P>>, lane: LaneId, stop: CancellationToken) {
    let pauses = || {
        let builder = ExponentialBuilder::default().with_jitter().without_max_times();
        builder.with_min_delay(Duration::from_millis(50)).with_max_delay(Duration::from_secs(5)).build()
    };
    let mut pause = pauses();
    let key = format!("{} v{} lane {lane}", shared.version.name.text(), shared.version.number);
    while !stop.is_cancelled() {
        let began = Instant::now();
        let outcome = session(&shared, lane, &stop).await;
        shared.inbox.stop(lane).await;
        let Err(error) = outcome else { break };
        match error {
            // Ordinary after a rebalance: whoever was late reads the checkpoint anew.
            ApplyError::Fenced => tracing::info!(lane = key, "another owner has moved the checkpoint"),
            error => {
                tracing::warn!(lane = key, error = chain(&error), "the lane pauses");
                metrics::counter!("projection_lane_failures_total", "projection" => shared.version.name.text())
                    .increment(1);
                shared.health.set(&key, Some(chain(&error)));
            }
        }
        if began.elapsed() > Duration::from_secs(30) {
            pause = pauses();
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause.next().unwrap_or(Duration::from_secs(5))) => {}
        }
    }
    shared.health.set(&key, None);
    // Else the last figures would stand, and alarm, for ever.
    tell_lag(shared.version, lane, 0, 0.0);
}

fn tell_lag(version: Version, lane: LaneId, events: i64, seconds: f64) {
    let labels = [
        ("projection", version.name.text().to_owned()),
        ("version", version.number.to_string()),
        ("lane", lane.to_string()),
    ];
    metrics::gauge!("projection_lag_events", &labels).set(events as f64);
    metrics::gauge!("projection_lag_seconds", &labels).set(seconds);
}

async fn session<P: Projection>(
    shared: &Arc<Shared<P>>,
    lane: LaneId,
    stop: &CancellationToken,
) -> Result<(), ApplyError> {
    let mut reading = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        opened = Reading::open(shared.clone(), lane) => opened?,
    };
    shared.health.set(&format!("{} v{} lane {lane}", shared.version.name.text(), shared.version.number), None);
    reading.work(stop).await
}

struct Reading<P: Projection> {
    shared: Arc<Shared<P>>,
    lane: LaneId,
    feed: Feed,
    applier: Applier<P>,
    began: Instant,
    looked_at: Instant,
    /// Absent where there is more than a batch to take in: whoever is behind does not pause.
    applied_at: Option<Instant>,
}

impl<P: Projection> Reading<P> {
    async fn open(shared: Arc<Shared<P>>, lane: LaneId) -> Result<Self, ApplyError> {
        let sources = shared.inbox.topology().inputs_of(lane);
        let mut db = shared.pool.acquire().await?;
        let positions = begin(shared.version, &sources, &mut db).await?;
        drop(db);
        let from: Vec<_> = positions.iter().map(|(source, next)| (source.clone(), *next)).collect();
        let feed = shared.inbox.read(lane, &from).await?;
        let applier = Applier {
            projection: shared.projection.clone(),
            version: shared.version,
            pool: shared.pool.clone(),
            positions,
            event_at: None,
        };
        let now = Instant::now();
        // So that the first look comes at once.
        let looked_at = now.checked_sub(LOOK_EVERY).unwrap_or(now);
        Ok(Self { shared, lane, feed, applier, began: now, looked_at, applied_at: None })
    }

    async fn work(&mut self, stop: &CancellationToken) -> Result<(), ApplyError> {
        loop {
            let until_look = (self.looked_at + LOOK_EVERY).saturating_duration_since(Instant::now());
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(until_look) => self.look().await?,
                items = self.feed.recv() => {
                    self.keep_pace(stop).await;
                    let letters = self.gather(items.ok_or(ApplyError::FeedEnded)?).await?;
                    let is_full = letters.len() >= self.shared.batch_max;
                    self.applier.apply(letters, stop).await?;
                    self.applied_at = (!is_full).then(Instant::now);
                }
            }
        }
    }

    async fn keep_pace(&self, stop: &CancellationToken) {
        if let Some(applied_at) = self.applied_at {
            let next = tokio::time::Instant::from_std(applied_at + PACE);
            let _ = stop.run_until_cancelled(tokio::time::sleep_until(next)).await;
        }
    }

    /// Takes what else is there already, so that batches grow under load.
    async fn gather(&mut self, first: Vec<FeedItem>) -> Result<Vec<Letter<P::Fact>>, ApplyError> {
        let mut letters = Vec::new();
        let mut unknown = UnknownSchemas::default();
        let mut items = Some(first);
        while let Some(some) = items {
            for item in some {
                match item {
                    FeedItem::Delivery(delivery) => letters.extend(self.letter(delivery, &mut unknown).await?),
                    // What lies before the mark and was not handed over are control records and compacted ones.
                    FeedItem::CaughtUp { source, offset } => {
                        letters.push(Letter { source, next: offset, what: What::Nothing });
                    }
                }
            }
            items = if letters.len() < self.shared.batch_max { self.feed.try_recv().ok() } else { None };
        }
        Ok(letters)
    }

    /// `None` for what was applied before.
    async fn letter(
        &self,
        delivery: Delivery,
        unknown: &mut UnknownSchemas,
    ) -> Result<Option<Letter<P::Fact>>, ApplyError> {
        let (source, next) = (delivery.source.clone(), delivery.offset + 1);
        if self.applier.positions.get(&source).is_some_and(|position| delivery.offset < *position) {
            return Ok(None);
        }
        // What is sent again to one consumer group is no news for anybody else: its first copy lies before it.
        let redriven = delivery.header(headers::REDRIVE_GROUP).is_some();
        let Some(value) = delivery.value.as_deref().filter(|_| !redriven) else {
            return Ok(Some(Letter { source, next, what: What::Nothing }));
        };
        let read = match self.shared.decoder.read(delivery.topic(), value, unknown).await {
            Ok(envelope) => {
                let event = Event { topic: delivery.topic().to_owned(), envelope: envelope.upcasted(Utc::now()) };
                self.shared.projection.read(&event).map(|fact| fact.map(|fact| (fact, event.at())))
            }
            Err(ReadValueError::Undecodable(error)) => Err(Unfit::new("undecodable", chain(&error))),
            Err(ReadValueError::Unavailable { reason }) => return Err(ApplyError::Registry { reason }),
        };
        let delivery = Box::new(delivery);
        let what = match read {
            Ok(Some((fact, at))) => What::Fact { fact, at, delivery },
            Ok(None) => What::Nothing,
            Err(unfit) => What::Unfit { unfit, delivery },
        };
        Ok(Some(Letter { source, next, what }))
    }

    /// How far there is to go: told in metrics, and in the checkpoint's rows for those who ask.
    async fn look(&mut self) -> Result<(), ApplyError> {
        self.looked_at = Instant::now();
        let ends = self.shared.inbox.end_offsets(self.lane).await?;
        let left: i64 = ends.iter().map(|(source, end)| (end - self.position(source)).max(0)).sum();
        for (source, end) in ends.iter().filter(|(source, end)| self.position(source) > *end) {
            tracing::error!(
                projection = self.shared.version.name.text(), %source, next = self.position(source), end,
                "the topic is shorter than what was read of it: rebuild this projection"
            );
        }
        let seconds = if left == 0 { 0.0 } else { self.seconds_behind() };
        tell_lag(self.shared.version, self.lane, left, seconds);
        if left > 0 {
            let mut db = self.shared.pool.acquire().await?;
            note_ends(self.shared.version, &ends, &mut db).await?;
        }
        self.shared.inbox.report(self.applier.positions.clone().into_iter().collect());
        Ok(())
    }

    fn position(&self, source: &TopicPartition) -> i64 {
        self.applier.positions.get(source).copied().unwrap_or(0)
    }

    fn seconds_behind(&self) -> f64 {
        let since_event = self.applier.event_at.map(|at| (Utc::now() - at).as_seconds_f64().max(0.0));
        since_event.unwrap_or_else(|| self.began.elapsed().as_secs_f64())
    }
}
