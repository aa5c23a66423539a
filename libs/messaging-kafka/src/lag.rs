//! How far the lanes have come, and how far that is behind. Separate, because three parties share it: who reports
//! positions, the member that commits them, and the reader whose statistics carry the ends.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use backstitch_messaging::{LaneId, TopicPartition, Topology};
use rdkafka::Statistics;

use crate::ownership::OwnedLanes;

/// The positions reported so far.
#[derive(Debug)]
pub(crate) struct Positions {
    group: String,
    lanes: i32,
    reported: Mutex<Reported>,
}

#[derive(Debug, Default)]
struct Reported {
    positions: BTreeMap<TopicPartition, i64>,
    uncommitted: BTreeSet<TopicPartition>,
}

impl Positions {
    pub(crate) fn new(group: &str, topology: &Topology) -> Self {
        Self { group: group.to_owned(), lanes: topology.lanes().max(1), reported: Mutex::default() }
    }

    pub(crate) fn report(&self, offsets: Vec<(TopicPartition, i64)>) {
        self.with(|reported| {
            for (source, offset) in offsets {
                if reported.positions.insert(source.clone(), offset) != Some(offset) {
                    reported.uncommitted.insert(source);
                }
            }
        });
    }

    /// What changed since the last call in lanes that are still ours. The rest is forgotten: its new owner reports it.
    pub(crate) fn take_uncommitted(&self, owned: &OwnedLanes) -> Vec<(TopicPartition, i64)> {
        self.with(|reported| {
            let ours = |source: &TopicPartition| owned.contains(LaneId(source.partition % self.lanes));
            reported.positions.retain(|source, _| {
                let kept = ours(source);
                if !kept {
                    // Else the last figure would stand, and alarm, for ever.
                    self.gauge(source).set(0);
                }
                kept
            });
            let changed = std::mem::take(&mut reported.uncommitted);
            changed.into_iter().filter_map(|source| reported.positions.get(&source).map(|at| (source, *at))).collect()
        })
    }

    /// Sets the lag gauges from the reader's statistics.
    pub(crate) fn observe(&self, statistics: &Statistics) {
        self.with(|reported| {
            for (source, position) in &reported.positions {
                let partitions = statistics.topics.get(&*source.topic).map(|topic| &topic.partitions);
                let Some(partition) = partitions.and_then(|partitions| partitions.get(&source.partition)) else {
                    continue;
                };
                // Unknown ends are negative.
                if partition.hi_offset >= 0 {
                    let lag = u32::try_from(partition.hi_offset.saturating_sub(*position).max(0)).unwrap_or(u32::MAX);
                    self.gauge(source).set(lag);
                }
            }
        });
    }

    fn gauge(&self, source: &TopicPartition) -> metrics::Gauge {
        let labels = [
            ("group", self.group.clone()),
            ("topic", source.topic.to_string()),
            ("partition", source.partition.to_string()),
        ];
        metrics::gauge!("kafka_consumer_lag_records", &labels)
    }

    fn with<T>(&self, f: impl FnOnce(&mut Reported) -> T) -> T {
        f(&mut self.reported.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ownership::Announcer;

    #[test]
    fn a_position_is_committed_once_and_only_while_its_lane_is_ours() {
        let topology = Topology { lane_topic: "lanes".into(), partitions: [("lanes".to_owned(), 2)].into() };
        let positions = Positions::new("group", &topology);
        let owned = OwnedLanes::default();
        let (events, _seen) = tokio::sync::mpsc::unbounded_channel();
        Announcer::new("group", owned.clone(), events, Duration::ZERO).gained([LaneId(1)]);
        let ours = (TopicPartition::new("orders", 3), 7);
        let theirs = (TopicPartition::new("orders", 2), 9);
        positions.report(vec![ours.clone(), theirs]);
        assert_eq!(positions.take_uncommitted(&owned), std::slice::from_ref(&ours));
        positions.report(vec![ours]);
        assert_eq!(positions.take_uncommitted(&owned), []);
    }
}
