//! Lanes: the unit of ownership, state and order. Separate, because both the broker side and the database side name them.

use std::collections::BTreeMap;

use crate::{TopicPartition, partition_for};

/// A lane's number, which is a partition number of the lane topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneId(pub i32);

impl std::fmt::Display for LaneId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Which topics a processor reads, and how many partitions each has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// The topic whose assignment is the ownership of lanes, and where foreign inputs are forwarded.
    pub lane_topic: String,
    /// Partition counts of all topics read, the lane topic included.
    pub partitions: BTreeMap<String, i32>,
}

impl Topology {
    /// How many lanes there are: the partitions of the lane topic.
    #[must_use]
    pub fn lanes(&self) -> i32 {
        self.partitions.get(&self.lane_topic).copied().unwrap_or(0)
    }

    /// Partition `q` of every input topic belongs to lane `q mod lanes`.
    #[must_use]
    pub fn inputs_of(&self, lane: LaneId) -> Vec<TopicPartition> {
        let lanes = self.lanes().max(1);
        self.partitions
            .iter()
            .flat_map(|(topic, count)| {
                (0..*count)
                    .filter(move |partition| partition % lanes == lane.0)
                    .map(|partition| TopicPartition::new(topic.as_str(), partition))
            })
            .collect()
    }

    /// The only lane that decides for `key`.
    #[must_use]
    pub fn home(&self, key: &str) -> LaneId {
        LaneId(partition_for(key.as_bytes(), self.lanes().max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_of_other_sizes_share_the_lanes_out() {
        let topology = Topology {
            lane_topic: "saga.inputs".into(),
            partitions: [("saga.inputs".to_owned(), 2), ("orders.events".to_owned(), 5)].into(),
        };
        let of = |lane| topology.inputs_of(LaneId(lane)).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(of(0), ["orders.events/0", "orders.events/2", "orders.events/4", "saga.inputs/0"]);
        assert_eq!(of(1), ["orders.events/1", "orders.events/3", "saga.inputs/1"]);
    }
}
