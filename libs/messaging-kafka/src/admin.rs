//! Making topics, once, before anything runs. Separate from the clients that run for ever: those never create a topic.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rdkafka::{
    admin::{
        AdminClient, AdminOptions, ConfigResource, NewTopic, OwnedResourceSpecifier, ResourceSpecifier,
        TopicReplication,
    },
    client::DefaultClientContext,
    error::{KafkaError, RDKafkaErrorCode},
};
use serde::{Deserialize, Serialize};

use crate::{
    settings::{ClientKind, KafkaSettings},
    topology::{TopologyError, partition_counts},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// A topic as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// How many replicas; -1 leaves it to the broker.
    pub replication: i32,
    /// Settings that differ from the broker's.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
}

/// What was found or done for one topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TopicState {
    /// It was not there and is now.
    Created,
    /// It was there as it should be.
    Existing,
    /// It was there and differs; nothing was changed.
    Mismatch {
        /// Each in words: what it is, and what it should be.
        differences: Vec<String>,
    },
}

/// Why topics could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EnsureTopicsError {
    /// The cluster does not answer.
    #[error("could not look up the topics")]
    LookUp(#[from] TopologyError),
    /// The client or the cluster refuses the whole request.
    #[error("could not ask Kafka to {action}")]
    Request {
        /// What for.
        action: &'static str,
        /// The client's answer.
        #[source]
        source: KafkaError,
    },
    /// The cluster refuses one topic.
    #[error("Kafka refuses to make topic `{topic}`")]
    Topic {
        /// Which.
        topic: String,
        /// The cluster's answer.
        #[source]
        source: RDKafkaErrorCode,
    },
}

/// Makes the topics that are missing, all in one request, and compares the others with what they should be.
///
/// # Errors
/// [`EnsureTopicsError`]; a topic that differs is no error but a [`TopicState::Mismatch`].
pub async fn ensure_topics(
    settings: &KafkaSettings,
    specs: &[TopicSpec],
) -> Result<Vec<(String, TopicState)>, EnsureTopicsError> {
    let there = partition_counts(settings).await?;
    let admin: AdminClient<DefaultClientContext> = settings
        .finish(ClientKind::Asker, settings.base())
        .create()
        .map_err(|source| EnsureTopicsError::Request { action: "accept an admin client", source })?;
    let missing: Vec<&TopicSpec> = specs.iter().filter(|spec| !there.contains_key(&spec.name)).collect();
    let mut existing: BTreeSet<&str> =
        specs.iter().map(|spec| spec.name.as_str()).filter(|name| there.contains_key(*name)).collect();
    let overtaken = create(&admin, &missing).await?;
    existing.extend(missing.iter().map(|spec| spec.name.as_str()).filter(|name| overtaken.contains(*name)));
    let there = if overtaken.is_empty() { there } else { partition_counts(settings).await? };
    let configs = configs(&admin, &existing).await?;
    let state = |spec: &TopicSpec| {
        if !existing.contains(spec.name.as_str()) {
            return TopicState::Created;
        }
        let differences = differences(spec, there.get(&spec.name).copied(), configs.get(&spec.name));
        if differences.is_empty() { TopicState::Existing } else { TopicState::Mismatch { differences } }
    };
    Ok(specs.iter().map(|spec| (spec.name.clone(), state(spec))).collect())
}

fn options() -> AdminOptions {
    // The answer comes once all brokers know the topic, so that a reader may start at once.
    AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
}

/// Creates them; the names of those that somebody else created meanwhile.
async fn create(
    admin: &AdminClient<DefaultClientContext>,
    specs: &[&TopicSpec],
) -> Result<BTreeSet<String>, EnsureTopicsError> {
    if specs.is_empty() {
        return Ok(BTreeSet::new());
    }
    let topics: Vec<NewTopic<'_>> = specs.iter().map(|spec| new_topic(spec)).collect();
    let answers = admin
        .create_topics(&topics, &options())
        .await
        .map_err(|source| EnsureTopicsError::Request { action: "make topics", source })?;
    let mut overtaken = BTreeSet::new();
    for answer in answers {
        match answer {
            Ok(_) => {}
            Err((topic, RDKafkaErrorCode::TopicAlreadyExists)) => {
                overtaken.insert(topic);
            }
            Err((topic, source)) => return Err(EnsureTopicsError::Topic { topic, source }),
        }
    }
    Ok(overtaken)
}

fn new_topic(spec: &TopicSpec) -> NewTopic<'_> {
    let topic = NewTopic::new(&spec.name, spec.partitions, TopicReplication::Fixed(spec.replication));
    spec.config.iter().fold(topic, |topic, (name, value)| topic.set(name, value))
}

async fn configs(
    admin: &AdminClient<DefaultClientContext>,
    topics: &BTreeSet<&str>,
) -> Result<BTreeMap<String, ConfigResource>, EnsureTopicsError> {
    if topics.is_empty() {
        return Ok(BTreeMap::new());
    }
    let of: Vec<ResourceSpecifier<'_>> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let answers = admin
        .describe_configs(&of, &options)
        .await
        .map_err(|source| EnsureTopicsError::Request { action: "describe topics", source })?;
    let named = |resource: ConfigResource| match &resource.specifier {
        OwnedResourceSpecifier::Topic(name) => Some((name.clone(), resource)),
        _ => None,
    };
    Ok(answers.into_iter().filter_map(Result::ok).filter_map(named).collect())
}

fn differences(spec: &TopicSpec, partitions: Option<i32>, config: Option<&ConfigResource>) -> Vec<String> {
    let mut differences = Vec::new();
    if partitions != Some(spec.partitions) {
        let found = partitions.map_or("unknown".to_owned(), |count| count.to_string());
        differences.push(format!("partitions is {found}, should be {}", spec.partitions));
    }
    let found = config.map(ConfigResource::entry_map).unwrap_or_default();
    for (name, wanted) in &spec.config {
        let value = found.get(name.as_str()).and_then(|entry| entry.value.as_deref());
        if value != Some(wanted.as_str()) {
            differences.push(format!("{name} is {}, should be {wanted}", value.unwrap_or("unknown")));
        }
    }
    differences
}
