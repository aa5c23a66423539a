//! One lane of one version: reads its partitions and applies what they hold, for as long as the lane is ours. Separate
//! from the runner, which shares lanes out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use backstitch_contracts::{Envelope, headers};
use backstitch_event_store::StoredEvent;
use backstitch_messaging::{
    Delivery, FeedItem, LaneId, LearningDecoder, ReadValueError, TopicPartition, UnknownSchemas,
};
use chrono::Utc;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::apply::{Applier, Letter, Origin, What};
use crate::checkpoint::{Version, begin, note_ends};
use crate::error::{ApplyError, chain};
use crate::membership::{Ahead, Arrival, Incoming, Membership};
use crate::place::Place;
use crate::projection::{Event, Projection, Unfit};
use crate::supervisor::Health;

/// How often it is looked how far there is to go.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Between two transactions of a lane: what comes meanwhile goes along with the next. The first event after a quiet time
/// is taken in at once. A transaction for each event cost more than the orders themselves: `docs/performance.md`.
const PACE: Duration = Duration::from_millis(100);

/// Between two tries while a comparison holds some of the partitions where they are.
const HELD: Duration = Duration::from_millis(20);

/// Most letters that wait for the end of a hold; then the lane reads no further.
const KEPT_MAX: usize = 50_000;

/// What the lanes of a version share.
pub(crate) struct Shared<P> {
    pub(crate) projection: Arc<P>,
    pub(crate) version: Version,
    pub(crate) pool: PgPool,
    pub(crate) membership: Membership,
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
        shared.membership.stop(lane).await;
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
    incoming: Incoming,
    /// Held back by a comparison, in their order.
    kept: Vec<Letter<P::Fact>>,
    applier: Applier<P>,
    began: Instant,
    looked_at: Instant,
    was_behind: bool,
    /// Absent where there is more than a batch to take in: whoever is behind does not pause.
    applied_at: Option<Instant>,
}

impl<P: Projection> Reading<P> {
    async fn open(shared: Arc<Shared<P>>, lane: LaneId) -> Result<Self, ApplyError> {
        let sources = shared.membership.sources_of(lane);
        let mut db = shared.pool.acquire().await?;
        let positions = begin(shared.version, &sources, &mut db).await?;
        drop(db);
        let incoming = shared.membership.read(lane, &positions, shared.batch_max).await?;
        let applier = Applier {
            projection: shared.projection.clone(),
            version: shared.version,
            pool: shared.pool.clone(),
            positions,
            event_at: None,
            pile_max: 2 * shared.batch_max,
        };
        let now = Instant::now();
        // So that the first look comes at once.
        let looked_at = now.checked_sub(LOOK_EVERY).unwrap_or(now);
        Ok(Self {
            shared,
            lane,
            incoming,
            kept: Vec::new(),
            applier,
            began: now,
            looked_at,
            was_behind: true,
            applied_at: None,
        })
    }

    async fn work(&mut self, stop: &CancellationToken) -> Result<(), ApplyError> {
        loop {
            let until_look = (self.looked_at + LOOK_EVERY).saturating_duration_since(Instant::now());
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(until_look) => self.look().await?,
                () = tokio::time::sleep(HELD), if !self.kept.is_empty() => self.apply(Vec::new()).await?,
                arrival = self.incoming.next(), if self.kept.len() < KEPT_MAX => {
                    self.keep_pace(stop).await;
                    let letters = self.gather(arrival?).await?;
                    self.apply(letters).await?;
                }
            }
        }
    }

    async fn apply(&mut self, letters: Vec<Letter<P::Fact>>) -> Result<(), ApplyError> {
        let is_full = letters.len() >= self.shared.batch_max;
        let mut pile = std::mem::take(&mut self.kept);
        pile.extend(letters);
        self.kept = self.applier.apply(pile).await?;
        self.applied_at = (!is_full).then(Instant::now);
        Ok(())
    }

    async fn keep_pace(&self, stop: &CancellationToken) {
        if let Some(applied_at) = self.applied_at {
            let next = tokio::time::Instant::from_std(applied_at + PACE);
            let _ = stop.run_until_cancelled(tokio::time::sleep_until(next)).await;
        }
    }

    /// Takes what else is there already, so that batches grow under load.
    async fn gather(&mut self, first: Arrival) -> Result<Vec<Letter<P::Fact>>, ApplyError> {
        let mut letters = Vec::new();
        let mut unknown = UnknownSchemas::default();
        let mut arrival = Some(first);
        while let Some(some) = arrival {
            match some {
                Arrival::Topics(items) => {
                    for item in items {
                        letters.extend(self.item(item, &mut unknown).await?);
                    }
                }
                Arrival::Store(source, events) => {
                    letters.extend(events.into_iter().filter_map(|stored| self.stored(&source, stored)));
                }
            }
            arrival = if letters.len() < self.shared.batch_max { self.incoming.at_hand()? } else { None };
        }
        Ok(letters)
    }

    async fn item(&self, item: FeedItem, unknown: &mut UnknownSchemas) -> Result<Option<Letter<P::Fact>>, ApplyError> {
        match item {
            FeedItem::Delivery(delivery) => self.letter(delivery, unknown).await,
            // What lies before the mark and was not handed over are control records and compacted ones.
            FeedItem::CaughtUp { source, offset } => {
                Ok(Some(Letter { source, next: Place::offset(offset), what: What::Nothing }))
            }
        }
    }

    /// `None` for what was applied before.
    fn stored(&self, source: &TopicPartition, stored: StoredEvent) -> Option<Letter<P::Fact>> {
        let next = Place::after(stored.cursor);
        let behind = self.shared.membership.store_of(source).filter(|_| next > self.position(source))?;
        let what = match (behind.source.published)(&stored) {
            None => What::Nothing,
            Some(envelope) => self.told(behind.topic, envelope, || Origin::Stored(Box::new(stored))),
        };
        Some(Letter { source: source.clone(), next, what })
    }

    /// What the event means here.
    fn told(&self, topic: &str, envelope: Envelope, origin: impl FnOnce() -> Origin) -> What<P::Fact> {
        let event = Event { topic: topic.to_owned(), envelope: envelope.upcasted(Utc::now()) };
        match self.shared.projection.read(&event) {
            Ok(Some(fact)) => What::Fact { fact, at: event.at(), origin: origin() },
            Ok(None) => What::Nothing,
            Err(unfit) => What::Unfit { unfit, origin: origin() },
        }
    }

    /// `None` for what was applied before.
    async fn letter(
        &self,
        delivery: Delivery,
        unknown: &mut UnknownSchemas,
    ) -> Result<Option<Letter<P::Fact>>, ApplyError> {
        let (source, next) = (delivery.source.clone(), Place::offset(delivery.offset + 1));
        if next <= self.position(&source) {
            return Ok(None);
        }
        // What is sent again to one consumer group is no news for anybody else: its first copy lies before it.
        let redriven = delivery.header(headers::REDRIVE_GROUP).is_some();
        let Some(value) = delivery.value.as_deref().filter(|_| !redriven) else {
            return Ok(Some(Letter { source, next, what: What::Nothing }));
        };
        let what = match self.shared.decoder.read(delivery.topic(), value, unknown).await {
            Ok(envelope) => {
                let topic = source.topic.clone();
                self.told(&topic, envelope, || Origin::Delivery(Box::new(delivery)))
            }
            Err(ReadValueError::Undecodable(error)) => {
                let (unfit, origin) = (Unfit::new("undecodable", chain(&error)), Origin::Delivery(Box::new(delivery)));
                What::Unfit { unfit, origin }
            }
            Err(ReadValueError::Unavailable { reason }) => return Err(ApplyError::Registry { reason }),
        };
        Ok(Some(Letter { source, next, what }))
    }

    /// How far there is to go: told in metrics, and in the checkpoint's rows for those who ask.
    async fn look(&mut self) -> Result<(), ApplyError> {
        self.looked_at = Instant::now();
        let ahead = self.shared.membership.ahead(self.lane, &self.applier.positions).await?;
        let left: i64 = ahead.iter().map(|ahead| ahead.left).sum();
        for Ahead { source, end, .. } in ahead.iter().filter(|ahead| self.position(&ahead.source) > ahead.end) {
            tracing::error!(
                projection = self.shared.version.name.text(), %source, next = self.position(source).offset,
                end = end.offset, "the topic is shorter than what was read of it: rebuild this projection"
            );
        }
        tell_lag(self.shared.version, self.lane, left, self.seconds_behind(&ahead));
        // Once more when it has caught up: a guess that was too high must not stand.
        if left > 0 || self.was_behind {
            self.was_behind = left > 0;
            let ends: Vec<_> = ahead.into_iter().map(|ahead| (ahead.source, ahead.end)).collect();
            let mut db = self.shared.pool.acquire().await?;
            note_ends(self.shared.version, &ends, &mut db).await?;
        }
        self.shared.membership.report(&self.applier.positions);
        Ok(())
    }

    fn position(&self, source: &TopicPartition) -> Place {
        self.applier.positions.get(source).copied().unwrap_or_default()
    }

    /// A store says how old its oldest unread event is; of a topic only the last event applied is known.
    fn seconds_behind(&self, ahead: &[Ahead]) -> f64 {
        let now = Utc::now();
        let seconds = ahead.iter().filter(|ahead| ahead.left > 0).map(|ahead| match &ahead.lag {
            Some(lag) => lag.seconds(now),
            None => {
                let since_event = self.applier.event_at.map(|at| (now - at).as_seconds_f64().max(0.0));
                since_event.unwrap_or_else(|| self.began.elapsed().as_secs_f64())
            }
        });
        seconds.fold(0.0, f64::max)
    }
}
