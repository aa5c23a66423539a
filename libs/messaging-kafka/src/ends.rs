//! Where partitions end just now. Separate, because the inbox and the tools both ask, and the answer must be the
//! broker's and not something the client remembers.

use std::time::Duration;

use backstitch_messaging::TopicPartition;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, KafkaResult},
};

/// The timestamp by which Kafka's ListOffsets means "the end".
const LATEST: i64 = -1;

/// The end offsets, one request for each broker. Blocks.
pub(crate) fn end_offsets<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    of: &[TopicPartition],
    patience: Duration,
) -> KafkaResult<Vec<(TopicPartition, i64)>> {
    offsets_at(consumer, of, LATEST, patience)
}

/// The first offsets at or after a time in milliseconds since 1970; the end where there is none. Blocks.
pub(crate) fn offsets_at<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    of: &[TopicPartition],
    millis: i64,
    patience: Duration,
) -> KafkaResult<Vec<(TopicPartition, i64)>> {
    if of.is_empty() {
        return Ok(Vec::new());
    }
    let mut list = TopicPartitionList::new();
    for source in of {
        list.add_partition_offset(&source.topic, source.partition, Offset::from_raw(millis))?;
    }
    let answer = consumer.offsets_for_times(list, patience)?;
    of.iter()
        .map(|source| {
            let element = answer.find_partition(&source.topic, source.partition);
            let element = element.ok_or_else(|| KafkaError::Subscription(format!("no answer for {source}")))?;
            element.error()?;
            match element.offset() {
                Offset::Offset(offset) => Ok((source.clone(), offset)),
                // Nothing at or after that time: the end.
                _ => consumer
                    .fetch_watermarks(&source.topic, source.partition, patience)
                    .map(|(_, end)| (source.clone(), end)),
            }
        })
        .collect()
}
