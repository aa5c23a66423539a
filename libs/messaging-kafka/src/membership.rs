//! The consumer that belongs to the group and reads nothing: its assignment of the lane topic is the ownership of
//! lanes. Separate from [`crate::reader`], so that a rebalance never disturbs the reading of lanes that stay.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use backstitch_messaging::LaneId;
use rdkafka::{
    ClientConfig, ClientContext, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    types::RDKafkaRespErr,
};
use tokio::sync::oneshot;

use crate::{
    client_log,
    lag::Positions,
    ownership::{Announcer, OwnedLanes},
    settings::{ClientKind, GroupProtocol, KafkaSettings},
};

/// How long one poll blocks; a bound on how late a request to leave is seen. Ten wake-ups a second cost nothing.
const POLL: Duration = Duration::from_millis(100);
/// How often the client's own thread is given something to do, in polls. It looks whether a heartbeat is due only when it
/// wakes up, and left alone it does so once a second.
const POLLS_A_NUDGE: u32 = 2;
/// How often positions go to the broker, for lag tools.
const COMMIT_EVERY: Duration = Duration::from_secs(2);
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// The running membership. Dropping it leaves the group.
pub(crate) struct Membership {
    leave: Mutex<Option<Sender<()>>>,
    left: tokio::sync::Mutex<Option<oneshot::Receiver<()>>>,
    polled: Arc<Watchdog>,
    strays: Arc<AtomicU64>,
}

impl Membership {
    /// Joins the group on a thread of its own.
    pub(crate) fn join(
        settings: &KafkaSettings,
        group: &str,
        lane_topic: &str,
        owned: OwnedLanes,
        announcer: Announcer,
        positions: Arc<Positions>,
    ) -> std::io::Result<Self> {
        let (leave, leaving) = channel();
        let (gone, left) = oneshot::channel();
        let polled = Arc::new(Watchdog::new(group));
        let strays = Arc::new(AtomicU64::new(0));
        let member = Member {
            config: settings.finish(ClientKind::Membership, membership_config(settings, group)),
            lane_topic: lane_topic.to_owned(),
            owned,
            announcer,
            positions,
            polled: Arc::clone(&polled),
            strays: Arc::clone(&strays),
            leaving,
        };
        thread::Builder::new().name("kafka-membership".into()).spawn(move || {
            member.run();
            drop(gone);
        })?;
        let (leave, left) = (Mutex::new(Some(leave)), tokio::sync::Mutex::new(Some(left)));
        Ok(Self { leave, left, polled, strays })
    }

    /// How long ago the member last turned to the broker. Minutes mean that its thread hangs.
    pub(crate) fn since_polled(&self) -> Duration {
        self.polled.since()
    }

    /// How many records came although all partitions are paused.
    pub(crate) fn strays(&self) -> u64 {
        self.strays.load(Ordering::Relaxed)
    }

    /// Leaves the group; its other members get the lanes at once.
    pub(crate) async fn leave(&self) {
        drop(self.leave.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(left) = self.left.lock().await.take() {
            let _ = left.await;
        }
    }
}

fn membership_config(settings: &KafkaSettings, group: &str) -> ClientConfig {
    let mut config = settings.base();
    config
        .set("group.id", group)
        // Progress lives in the lane's row in Postgres; commits are ours, afterwards, for lag tools.
        .set("enable.auto.commit", "false")
        // Should a paused partition ever be fetched, then only what comes from now on, and little of it.
        .set("auto.offset.reset", "latest")
        .set("queued.min.messages", "1")
        .set("queued.max.messages.kbytes", "1")
        // A poll a second late is not worth losing all lanes for; a thread that hangs for minutes is.
        .set("max.poll.interval.ms", "300000");
    match settings.group_protocol {
        GroupProtocol::Classic => config
            .set("group.protocol", "classic")
            // Lanes that stay with us go on while others move.
            .set("partition.assignment.strategy", "cooperative-sticky")
            // A killed member's lanes move after this long.
            .set("session.timeout.ms", settings.session_timeout_ms.to_string())
            // A member learns of a rebalance by its heartbeat, and so a moving lane is nobody's for as long.
            .set("heartbeat.interval.ms", heartbeat_ms(settings.session_timeout_ms).to_string()),
        // Here the broker sets session timeout, heartbeats and assignor, and the client refuses ours.
        GroupProtocol::Consumer => config.set("group.protocol", "consumer"),
    };
    if let Some(instance) = &settings.instance_id {
        config.set("group.instance.id", instance);
    }
    config
}

/// A fifteenth of the session and a moment less: a heartbeat that is not quite due when the client looks waits for its next look.
fn heartbeat_ms(session_timeout_ms: u32) -> u32 {
    (session_timeout_ms / 15).max(200) - 50
}

/// What the thread owns.
struct Member {
    config: ClientConfig,
    lane_topic: String,
    owned: OwnedLanes,
    announcer: Announcer,
    positions: Arc<Positions>,
    polled: Arc<Watchdog>,
    strays: Arc<AtomicU64>,
    leaving: Receiver<()>,
}

/// Why a consumer is given up.
enum Ended {
    Leaving,
    /// Another process uses our instance id: to come back would throw it out, and so on for ever.
    Fenced,
    Broken(KafkaError),
}

impl Member {
    fn run(self) {
        let mut backoff = POLL;
        loop {
            let began = Instant::now();
            let ended = self.consume();
            self.announcer.all_gone();
            match ended {
                Ended::Leaving => return,
                Ended::Fenced => {
                    tracing::error!(
                        "another process has joined the group with our instance id; leaving it to that one"
                    );
                    return;
                }
                Ended::Broken(error) => {
                    metrics::counter!("kafka_membership_restarts_total").increment(1);
                    tracing::warn!(%error, "the group membership broke; joining anew");
                    backoff = if began.elapsed() > BACKOFF_MAX { POLL } else { (backoff * 2).min(BACKOFF_MAX) };
                }
            }
            if self.leave_asked_within(backoff) {
                return;
            }
        }
    }

    fn leave_asked_within(&self, time: Duration) -> bool {
        !matches!(self.leaving.recv_timeout(time), Err(RecvTimeoutError::Timeout))
    }

    /// One consumer's life, from joining to the end.
    fn consume(&self) -> Ended {
        let context = MembershipContext { announcer: self.announcer.clone() };
        let consumer: BaseConsumer<MembershipContext> = match self.config.create_with_context(context) {
            Ok(consumer) => consumer,
            Err(error) => return Ended::Broken(error),
        };
        if let Err(error) = consumer.subscribe(&[&self.lane_topic]) {
            return Ended::Broken(error);
        }
        let mut commit_at = Instant::now() + COMMIT_EVERY;
        let mut polls = 0_u32;
        loop {
            self.polled.mark();
            polls = polls.wrapping_add(1);
            if polls.is_multiple_of(POLLS_A_NUDGE) {
                // Any question that only that thread can answer.
                let _ = consumer.assignment();
            }
            if let Some(ended) = consumer.poll(POLL).and_then(|event| self.heard(event)) {
                return ended;
            }
            if self.leave_asked_within(Duration::ZERO) {
                self.commit(&consumer);
                // Whoever leaves hands nothing over: others claim its lanes, and the closing consumer waits for nobody.
                self.announcer.all_gone();
                return Ended::Leaving;
            }
            if Instant::now() >= commit_at {
                self.commit(&consumer);
                commit_at = Instant::now() + COMMIT_EVERY;
            }
        }
    }

    /// What an event of the queue means for the consumer's life.
    fn heard(&self, event: KafkaResult<rdkafka::message::BorrowedMessage<'_>>) -> Option<Ended> {
        match event {
            Ok(_) => {
                // Paused from its first moment, so this is a curiosity; the reader has it anyway.
                self.strays.fetch_add(1, Ordering::Relaxed);
                None
            }
            Err(KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::FencedInstanceId)) => Some(Ended::Fenced),
            Err(error @ KafkaError::MessageConsumptionFatal(_)) => Some(Ended::Broken(error)),
            Err(KafkaError::MessageConsumption(RDKafkaErrorCode::PollExceeded)) => {
                // The callback has given the lanes back; the next poll joins again.
                tracing::warn!("the group threw us out because our thread did not turn to it in time; joining again");
                None
            }
            Err(error) => {
                tracing::warn!(%error, "the group membership met an error and goes on");
                None
            }
        }
    }

    fn commit(&self, consumer: &BaseConsumer<MembershipContext>) {
        let mut list = TopicPartitionList::new();
        for (source, offset) in self.positions.take_uncommitted(&self.owned) {
            let _ = list.add_partition_offset(&source.topic, source.partition, Offset::Offset(offset));
        }
        if list.count() > 0
            && let Err(error) = consumer.commit(&list, CommitMode::Async)
        {
            tracing::debug!(%error, "positions were not reported");
        }
    }
}

/// What librdkafka calls on the member's thread.
struct MembershipContext {
    announcer: Announcer,
}

impl ClientContext for MembershipContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        client_log::error(&error, reason);
    }
}

impl ConsumerContext for MembershipContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, change: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let lanes: Vec<LaneId> = list.elements().iter().map(|element| LaneId(element.partition())).collect();
        if change == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            match assign(consumer, list) {
                Ok(()) => self.announcer.gained(lanes),
                Err(error) => tracing::warn!(%error, "the group's assignment could not be taken up"),
            }
            return;
        }
        if consumer.assignment_lost() {
            self.announcer.gone(lanes);
        } else {
            self.announcer.hand_over(lanes);
        }
        if let Err(error) = unassign(consumer, list) {
            tracing::warn!(%error, "the group's assignment could not be given back");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, "positions were not reported");
        }
    }
}

/// Takes the lanes up without reading them: from the end, and paused.
fn assign(consumer: &BaseConsumer<MembershipContext>, list: &mut TopicPartitionList) -> KafkaResult<()> {
    list.set_all_offsets(Offset::End)?;
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_assign(list)?,
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.assign(list)?,
    }
    consumer.pause(list)
}

fn unassign(consumer: &BaseConsumer<MembershipContext>, list: &TopicPartitionList) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
    }
}

/// When the member's thread was last seen alive.
struct Watchdog {
    group: String,
    began: Instant,
    polled_millis: AtomicU64,
}

impl Watchdog {
    fn new(group: &str) -> Self {
        Self { group: group.to_owned(), began: Instant::now(), polled_millis: AtomicU64::new(0) }
    }

    fn mark(&self) {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.polled_millis.store(millis, Ordering::Relaxed);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        metrics::gauge!("kafka_membership_polled_at_seconds", "group" => self.group.clone()).set(now.as_secs_f64());
    }

    fn since(&self) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_millis(self.polled_millis.load(Ordering::Relaxed)))
    }
}
