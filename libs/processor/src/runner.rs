//! The processor as a whole: which lanes run in this process, and what happens to one that fails.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use backstitch_contracts::Decoder;
use backstitch_messaging::{Inbox, LaneId, LearningDecoder, Ownership, Publisher, SchemaSource, murmur2};
use sqlx::PgPool;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::chain::chain;
use crate::database::{Database, Store};
use crate::decode::Intake;
use crate::group::Group;
use crate::logic::{Caller, LogicOn};
use crate::session::Session;
use crate::verdict::{LaneError, Verdict};

/// Bounds of a processor.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who claims lanes, for people who look into the database: host and process.
    pub owner: String,
    /// Most messages decided and committed at once.
    pub batch_max: usize,
    /// Intake stops while so many committed records of a lane are not yet on the broker.
    pub unpublished_max: usize,
    /// Most external calls under way at once, over all lanes.
    pub calls_max: usize,
    /// How long a lane that is handed over may wait for its records to arrive.
    pub drain: Duration,
    /// How long a process that stops goes on with lanes that nobody has taken over yet.
    pub stay: Duration,
    /// A timer or an answered call that cannot be handled comes again after this long: a person may have mended the
    /// cause meanwhile.
    pub put_off: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "localhost".to_owned());
        Self {
            owner: format!("{host}/{}", std::process::id()),
            batch_max: 500,
            unpublished_max: 10_000,
            calls_max: 64,
            drain: Duration::from_secs(2),
            stay: Duration::from_secs(1),
            put_off: Duration::from_secs(30),
        }
    }
}

/// What a processor works with.
pub struct Ports<S = PgPool> {
    /// The service's database.
    pub pool: S,
    /// Lanes and their inputs.
    pub inbox: Arc<dyn Inbox>,
    /// The way out.
    pub publisher: Arc<dyn Publisher>,
    /// Writer schemas that were not seen yet.
    pub schemas: Arc<dyn SchemaSource>,
    /// External calls.
    pub caller: Arc<dyn Caller>,
    /// Reader schemas, and the writer schemas seen so far.
    pub decoder: Arc<Decoder>,
}

/// Why a processor ended other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum ProcessorError {
    /// The lanes were laid out for another number of partitions.
    #[error(
        "the lane topic `{topic}` has {found} partitions, but this database was laid out for {expected} lanes of \
         `{expected_topic}`; drain all sagas, then clear `processor.topology` and `processor.lanes`, or restore the \
         partition count"
    )]
    Topology {
        /// The lane topic now.
        topic: String,
        /// Its partitions now.
        found: i32,
        /// The lane topic then.
        expected_topic: String,
        /// Its partitions then.
        expected: i32,
    },
    /// The lane topic has no partitions.
    #[error("the lane topic `{topic}` has no partitions: create the topics first (`sagactl topics create`)")]
    NoLanes {
        /// The lane topic.
        topic: String,
    },
    /// The database's layout could not be read.
    #[error("the lanes' layout could not be read from the database; has `migrate` run?")]
    Layout(#[source] sqlx::Error),
    /// A lane cannot go on whatever time passes.
    #[error("lane {lane} cannot go on: {reason}")]
    Lane {
        /// Which.
        lane: LaneId,
        /// The chain of causes.
        reason: String,
    },
    /// The broker's client ended.
    #[error("the membership in the consumer group ended")]
    InboxClosed,
}

pub(crate) struct Shared<L, S: Store> {
    pub(crate) settings: Settings,
    pub(crate) pool: S,
    pub(crate) group: Arc<Group<<S::Db as Database>::Batch>>,
    pub(crate) inbox: Arc<dyn Inbox>,
    pub(crate) publisher: Arc<dyn Publisher>,
    pub(crate) caller: Arc<dyn Caller>,
    pub(crate) calls: Semaphore,
    pub(crate) intake: Intake,
    pub(crate) make_logic: Box<dyn Fn(LaneId) -> L + Send + Sync>,
    health: Health,
}

/// Whether the lanes of this process work, for readiness checks.
#[derive(Debug, Clone, Default)]
pub struct Health {
    failing: Arc<Mutex<BTreeMap<LaneId, String>>>,
}

impl Health {
    /// The first lane that cannot work just now, and why.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        failing.iter().next().map(|(lane, reason)| format!("lane {lane}: {reason}"))
    }

    fn set(&self, lane: LaneId, problem: Option<String>) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match problem {
            Some(reason) => failing.insert(lane, reason),
            None => failing.remove(&lane),
        };
    }
}

/// Runs the lanes that the group assigns to this process.
pub struct Processor<L, S: Store = PgPool> {
    shared: Arc<Shared<L, S>>,
}

struct Running {
    stop: CancellationToken,
    done: JoinHandle<Result<(), ProcessorError>>,
}

impl<L: LogicOn<S::Db>, S: Store> Processor<L, S> {
    /// A processor for consumer group `group`; `make_logic` is called at each claim.
    pub fn new(
        group: impl Into<String>,
        settings: Settings,
        ports: Ports<S>,
        make_logic: impl Fn(LaneId) -> L + Send + Sync + 'static,
    ) -> Self {
        let lane_topic = ports.inbox.topology().lane_topic.clone();
        let decoder = LearningDecoder::new(ports.decoder, ports.schemas);
        let intake = Intake { decoder, group: group.into(), lane_topic };
        let shared = Shared {
            pool: ports.pool,
            group: Group::new(),
            inbox: ports.inbox,
            publisher: ports.publisher,
            caller: ports.caller,
            calls: Semaphore::new(settings.calls_max),
            settings,
            intake,
            make_logic: Box::new(make_logic),
            health: Health::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// For readiness checks.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.health.clone()
    }

    /// Runs until `stop`, then leaves the group, and goes on with each lane until another process has claimed it: so no
    /// flow waits for the group to find out.
    ///
    /// # Errors
    /// [`ProcessorError`] when going on is pointless; outages are waited out inside.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ProcessorError> {
        self.check_topology().await?;
        let mut lanes: BTreeMap<LaneId, Running> = BTreeMap::new();
        let mut handovers = JoinSet::new();
        let outcome = loop {
            // In this order, so that one history of inputs leads to one history of lanes.
            tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                Some(ended) = handovers.join_next() => if let Ok(Err(error)) = ended { break Err(error) },
                broken = first_broken(&mut lanes) => break Err(broken),
                change = self.shared.inbox.ownership() => match change {
                    None => break Err(ProcessorError::InboxClosed),
                    Some(Ownership::Gained(lane)) => {
                        let running = self.start(lane, stop.clone());
                        lanes.insert(lane, running);
                    }
                    Some(Ownership::Lost(lane, acknowledge)) => if let Some(running) = lanes.remove(&lane) {
                        running.stop.cancel();
                        handovers.spawn(async move {
                            let ended = running.done.await;
                            drop(acknowledge);
                            ended.unwrap_or(Ok(()))
                        });
                    },
                },
            }
        };
        let (stops, done): (Vec<_>, Vec<_>) = lanes.into_values().map(|running| (running.stop, running.done)).unzip();
        let mut done = futures::future::join_all(done);
        let taken_over = if outcome.is_ok() { self.leave(&mut done).await } else { false };
        stops.iter().for_each(CancellationToken::cancel);
        if !taken_over {
            done.await;
        }
        while handovers.join_next().await.is_some() {}
        self.shared.inbox.close().await;
        outcome
    }

    /// Leaves the group, and waits until all lanes are done since others have claimed them, for as long as lanes stay.
    /// Whether they are.
    async fn leave(&self, done: &mut (impl Future + Unpin)) -> bool {
        // The fence says when a lane is another's. What the group still says of it is acknowledged, or it would wait.
        let acknowledge = async {
            while self.shared.inbox.ownership().await.is_some() {}
            std::future::pending::<()>().await;
        };
        let stay = async {
            self.shared.inbox.leave().await;
            tokio::time::timeout(self.shared.settings.stay, done).await.is_ok()
        };
        tokio::select! {
            biased;
            taken_over = stay => taken_over,
            () = acknowledge => false,
        }
    }

    fn start(&self, lane: LaneId, leaving: CancellationToken) -> Running {
        let stop = CancellationToken::new();
        let done = tokio::spawn(own(self.shared.clone(), lane, leaving, stop.clone()));
        Running { stop, done }
    }

    async fn check_topology(&self) -> Result<(), ProcessorError> {
        let topology = self.shared.inbox.topology();
        let topic = topology.lane_topic.clone();
        let found = topology.lanes();
        if found < 1 {
            return Err(ProcessorError::NoLanes { topic });
        }
        let kept = self.shared.pool.layout(&topic, found).await;
        let (expected_topic, expected) = kept.map_err(ProcessorError::Layout)?;
        if (expected_topic.as_str(), expected) == (topic.as_str(), found) {
            return Ok(());
        }
        Err(ProcessorError::Topology { topic, found, expected_topic, expected })
    }
}

async fn first_broken(lanes: &mut BTreeMap<LaneId, Running>) -> ProcessorError {
    loop {
        if lanes.is_empty() {
            std::future::pending::<()>().await;
        }
        let (ended, _, _) = futures::future::select_all(lanes.iter_mut().map(|(lane, running)| {
            let lane = *lane;
            Box::pin(async move { (lane, (&mut running.done).await) })
        }))
        .await;
        let (lane, result) = ended;
        lanes.remove(&lane);
        match result {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error,
            Err(error) => return ProcessorError::Lane { lane, reason: error.to_string() },
        }
    }
}

/// Claims the lane again and again for as long as it is ours; a process that is leaving claims nothing any more.
async fn own<L: LogicOn<S::Db>, S: Store>(
    shared: Arc<Shared<L, S>>,
    lane: LaneId,
    leaving: CancellationToken,
    stop: CancellationToken,
) -> Result<(), ProcessorError> {
    // Processes differ in their jitter, and each has the same again.
    let seed = u64::from(murmur2(format!("{}/{lane}", shared.settings.owner).as_bytes()));
    let pauses = || {
        let builder = ExponentialBuilder::default().with_jitter().with_jitter_seed(seed).without_max_times();
        builder.with_min_delay(Duration::from_millis(50)).with_max_delay(Duration::from_secs(5)).build()
    };
    let mut pause = pauses();
    loop {
        let started = Instant::now();
        let outcome = session(&shared, lane, &leaving, &stop).await;
        shared.inbox.stop(lane).await;
        let Err(error) = outcome else {
            shared.health.set(lane, None);
            return Ok(());
        };
        let reason = chain(&error);
        metrics::counter!("processor_lane_failures_total", "verdict" => format!("{:?}", error.verdict())).increment(1);
        match error.verdict() {
            Verdict::Broken => return Err(ProcessorError::Lane { lane, reason }),
            Verdict::Fenced if leaving.is_cancelled() || !shared.inbox.owns(lane) => {
                tracing::info!(%lane, "another owner has the lane");
                shared.health.set(lane, None);
                return Ok(());
            }
            Verdict::Fenced | Verdict::Conflict | Verdict::Data | Verdict::Outage => {
                tracing::warn!(%lane, reason, "the lane pauses");
                shared.health.set(lane, Some(reason));
            }
        }
        if started.elapsed() > Duration::from_secs(30) {
            pause = pauses();
        }
        let rest = pause.next().unwrap_or(Duration::from_secs(5));
        let rest = Duration::from_millis(u64::try_from(rest.as_millis()).unwrap_or(u64::MAX));
        let goes_on = tokio::select! {
            biased;
            () = stop.cancelled() => false,
            () = leaving.cancelled() => false,
            () = tokio::time::sleep(rest) => true,
        };
        if !goes_on {
            shared.health.set(lane, None);
            return Ok(());
        }
    }
}

async fn session<L: LogicOn<S::Db>, S: Store>(
    shared: &Arc<Shared<L, S>>,
    lane: LaneId,
    leaving: &CancellationToken,
    stop: &CancellationToken,
) -> Result<(), LaneError> {
    let mut session = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(()),
        () = leaving.cancelled() => return Ok(()),
        opened = Session::open(lane, shared.clone()) => opened?,
    };
    shared.health.set(lane, None);
    session.work(leaving, stop).await
}
