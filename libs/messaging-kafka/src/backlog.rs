//! How far the consumers of a topic have come, asked from outside, whoever they are. Separate from the lag of our own
//! lanes, which their members know by themselves: this is for who sends, and sees only the broker.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use backstitch_messaging::TopicPartition;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, KafkaResult},
};

use crate::{
    client_log::LogOnly,
    ends::Asker,
    reader::blocking,
    settings::{ClientKind, KafkaSettings},
};

/// How long the broker may take for each answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many looks pass before the groups are listed anew.
const LIST_EVERY: u32 = 15;

/// How far the group that is furthest behind has come with one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// The group.
    pub group: String,
    /// Sum of the partitions' ends.
    pub end: i64,
    /// Sum of the positions it has committed; what it has never committed counts from 0.
    pub read: i64,
}

impl Backlog {
    /// Records that it has not read.
    #[must_use]
    pub const fn records(&self) -> i64 {
        let behind = self.end - self.read;
        if behind < 0 { 0 } else { behind }
    }
}

/// Why it cannot be said.
#[derive(Debug, thiserror::Error)]
#[error("could not learn how far consumers have come")]
pub struct BacklogError(#[from] KafkaError);

/// Asks the broker for backlogs. Cheap to ask again: it knows which groups read the topics.
pub struct Backlogs {
    settings: KafkaSettings,
    asker: Asker,
    known: Arc<Mutex<Known>>,
}

/// A client for each group: it may only ask for the positions of the group it is configured with, and never joins.
#[derive(Default)]
struct Known {
    groups: HashMap<String, Client>,
    idle: BTreeSet<String>,
    looks: u32,
}

type Client = Arc<BaseConsumer<LogOnly>>;
/// Committed positions by group.
type Positions = BTreeMap<String, Vec<(TopicPartition, i64)>>;

impl Backlogs {
    /// Connects.
    ///
    /// # Errors
    /// If the client refuses the settings.
    pub fn new(settings: &KafkaSettings) -> Result<Self, BacklogError> {
        Ok(Self { settings: settings.clone(), asker: Asker::new(settings)?, known: Arc::default() })
    }

    /// The backlog of each of these topics that any group has read from.
    ///
    /// # Errors
    /// If the broker does not answer.
    pub async fn look(&self, topics: &BTreeSet<String>) -> Result<BTreeMap<String, Backlog>, BacklogError> {
        let (settings, known, topics) = (self.settings.clone(), Arc::clone(&self.known), topics.clone());
        let (partitions, positions) = blocking(move || {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.positions(&settings, &topics)
        })
        .await??;
        let ends = self.asker.end_offsets(partitions).await?;
        Ok(backlogs(&ends.into_iter().collect(), &positions))
    }
}

impl Known {
    fn positions(
        &mut self,
        settings: &KafkaSettings,
        topics: &BTreeSet<String>,
    ) -> KafkaResult<(Vec<TopicPartition>, Positions)> {
        let client = |group: Option<&str>| -> KafkaResult<Client> {
            let mut config = settings.base();
            if let Some(group) = group {
                config.set("group.id", group);
            }
            Ok(Arc::new(settings.finish(ClientKind::Asker, config).create_with_context(LogOnly)?))
        };
        let one = match self.groups.values().next() {
            Some(one) => Arc::clone(one),
            None => client(None)?,
        };
        if self.looks.is_multiple_of(LIST_EVERY) {
            let listed = one.fetch_group_list(None, PATIENCE)?;
            let names: BTreeSet<String> = listed.groups().iter().map(|group| group.name().to_owned()).collect();
            self.groups.retain(|name, _| names.contains(name));
            self.idle.clear();
            for name in names.into_iter().filter(|name| !name.is_empty()) {
                if !self.groups.contains_key(&name) {
                    self.groups.insert(name.clone(), client(Some(&name))?);
                }
            }
        }
        self.looks = self.looks.wrapping_add(1);
        let partitions = partitions(&one, topics)?;
        let mut positions = Positions::new();
        for (name, client) in &self.groups {
            let committed = committed(client, &partitions)?;
            // Serves the few events that nobody else polls for.
            while client.poll(Duration::ZERO).is_some() {}
            if committed.is_empty() {
                self.idle.insert(name.clone());
            } else {
                positions.insert(name.clone(), committed);
            }
        }
        self.groups.retain(|name, _| !self.idle.contains(name));
        Ok((partitions, positions))
    }
}

fn partitions(client: &Client, topics: &BTreeSet<String>) -> KafkaResult<Vec<TopicPartition>> {
    let metadata = client.fetch_metadata(None, PATIENCE)?;
    let wanted = metadata.topics().iter().filter(|topic| topics.contains(topic.name()));
    let of = |topic: &rdkafka::metadata::MetadataTopic| {
        let name = topic.name().to_owned();
        let ids: Vec<i32> = topic.partitions().iter().map(rdkafka::metadata::MetadataPartition::id).collect();
        ids.into_iter().map(move |id| TopicPartition::new(&*name, id))
    };
    Ok(wanted.flat_map(of).collect())
}

fn committed(client: &Client, partitions: &[TopicPartition]) -> KafkaResult<Vec<(TopicPartition, i64)>> {
    let mut list = TopicPartitionList::new();
    for source in partitions {
        list.add_partition(&source.topic, source.partition);
    }
    let answer = client.committed_offsets(list, PATIENCE)?;
    let position = |source: &TopicPartition| match answer.find_partition(&source.topic, source.partition)?.offset() {
        Offset::Offset(offset) => Some((source.clone(), offset)),
        _ => None,
    };
    Ok(partitions.iter().filter_map(position).collect())
}

/// Of each topic that any group reads, the one furthest behind.
fn backlogs(ends: &BTreeMap<TopicPartition, i64>, positions: &Positions) -> BTreeMap<String, Backlog> {
    let mut found: BTreeMap<String, Backlog> = BTreeMap::new();
    for (group, committed) in positions {
        let mut read: BTreeMap<&str, i64> = BTreeMap::new();
        for (source, offset) in committed {
            *read.entry(&source.topic).or_default() += offset;
        }
        for (topic, read) in read {
            let end = ends.iter().filter(|(source, _)| *source.topic == *topic).map(|(_, end)| end).sum();
            let backlog = Backlog { group: group.clone(), end, read };
            let behind = found.get(topic).is_none_or(|other| other.records() < backlog.records());
            if behind {
                found.insert(topic.to_owned(), backlog);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_topic_with_several_groups_the_one_furthest_behind_is_told() {
        let at = |topic: &str, partition, offset| (TopicPartition::new(topic, partition), offset);
        let ends = [at("a.commands", 0, 10), at("a.commands", 1, 20), at("b.commands", 0, 5)].into();
        let positions = [
            ("audit".to_owned(), vec![at("a.commands", 0, 10)]),
            ("a".to_owned(), vec![at("a.commands", 0, 9), at("a.commands", 1, 19)]),
        ]
        .into();
        let found = backlogs(&ends, &positions);
        let furthest = Backlog { group: "audit".to_owned(), end: 30, read: 10 };
        assert_eq!(found, [("a.commands".to_owned(), furthest)].into());
        assert_eq!(found["a.commands"].records(), 20);
    }
}
