//! The contract that every broker holds, under both of Kafka's group protocols.

use crate::{broker::Kafka, broker_contract, suite, whole_broker_contract};

whole_broker_contract!(Kafka::new());

/// All but the killed member: under KIP-848 the broker keeps its lanes for 45 seconds.
mod kip_848 {
    use crate::{broker::Kafka, broker_contract, suite};

    broker_contract! { Kafka::with_consumer_protocol();
        ownership::one_member_owns_every_lane,
        ownership::a_second_member_gets_lanes_only_once_they_are_handed_over,
        ownership::a_lane_that_stays_is_not_disturbed_by_a_second_member,
        ownership::a_member_that_leaves_gives_all_its_lanes_away,
    }
}
