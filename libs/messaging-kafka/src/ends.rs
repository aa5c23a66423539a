//! Where partitions end just now. Separate, because the inbox and the tools both ask, and the answer must be the
//! broker's and not something the client remembers.

use std::{sync::Arc, time::Duration};

use backstitch_messaging::TopicPartition;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, KafkaResult},
};

use crate::{
    client_log::LogOnly,
    reader::blocking,
    settings::{ClientKind, KafkaSettings},
};

/// The timestamp by which Kafka's ListOffsets means "the end".
const LATEST: i64 = -1;
/// How long the broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A client that only asks. Not the reader, whose every question would wait behind a fetch that the broker is holding
/// on the same connection: half a second instead of one millisecond.
#[derive(Clone)]
pub(crate) struct Asker(Arc<BaseConsumer<LogOnly>>);

impl Asker {
    pub(crate) fn new(settings: &KafkaSettings) -> KafkaResult<Self> {
        Ok(Self(Arc::new(settings.finish(ClientKind::Asker, settings.base()).create_with_context(LogOnly)?)))
    }

    /// The end offsets, by one request to each broker.
    pub(crate) async fn end_offsets(&self, of: Vec<TopicPartition>) -> KafkaResult<Vec<(TopicPartition, i64)>> {
        self.offsets_at(of, LATEST).await
    }

    /// The first offsets at or after a time in milliseconds since 1970; the end where there is none.
    pub(crate) async fn offsets_at(
        &self,
        of: Vec<TopicPartition>,
        millis: i64,
    ) -> KafkaResult<Vec<(TopicPartition, i64)>> {
        let consumer = Arc::clone(&self.0);
        blocking(move || {
            let answer = ask(&consumer, &of, millis);
            // Serves an event or two of those that nobody else polls for: lost connections, which are few.
            while consumer.poll(Duration::ZERO).is_some() {}
            answer
        })
        .await?
    }
}

fn ask(
    consumer: &BaseConsumer<LogOnly>,
    of: &[TopicPartition],
    millis: i64,
) -> KafkaResult<Vec<(TopicPartition, i64)>> {
    if of.is_empty() {
        return Ok(Vec::new());
    }
    let mut list = TopicPartitionList::new();
    for source in of {
        list.add_partition_offset(&source.topic, source.partition, Offset::from_raw(millis))?;
    }
    let answer = consumer.offsets_for_times(list, PATIENCE)?;
    of.iter()
        .map(|source| {
            let element = answer.find_partition(&source.topic, source.partition);
            let element = element.ok_or_else(|| KafkaError::Subscription(format!("no answer for {source}")))?;
            element.error()?;
            match element.offset() {
                Offset::Offset(offset) => Ok((source.clone(), offset)),
                // Nothing at or after that time: the end.
                _ => consumer
                    .fetch_watermarks(&source.topic, source.partition, PATIENCE)
                    .map(|(_, end)| (source.clone(), end)),
            }
        })
        .collect()
}
