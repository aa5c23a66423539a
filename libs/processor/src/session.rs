//! A lane under one claimed epoch: what it holds in memory, and the loop that feeds it. Ends with the claim.

use std::sync::Arc;
use std::time::Duration;

use backstitch_messaging::{Feed, FeedItem, InboxError, LaneId, PublishError, TopicPartition};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::LaneClock;
use crate::database::{Claim, Database, Store};
use crate::decode::{Task, Work};
use crate::effects::Effects;
use crate::gate::{Gate, Positions};
use crate::input::{Answered, Input, Job};
use crate::logic::LogicOn;
use crate::outbox::Outbox;
use crate::patience::{Due, KeptBack};
use crate::runner::Shared;
use crate::timers::Timers;
use crate::verdict::LaneError;

/// Progress and watermarks that nothing else carries are written after this long.
const TIDY_AFTER: Duration = Duration::from_millis(500);
/// How often the broker is told how far the lane has come, for lag tools.
const REPORT_EVERY: Duration = Duration::from_secs(2);

/// After a failed question for end offsets.
const ENDS_RETRY: Duration = Duration::from_millis(300);

type Ends = BoxFuture<'static, Result<Vec<(TopicPartition, i64)>, InboxError>>;

/// A claimed lane.
pub(crate) struct Session<L, S: Store> {
    pub(crate) lane: LaneId,
    pub(crate) shared: Arc<Shared<L, S>>,
    pub(crate) logic: L,
    pub(crate) db: S::Lease,
    pub(crate) epoch: i64,
    pub(crate) commits: i64,
    pub(crate) positions: Positions,
    pub(crate) progress_unsaved: bool,
    pub(crate) clock: LaneClock,
    pub(crate) timers: Timers,
    pub(crate) outbox: Outbox,
    caught_up: Positions,
    gate: Gate,
    ends: Option<Ends>,
    calls: JoinSet<Answered>,
    feed: Feed,
    kept_back: KeptBack,
    reported_at: Instant,
}

/// What the loop woke up for.
enum Woken {
    Stop,
    Feed(Option<Vec<FeedItem>>),
    Published(Result<(), (i64, PublishError)>),
    Answered(Result<Answered, JoinError>),
    Ends(Result<Vec<(TopicPartition, i64)>, InboxError>),
    TimerDue,
    PatienceEnds,
    Tidy,
}

impl<L: LogicOn<S::Db>, S: Store> Session<L, S> {
    /// Claims the lane and starts reading from where it was left.
    pub(crate) async fn open(lane: LaneId, shared: Arc<Shared<L, S>>) -> Result<Self, LaneError> {
        let mut db = shared.pool.lease().await?;
        let mut claimed = db.claim(lane, &shared.settings.owner).await?;
        // What is loaded next takes its time, and none of that may be missing from the lane's clock.
        let claimed_at = Instant::now();
        let mut logic = (shared.make_logic)(lane);
        let mut timers = Timers::default();
        let (found, ()) = tokio::join!(
            logic.claimed(lane, &mut *db),
            start_anew_where_shortened(lane, &shared, &mut claimed.positions)
        );
        for timer in found?.into_iter().chain(claimed.timers.iter().cloned()) {
            timers.set(timer);
        }
        let from: Vec<_> = claimed.positions.iter().map(|(source, offset)| (source.clone(), *offset)).collect();
        let feed = shared.inbox.read(lane, &from).await?;
        tracing::info!(%lane, epoch = claimed.epoch, timers = timers.len(), calls = claimed.jobs.len(), "claimed");
        let now = Instant::now();
        let mut session = Self {
            lane,
            logic,
            db,
            epoch: claimed.epoch,
            commits: claimed.commits,
            positions: claimed.positions.clone(),
            progress_unsaved: false,
            clock: LaneClock::start(claimed.now, claimed_at),
            timers,
            outbox: Outbox::after(claimed.published),
            caught_up: Positions::new(),
            gate: Gate::default(),
            ends: None,
            calls: JoinSet::new(),
            feed,
            kept_back: KeptBack::default(),
            reported_at: now,
            shared,
        };
        session.resume(claimed).await?;
        Ok(session)
    }

    async fn resume(&mut self, claimed: Claim) -> Result<(), LaneError> {
        for (seq, records) in claimed.unpublished {
            let publisher = self.shared.publisher.clone();
            self.outbox.publish(seq, records, publisher.as_ref()).await?;
        }
        for job in claimed.jobs {
            self.start_call(job);
        }
        Ok(())
    }

    /// Works until told to stop (`Ok`) or until something fails. While the process is leaving, another may claim the lane at
    /// any time, and is to find that what was published is known to be.
    pub(crate) async fn work(
        &mut self,
        leaving: &CancellationToken,
        stop: &CancellationToken,
    ) -> Result<(), LaneError> {
        loop {
            let mut arrived = Due::default();
            match self.wait(leaving, stop).await {
                Woken::Stop => return self.drain().await,
                Woken::Feed(None) => return Err(LaneError::FeedEnded),
                Woken::Feed(Some(items)) => arrived = self.gather(items).await?,
                Woken::Published(outcome) => self.note_published(outcome).await?,
                Woken::Answered(answered) => arrived.work.extend(note_answered(answered)),
                Woken::Ends(ends) => self.note_ends(ends),
                Woken::TimerDue => self.ask_for_ends(),
                Woken::PatienceEnds => {}
                Woken::Tidy => self.tidy().await?,
            }
            while let Some(answered) = self.calls.try_join_next() {
                arrived.work.extend(note_answered(answered));
            }
            let due = self.kept_back.join(arrived, self.shared.settings.batch_max, Instant::now());
            if !due.work.is_empty() {
                self.commit(due.work).await?;
            }
            self.caught_up.extend(due.marks);
            self.fire_timers().await?;
            self.report();
        }
    }

    async fn wait(&mut self, leaving: &CancellationToken, stop: &CancellationToken) -> Woken {
        let until_due = self.until_due();
        let open = self.outbox.unpublished() < self.shared.settings.unpublished_max;
        let untidy = self.progress_unsaved || (self.outbox.has_unpruned() && self.outbox.is_settled());
        let asking = self.ends.is_some();
        let patience_ends = self.kept_back.until();
        tokio::select! {
            biased;
            () = stop.cancelled() => Woken::Stop,
            outcome = self.outbox.oldest_published() => Woken::Published(outcome),
            Some(ends) = async { match self.ends.as_mut() { Some(ends) => Some(ends.await), None => None } }, if asking => {
                self.ends = None;
                Woken::Ends(ends)
            }
            Some(answered) = self.calls.join_next() => Woken::Answered(answered),
            () = tokio::time::sleep(until_due.unwrap_or(Duration::MAX)), if until_due.is_some() => Woken::TimerDue,
            items = self.feed.recv(), if open => Woken::Feed(items),
            () = tokio::time::sleep_until(patience_ends.unwrap_or_else(Instant::now)), if patience_ends.is_some() => {
                Woken::PatienceEnds
            }
            _ = tokio::time::timeout(TIDY_AFTER, leaving.cancelled()), if untidy => Woken::Tidy,
        }
    }

    /// Takes what else is there already, so that batches grow under load.
    async fn gather(&mut self, first: Vec<FeedItem>) -> Result<Due, LaneError> {
        let (mut deliveries, mut marks) = (Vec::new(), Vec::new());
        let mut items = Some(first);
        while let Some(some) = items {
            for item in some {
                match item {
                    FeedItem::Delivery(delivery) => deliveries.push(delivery),
                    FeedItem::CaughtUp { source, offset } => marks.push((source, offset)),
                }
            }
            let more = deliveries.len() < self.shared.settings.batch_max;
            items = if more { self.feed.try_recv().ok() } else { None };
        }
        // What a repeated read hands over again has been dealt with.
        deliveries.retain(|delivery| self.positions.get(&delivery.source).is_none_or(|next| delivery.offset >= *next));
        let mut work = self.shared.intake.work(deliveries, &self.logic).await?;
        for one in &mut work {
            self.find_homes(one);
        }
        Ok(Due { work, marks })
    }

    /// Fires what is due and whose earlier inputs have all been seen.
    async fn fire_timers(&mut self) -> Result<(), LaneError> {
        loop {
            let consumed = self.consumed();
            let Some(up_to) = self.gate.pass(&consumed) else { return Ok(()) };
            let due = self.timers.take_due(up_to, self.shared.settings.batch_max);
            if due.is_empty() {
                return Ok(());
            }
            for timer in &due {
                let late = (self.now() - timer.due_at).as_seconds_f64();
                metrics::histogram!("processor_timer_lateness_seconds").record(late.max(0.0));
            }
            self.commit(due.into_iter().map(|timer| decide(Input::Timer(timer))).collect()).await?;
        }
    }

    fn consumed(&self) -> Positions {
        let mut consumed = self.positions.clone();
        for (source, offset) in &self.caught_up {
            let at = consumed.entry(source.clone()).or_insert(*offset);
            *at = (*at).max(*offset);
        }
        consumed
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.at(Instant::now())
    }

    /// How long until a timer is due, while the gate is closed.
    fn until_due(&mut self) -> Option<Duration> {
        if self.gate != Gate::Closed {
            return None;
        }
        let due_at = self.timers.next_due()?;
        let left = (due_at - self.now()).to_std().unwrap_or(Duration::ZERO);
        // Whole milliseconds, as the runtime's timers are: how it rounds must not decide what comes first.
        Some(Duration::from_millis(u64::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)))
    }

    fn ask_for_ends(&mut self) {
        let asked_at = self.now();
        if self.timers.next_due().is_none_or(|due_at| due_at > asked_at) {
            return;
        }
        self.gate = Gate::Asking { asked_at };
        let inbox = self.shared.inbox.clone();
        let lane = self.lane;
        self.ends = Some(Box::pin(async move {
            let ends = inbox.end_offsets(lane).await;
            if ends.is_err() {
                tokio::time::sleep(ENDS_RETRY).await;
            }
            ends
        }));
    }

    fn note_ends(&mut self, ends: Result<Vec<(TopicPartition, i64)>, InboxError>) {
        let Gate::Asking { asked_at } = self.gate else { return };
        self.gate = match ends {
            Ok(ends) => Gate::Waiting { asked_at, ends },
            Err(error) => {
                tracing::warn!(lane = %self.lane, %error, "timers wait: the broker does not tell its end offsets");
                Gate::Closed
            }
        };
    }

    pub(crate) fn note_commit(&mut self, positions: Positions, pruned_to: Option<i64>, database_now: DateTime<Utc>) {
        self.commits += 1;
        self.positions = positions;
        self.progress_unsaved = false;
        if let Some(watermark) = pruned_to {
            self.outbox.pruned_to(watermark);
        }
        if let Some(jump) = self.clock.follow(database_now, Instant::now()) {
            metrics::counter!("processor_clock_jumps_total").increment(1);
            tracing::warn!(lane = %self.lane, seconds = jump.num_seconds(), "the database's clock jumped; ours goes on");
        }
    }

    /// Writes progress and the watermark when no batch has carried them.
    async fn tidy(&mut self) -> Result<(), LaneError> {
        let positions = self.positions.clone();
        let watermark = self.outbox.watermark();
        let batch = S::Db::open(&self.fence(&positions, watermark, true), &Effects::default())?;
        let database_now = self.shared.group.write(&mut *self.db, batch).await?;
        self.note_commit(positions, Some(watermark), database_now);
        Ok(())
    }

    async fn note_published(&mut self, outcome: Result<(), (i64, PublishError)>) -> Result<(), LaneError> {
        metrics::gauge!("processor_outbox_unpublished", "lane" => self.lane.to_string())
            .set(self.outbox.unpublished() as f64);
        metrics::gauge!("processor_outbox_age_seconds", "lane" => self.lane.to_string()).set(self.outbox.age_seconds());
        let Err((seq, error)) = outcome else { return Ok(()) };
        let PublishError::Refused { .. } = &error else { return Err(error.into()) };
        tracing::error!(lane = %self.lane, seq, %error, "the broker refuses a record; its commit is kept aside");
        Ok(self.db.keep_refused(self.lane, seq, &error.to_string()).await?)
    }

    pub(crate) fn start_call(&mut self, job: Job) {
        let shared = self.shared.clone();
        self.calls.spawn(async move {
            // The semaphore is never closed; without a permit the call would merely be unbounded.
            let _permit = shared.calls.acquire().await.ok();
            let outcome = shared.caller.call(&job).await;
            Answered { job, outcome }
        });
    }

    /// Gives an answer that could not be handled to the logic once more. Its job's row stays until then.
    pub(crate) fn answer_again(&mut self, answered: Answered) {
        let after = self.shared.settings.put_off;
        self.calls.spawn(async move {
            tokio::time::sleep(after).await;
            answered
        });
    }

    fn report(&mut self) {
        if self.reported_at.elapsed() >= REPORT_EVERY {
            self.reported_at = Instant::now();
            self.shared.inbox.report(self.positions.iter().map(|(source, next)| (source.clone(), *next)).collect());
        }
    }

    /// Before a graceful hand-over: what is on its way arrives, so that the next owner has nothing to repeat.
    async fn drain(&mut self) -> Result<(), LaneError> {
        let deadline = Instant::now() + self.shared.settings.drain;
        while !self.outbox.is_settled() {
            match tokio::time::timeout_at(deadline, self.outbox.oldest_published()).await {
                Ok(outcome) => self.note_published(outcome).await?,
                Err(_) => break,
            }
        }
        if self.progress_unsaved || self.outbox.has_unpruned() {
            self.tidy().await?;
        }
        Ok(())
    }
}

fn decide(input: Input) -> Work {
    Work { task: Task::Decide(input), forward_to: Vec::new(), progress: None, is_patient: false }
}

/// A call whose task panicked stays open in its row: it is made again after the next claim.
fn note_answered(answered: Result<Answered, JoinError>) -> Option<Work> {
    match answered {
        Ok(answered) => Some(decide(Input::Answered(answered))),
        Err(error) => {
            tracing::error!(%error, "an external call's task failed; it is made again after the next claim");
            None
        }
    }
}

/// A topic that was truncated or made anew is shorter than what was read of it: it is read from its beginning, since
/// inputs are idempotent and what is new must not be passed over.
async fn start_anew_where_shortened<L, S: Store>(lane: LaneId, shared: &Shared<L, S>, positions: &mut Positions) {
    // A broker that does not answer must not stop a claim: then nothing can be read anyway.
    for (source, end) in shared.inbox.end_offsets(lane).await.unwrap_or_default() {
        if let Some(next) = positions.get_mut(&source).filter(|next| **next > end) {
            tracing::error!(%source, next = *next, end, "the topic is shorter than what was read of it");
            *next = 0;
        }
    }
}
