//! What every broker must do, in words of the processor that relies on it. One suite over the in-memory and the real
//! broker, so that tests on the former mean something for the latter.

pub(crate) mod member;
pub(crate) mod ownership;
pub(crate) mod publishing;
pub(crate) mod reading;

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use backstitch_messaging::{Inbox, Publisher};

/// A broker under test.
#[async_trait]
pub(crate) trait TestBroker: Send + Sync {
    /// A new topic; its name begins with `base`.
    async fn topic(&self, base: &str, partitions: i32) -> String;
    /// Joins a group.
    async fn join(&self, group: &str, lane_topic: &str, inputs: &[&str]) -> Arc<dyn Inbox>;
    /// A producer.
    async fn publisher(&self) -> Arc<dyn Publisher>;
    /// Leaves a control record at the partition's end, as a transaction does.
    async fn control_record(&self, topic: &str, partition: i32);
    /// Joins a member that can be killed, and returns once it owns this many lanes.
    async fn doomed_member(&self, group: &str, lane_topic: &str, lanes: usize) -> Box<dyn Doomed>;
}

/// A member that will die without a word.
pub(crate) trait Doomed: Send {
    /// Kills it.
    fn kill(self: Box<Self>);
}

/// The condition must come about; how long is never the point, so this is long.
pub(crate) async fn soon<T>(what: &str, condition: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), condition).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within a minute"),
    }
}

/// Runs every scenario as a test of its own against the broker that the expression makes.
#[macro_export]
macro_rules! broker_contract {
    ($broker:expr; $($scenario:ident :: $name:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let broker = $broker.await;
                suite::$scenario::$name(&broker).await;
                broker.clean_up().await;
            }
        )+
    };
}

/// The whole suite.
#[macro_export]
macro_rules! whole_broker_contract {
    ($broker:expr) => {
        broker_contract! { $broker;
            publishing::records_of_one_key_keep_their_order_across_calls,
            publishing::a_key_goes_where_javas_partitioner_puts_it,
            publishing::a_record_for_an_unknown_topic_is_refused_by_name,
            publishing::bytes_headers_and_tombstones_arrive_as_they_were_sent,
            reading::a_lane_reads_its_share_of_topics_of_any_size,
            reading::reading_goes_on_where_it_is_told,
            reading::the_end_of_a_partition_is_marked_after_its_records,
            reading::the_end_lies_behind_control_records,
            reading::a_lane_that_falls_behind_does_not_hold_up_the_others,
            reading::a_lane_can_be_stopped_and_read_again,
            ownership::one_member_owns_every_lane,
            ownership::a_second_member_gets_lanes_only_once_they_are_handed_over,
            ownership::a_lane_that_stays_is_not_disturbed_by_a_second_member,
            ownership::a_member_that_leaves_gives_all_its_lanes_away,
            ownership::a_killed_members_lanes_move,
        }
    };
}
