//! Topics as vectors. Separate from the groups, which only know lanes.

use std::collections::BTreeMap;

use crate::{Delivery, FeedItem, Record, TopicPartition, partition_for};

#[derive(Default)]
pub(crate) struct Log {
    topics: BTreeMap<String, Vec<Vec<Entry>>>,
    keyless: usize,
}

enum Entry {
    Record(Delivery),
    Control,
}

impl Log {
    pub(crate) fn create(&mut self, topic: &str, partitions: i32) {
        let count = usize::try_from(partitions).unwrap_or(0);
        self.topics.entry(topic.to_owned()).or_insert_with(|| (0..count).map(|_| Vec::new()).collect());
    }

    pub(crate) fn partitions(&self, topic: &str) -> Option<i32> {
        self.topics.get(topic).map(|partitions| i32::try_from(partitions.len()).unwrap_or(i32::MAX))
    }

    /// Appends; says what is wrong with the record if it cannot.
    pub(crate) fn append(&mut self, record: &Record) -> Result<(), String> {
        let count = self.partitions(&record.topic).ok_or("unknown topic")?;
        let partition = match (record.partition, &record.key) {
            (Some(partition), _) => partition,
            (None, Some(key)) => partition_for(key, count),
            (None, None) => {
                self.keyless = self.keyless.wrapping_add(1);
                i32::try_from(self.keyless % usize::try_from(count.max(1)).unwrap_or(1)).unwrap_or(0)
            }
        };
        let at = TopicPartition::new(record.topic.as_str(), partition);
        let entries = self.entries_mut(&at).ok_or("unknown partition")?;
        let delivery = Delivery {
            source: at,
            offset: offset(entries.len()),
            timestamp_millis: None,
            key: record.key.clone(),
            value: record.value.clone(),
            headers: record.headers.clone(),
        };
        entries.push(Entry::Record(delivery));
        Ok(())
    }

    pub(crate) fn append_control(&mut self, at: &TopicPartition) {
        if let Some(entries) = self.entries_mut(at) {
            entries.push(Entry::Control);
        }
    }

    pub(crate) fn records(&self, topic: &str) -> Vec<Delivery> {
        let entries = self.topics.get(topic).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| if let Entry::Record(delivery) = entry { Some(delivery.clone()) } else { None })
            .collect()
    }

    pub(crate) fn end(&self, at: &TopicPartition) -> i64 {
        self.entries(at).map_or(0, |entries| offset(entries.len()))
    }

    /// Up to `max` offsets' worth of items from `from` on, and the offset that follows them.
    pub(crate) fn read(&self, at: &TopicPartition, from: i64, max: usize) -> (Vec<FeedItem>, i64) {
        let entries = self.entries(at).unwrap_or_default();
        let start = usize::try_from(from).unwrap_or(0).min(entries.len());
        let taken = &entries[start..(start + max).min(entries.len())];
        let items = taken.iter().filter_map(|entry| match entry {
            Entry::Record(delivery) => Some(FeedItem::Delivery(delivery.clone())),
            Entry::Control => None,
        });
        (items.collect(), offset(start + taken.len()))
    }

    fn entries(&self, at: &TopicPartition) -> Option<&[Entry]> {
        let partition = usize::try_from(at.partition).ok()?;
        self.topics.get(&*at.topic)?.get(partition).map(Vec::as_slice)
    }

    fn entries_mut(&mut self, at: &TopicPartition) -> Option<&mut Vec<Entry>> {
        let partition = usize::try_from(at.partition).ok()?;
        self.topics.get_mut(&*at.topic)?.get_mut(partition)
    }
}

fn offset(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}
