//! [`Inbox`] on Kafka: a membership for ownership and a reader for records. Separate from both, which know nothing of
//! each other.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use backstitch_messaging::{Feed, Inbox, InboxError, LaneId, Ownership, TopicPartition, Topology};
use rdkafka::error::KafkaError;
use tokio::sync::{Mutex, mpsc};

use crate::{
    ends::Asker,
    lag::Positions,
    membership::Membership,
    ownership::{Announcer, OwnedLanes},
    reader::{Reader, Reading},
    settings::KafkaSettings,
    topology::{TopologyError, read_topology},
};

/// Who reads what.
#[derive(Debug, Clone)]
pub struct InboxPlan {
    /// The consumer group that shares the lanes out.
    pub group: String,
    /// The topic whose partitions are the lanes; read like the others.
    pub lane_topic: String,
    /// The other topics read.
    pub inputs: Vec<String>,
}

/// Why the inbox could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartInboxError {
    /// The topics are not there, or the broker does not say.
    #[error("could not learn which partitions there are to read")]
    Topology(#[from] TopologyError),
    /// The client refuses its settings.
    #[error("could not make the Kafka client `{client}`")]
    Client {
        /// Which of ours.
        client: &'static str,
        /// The client's answer.
        #[source]
        source: KafkaError,
    },
    /// The operating system gives no thread.
    #[error("could not start the membership's thread")]
    Thread(#[from] std::io::Error),
}

/// A member of a group that owns lanes, and the reader of what they read.
pub struct KafkaInbox {
    topology: Topology,
    owned: OwnedLanes,
    ownership: Mutex<mpsc::UnboundedReceiver<Ownership>>,
    membership: Membership,
    reader: Reader,
    asker: Asker,
    /// Each lane's, and those that have yet to let go of their partitions.
    readings: std::sync::Mutex<HashMap<LaneId, Reading>>,
    positions: Arc<Positions>,
}

impl KafkaInbox {
    /// Reads the topology, then joins the group.
    ///
    /// # Errors
    /// [`StartInboxError`] when a topic is missing, the broker does not answer, or a setting is refused.
    pub async fn start(settings: &KafkaSettings, plan: InboxPlan) -> Result<Self, StartInboxError> {
        let topology = read_topology(settings, &plan.lane_topic, &plan.inputs).await?;
        let positions = Arc::new(Positions::new(&plan.group, &topology));
        let partitions = topology.partitions.values().map(|count| usize::try_from(*count).unwrap_or(0)).sum();
        let reader = Reader::new(settings, &plan.group, partitions, Some(Arc::clone(&positions)))
            .map_err(|source| StartInboxError::Client { client: "reader", source })?;
        let asker = Asker::new(settings).map_err(|source| StartInboxError::Client { client: "asker", source })?;
        let owned = OwnedLanes::default();
        let (events, ownership) = mpsc::unbounded_channel();
        let patience = Duration::from_millis(settings.hand_over_timeout_ms.into());
        let announcer = Announcer::new(&plan.group, owned.clone(), events, patience);
        let membership = Membership::join(
            settings,
            &plan.group,
            &plan.lane_topic,
            owned.clone(),
            announcer,
            Arc::clone(&positions),
        )?;
        let (ownership, readings) = (Mutex::new(ownership), std::sync::Mutex::default());
        Ok(Self { topology, owned, ownership, membership, reader, asker, readings, positions })
    }

    fn readings(&self) -> MutexGuard<'_, HashMap<LaneId, Reading>> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long ago the membership last turned to the broker. Minutes mean that its thread hangs: readiness fails.
    #[must_use]
    pub fn since_polled(&self) -> Duration {
        self.membership.since_polled()
    }

    /// How many records the membership was given although it reads nothing. Anything but 0 is a defect.
    #[must_use]
    pub fn strays(&self) -> u64 {
        self.membership.strays()
    }
}

#[async_trait]
impl Inbox for KafkaInbox {
    fn topology(&self) -> &Topology {
        &self.topology
    }

    async fn ownership(&self) -> Option<Ownership> {
        self.ownership.lock().await.recv().await
    }

    fn owns(&self, lane: LaneId) -> bool {
        self.owned.contains(lane)
    }

    async fn read(&self, lane: LaneId, from: &[(TopicPartition, i64)]) -> Result<Feed, InboxError> {
        let known: HashMap<&TopicPartition, i64> = from.iter().map(|(source, offset)| (source, *offset)).collect();
        let inputs = self.topology.inputs_of(lane);
        let from = inputs.into_iter().map(|source| {
            let offset = known.get(&source).copied();
            (source, offset)
        });
        let old = self.readings().remove(&lane);
        if let Some(old) = old {
            old.end().await;
        }
        let (feed, reading) = self.reader.read(from.collect()).await.map_err(|error| refused("read", &error))?;
        self.readings().insert(lane, reading);
        Ok(feed)
    }

    // The client takes a tenth of a second to let go of partitions, and whoever hands a lane over need not wait for it.
    async fn stop(&self, lane: LaneId) {
        if let Some(reading) = self.readings().get_mut(&lane) {
            reading.stop();
        }
    }

    async fn end_offsets(&self, lane: LaneId) -> Result<Vec<(TopicPartition, i64)>, InboxError> {
        self.asker
            .end_offsets(self.topology.inputs_of(lane))
            .await
            .map_err(|error| refused("say where partitions end", &error))
    }

    fn report(&self, offsets: Vec<(TopicPartition, i64)>) {
        self.positions.report(offsets);
    }

    async fn leave(&self) {
        self.membership.leave().await;
    }

    async fn close(&self) {
        self.leave().await;
        let readings = std::mem::take(&mut *self.readings());
        for (_, reading) in readings {
            reading.end().await;
        }
    }
}

fn refused(action: &'static str, error: &KafkaError) -> InboxError {
    InboxError::Broker { action, reason: error.to_string() }
}
