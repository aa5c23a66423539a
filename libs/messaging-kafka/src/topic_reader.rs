//! Reading topics from outside any group: for tools that look and for rebuilds. Separate from [`crate::KafkaInbox`]:
//! nothing is owned, claimed or reported.

use std::collections::BTreeMap;

use backstitch_messaging::{Delivery, Feed, FeedItem, TopicPartition};
use rdkafka::error::KafkaError;

use crate::{
    ends::Asker,
    reader::{Reader, Reading},
    settings::KafkaSettings,
    topology::{TopologyError, partition_counts},
};

/// Where to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadFrom {
    /// With the oldest record there is.
    Beginning,
    /// With whatever comes from now on.
    End,
    /// With the first record at or after this time, milliseconds since 1970.
    Time(i64),
    /// At these offsets; partitions not named are not read.
    Offsets(Vec<(TopicPartition, i64)>),
}

/// When to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadUntil {
    /// Where the topics ended when the reading began.
    EndAtStart,
    /// Never: new records are waited for.
    ForEver,
}

/// Why topics cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenTopicError {
    /// The cluster does not answer.
    #[error("could not learn which partitions there are to read")]
    Topology(#[from] TopologyError),
    /// There is no such topic.
    #[error("no topic `{topic}`")]
    Missing {
        /// Its name.
        topic: String,
    },
    /// The client or cluster refuses.
    #[error("could not {action}")]
    Kafka {
        /// What was asked.
        action: &'static str,
        /// The answer.
        #[source]
        source: KafkaError,
    },
}

/// The records of some topics, in the order of each partition.
pub struct TopicReader {
    feed: Feed,
    pending: std::vec::IntoIter<FeedItem>,
    /// Where each partition ends for us; those done are gone. `None` reads for ever.
    ends: Option<BTreeMap<TopicPartition, i64>>,
    // Held so that it goes on.
    _reading: Reading,
    _reader: Reader,
}

impl TopicReader {
    /// Begins to read.
    ///
    /// # Errors
    /// [`OpenTopicError`] if a topic is missing or the cluster does not answer.
    pub async fn open(
        settings: &KafkaSettings,
        topics: &[&str],
        from: ReadFrom,
        until: ReadUntil,
    ) -> Result<Self, OpenTopicError> {
        let partitions = partitions(settings, topics, &from).await?;
        let kafka = |action| move |source| OpenTopicError::Kafka { action, source };
        let group = format!("{}-tools", settings.client_id);
        let reader = Reader::new(settings, &group, partitions.len(), None).map_err(kafka("make a client"))?;
        let asker = Asker::new(settings).map_err(kafka("make a client"))?;
        let ends = asker.end_offsets(partitions.clone()).await.map_err(kafka("say where the topics end"))?;
        let begin: Vec<(TopicPartition, Option<i64>)> = match from {
            ReadFrom::Beginning => partitions.into_iter().map(|source| (source, None)).collect(),
            ReadFrom::End => ends.iter().map(|(source, end)| (source.clone(), Some(*end))).collect(),
            ReadFrom::Offsets(offsets) => offsets.into_iter().map(|(source, at)| (source, Some(at))).collect(),
            ReadFrom::Time(millis) => {
                let found = asker.offsets_at(partitions, millis).await.map_err(kafka("look up the time"))?;
                found.into_iter().map(|(source, at)| (source, Some(at))).collect()
            }
        };
        let ends = (until == ReadUntil::EndAtStart).then(|| unread(ends, &begin));
        let (feed, reading) = reader.read(begin).await.map_err(kafka("read the topics"))?;
        Ok(Self { feed, pending: Vec::new().into_iter(), ends, _reading: reading, _reader: reader })
    }

    /// The next record; `None` at the end.
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            if self.ends.as_ref().is_some_and(BTreeMap::is_empty) {
                return None;
            }
            match self.pending.next() {
                Some(FeedItem::Delivery(delivery)) => {
                    if self.reached(&delivery.source, delivery.offset) {
                        return Some(delivery);
                    }
                }
                Some(FeedItem::CaughtUp { source, offset }) => {
                    self.passed(&source, offset);
                }
                None => self.pending = self.feed.recv().await?.into_iter(),
            }
        }
    }

    /// Notes a record; whether it is still one of those asked for.
    fn reached(&mut self, source: &TopicPartition, offset: i64) -> bool {
        let Some(ends) = &self.ends else { return true };
        let wanted = ends.get(source).is_some_and(|end| offset < *end);
        self.passed(source, offset + 1);
        wanted
    }

    fn passed(&mut self, source: &TopicPartition, next: i64) {
        if let Some(ends) = &mut self.ends
            && ends.get(source).is_some_and(|end| next >= *end)
        {
            ends.remove(source);
        }
    }
}

async fn partitions(
    settings: &KafkaSettings,
    topics: &[&str],
    from: &ReadFrom,
) -> Result<Vec<TopicPartition>, OpenTopicError> {
    if let ReadFrom::Offsets(offsets) = from {
        return Ok(offsets.iter().map(|(source, _)| source.clone()).collect());
    }
    let counts = partition_counts(settings).await?;
    let mut partitions = Vec::new();
    for topic in topics {
        let count = counts.get(*topic).ok_or_else(|| OpenTopicError::Missing { topic: (*topic).to_owned() })?;
        partitions.extend((0..*count).map(|partition| TopicPartition::new(*topic, partition)));
    }
    Ok(partitions)
}

/// The ends of the partitions that have anything before them. A topic that never had a record ends at 0.
fn unread(ends: Vec<(TopicPartition, i64)>, begin: &[(TopicPartition, Option<i64>)]) -> BTreeMap<TopicPartition, i64> {
    let begin: BTreeMap<&TopicPartition, i64> = begin.iter().map(|(source, at)| (source, at.unwrap_or(0))).collect();
    let unread = |source: &TopicPartition, end: i64| begin.get(source).is_some_and(|at| *at < end);
    ends.into_iter().filter(|(source, end)| unread(source, *end)).collect()
}
