//! Which partitions there are. Separate, because it is asked once, before anything is read, and a missing topic is the
//! commonest mistake of a first deployment: it must say so in words.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use backstitch_messaging::Topology;
use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    metadata::Metadata,
};

use crate::{
    client_log,
    reader::blocking,
    settings::{ClientKind, KafkaSettings},
};

const PATIENCE: Duration = Duration::from_secs(10);
/// How long the client's events are listened to after a failure. Not zero: then a single log line ends the listening.
const EVENTS_PATIENCE: Duration = Duration::from_millis(100);

/// Why the partitions are not known.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// The cluster answered: these topics do not exist, or are not shown to us.
    #[error(
        "no topic `{}` at {bootstrap}; create what is missing with `sagactl topics create`, \
         or with `kafka-topics.sh --create --topic {} --partitions N`",
        topics.join("`, `"), topics.first().map_or("NAME", String::as_str)
    )]
    MissingTopics {
        /// Where we asked.
        bootstrap: String,
        /// What is not there.
        topics: Vec<String>,
    },
    /// The client refuses its settings.
    #[error("the Kafka client refuses its settings")]
    Settings {
        /// The client's words.
        #[source]
        source: KafkaError,
    },
    /// The cluster does not answer.
    #[error("no answer from Kafka at {bootstrap}: {reason}")]
    Unreachable {
        /// Where we asked.
        bootstrap: String,
        /// What the client last said of its connections, such as a refused password.
        reason: String,
        /// The client's answer.
        #[source]
        source: Box<KafkaError>,
    },
}

/// Partition counts of every topic in the cluster that is visible to us.
///
/// # Errors
/// [`TopologyError`] if the cluster does not answer or the client refuses its settings.
pub async fn partition_counts(settings: &KafkaSettings) -> Result<BTreeMap<String, i32>, TopologyError> {
    let config = settings.finish(ClientKind::Asker, settings.base());
    let bootstrap = settings.bootstrap.clone();
    let answer = blocking(move || {
        // A consumer without a group can ask and nothing else.
        let consumer: BaseConsumer<LastWords> =
            config.create_with_context(LastWords::default()).map_err(|source| TopologyError::Settings { source })?;
        let metadata = consumer.fetch_metadata(None, PATIENCE).map_err(|source| {
            // The why of it waits among the client's events.
            while consumer.poll(EVENTS_PATIENCE).is_some() {}
            let reason = consumer.context().get().unwrap_or_else(|| "it does not say why".to_owned());
            TopologyError::Unreachable { bootstrap: bootstrap.clone(), reason, source: source.into() }
        })?;
        Ok(counts(&metadata))
    });
    let asked = answer.await;
    asked.unwrap_or_else(|source| {
        let (bootstrap, reason) = (settings.bootstrap.clone(), "the question was broken off".to_owned());
        Err(TopologyError::Unreachable { bootstrap, reason, source: source.into() })
    })
}

/// Logs like the others, and remembers the latest error.
#[derive(Default)]
struct LastWords(Mutex<Option<String>>);

impl LastWords {
    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for LastWords {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::line(level, facility, message);
    }

    fn error(&self, cause: KafkaError, reason: &str) {
        client_log::error(&cause, reason);
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // That all brokers are down follows from the reason and does not tell it.
        if last.is_none() || cause != KafkaError::Global(RDKafkaErrorCode::AllBrokersDown) {
            *last = Some(reason.to_owned());
        }
    }
}

impl ConsumerContext for LastWords {}

fn counts(metadata: &Metadata) -> BTreeMap<String, i32> {
    let existing = metadata.topics().iter().filter(|topic| !topic.partitions().is_empty());
    existing
        .map(|topic| (topic.name().to_owned(), i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX)))
        .collect()
}

pub(crate) async fn read_topology(
    settings: &KafkaSettings,
    lane_topic: &str,
    inputs: &[String],
) -> Result<Topology, TopologyError> {
    let there = partition_counts(settings).await?;
    let wanted = || std::iter::once(lane_topic).chain(inputs.iter().map(String::as_str));
    let missing: Vec<String> = wanted().filter(|topic| !there.contains_key(*topic)).map(ToOwned::to_owned).collect();
    if !missing.is_empty() {
        return Err(TopologyError::MissingTopics { bootstrap: settings.bootstrap.clone(), topics: missing });
    }
    let partitions = there.into_iter().filter(|(topic, _)| wanted().any(|name| name == topic)).collect();
    Ok(Topology { lane_topic: lane_topic.to_owned(), partitions })
}
