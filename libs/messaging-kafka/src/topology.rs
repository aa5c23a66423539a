//! Which partitions there are. Separate, because it is asked once, before anything is read, and a missing topic is the
//! commonest mistake of a first deployment: it must say so in words.

use std::{collections::BTreeMap, time::Duration};

use backstitch_messaging::Topology;
use rdkafka::{
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    metadata::Metadata,
};

use crate::{
    client_log::LogOnly,
    reader::blocking,
    settings::{ClientKind, KafkaSettings},
};

const PATIENCE: Duration = Duration::from_secs(10);

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
    #[error("no answer from Kafka at {bootstrap}")]
    Unreachable {
        /// Where we asked.
        bootstrap: String,
        /// The client's answer.
        #[source]
        source: KafkaError,
    },
}

/// Partition counts of every topic in the cluster that is visible to us.
///
/// # Errors
/// [`TopologyError`] if the cluster does not answer or the client refuses its settings.
pub async fn partition_counts(settings: &KafkaSettings) -> Result<BTreeMap<String, i32>, TopologyError> {
    let config = settings.finish(ClientKind::Asker, settings.base());
    let answer = blocking(move || {
        // A consumer without a group can ask and nothing else.
        let consumer: BaseConsumer<LogOnly> = config.create_with_context(LogOnly)?;
        let metadata = consumer.fetch_metadata(None, PATIENCE)?;
        Ok(counts(&metadata))
    });
    answer
        .await
        .and_then(|counts| counts)
        .map_err(|source| TopologyError::Unreachable { bootstrap: settings.bootstrap.clone(), source })
}

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
