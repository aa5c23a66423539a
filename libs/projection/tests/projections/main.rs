//! Projections on a real Postgres, from topics and from stores. The broker is the in-memory one, a FAKE, so that a rebalance or a zombie happens
//! exactly when a test says so; the real broker's turn comes in the system tests.
//!
//! Needs `POSTGRES_ADMIN_URL` (`source target/stack/env`); each test makes a database of its own.

// The lint's leave for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod harness;
mod rebuilds;
mod stores;
mod toy;

use backstitch_messaging::memory::Faults;
use backstitch_messaging::{Record, TopicPartition};

use harness::Bench;
use toy::TOPIC;

#[tokio::test(flavor = "multi_thread")]
async fn events_are_taken_in_once_and_in_order_though_members_come_and_go() {
    members_come_and_go(Bench::new(4).await).await;
}

pub(crate) async fn members_come_and_go(bench: Bench) {
    bench.broker.set_faults(Faults { delayed_batches: 200, ..Faults::default() });
    let (first, second) = (bench.member(), bench.member());
    bench.send_many(300).await;
    bench.until("something is counted", async || bench.counted().await > 0).await;
    first.kill();
    let third = bench.member();
    bench.send_many(300).await;
    second.stop().await;
    bench.until_counted(600).await;
    third.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zombie_that_reads_on_takes_nothing_in_twice() {
    let bench = Bench::new(2).await;
    let zombie = bench.member();
    bench.send_many(100).await;
    bench.until("something is counted", async || bench.counted().await > 0).await;
    zombie.becomes_a_zombie();
    let heir = bench.member();
    // Both read the same partitions now; the checkpoint lets one of them pass each place.
    bench.send_many(500).await;
    bench.until_counted(600).await;
    heir.stop().await;
    zombie.stop().await;
    bench.until_counted(600).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_taken_in_is_set_aside_with_its_reason_and_the_rest_goes_on() {
    let bench = Bench::new(1).await;
    for n in 0..60 {
        match n {
            10 => bench.send("key", "panic").await,
            20 => bench.send("key", "poison").await,
            30 => bench.send("key", "unfit").await,
            40 => bench.publish(Record::new(TOPIC, "key", b"no message".to_vec())).await,
            _ => bench.send("key", "count").await,
        }
    }
    let member = bench.member();
    bench.until_counted(56).await;
    let skipped = bench.skipped().await;
    let reasons: Vec<&str> = skipped.iter().map(|(reason, _)| reason.as_str()).collect();
    assert_eq!(reasons, ["panicked", "rejected-by-database", "invalid", "undecodable"]);
    assert!(skipped[0].1.contains("told to panic"), "{skipped:?}");
    assert_eq!(bench.versions().await[0].skipped, 4);
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_is_sent_again_to_another_group_is_no_news() {
    let bench = Bench::new(1).await;
    bench.publish(bench.record(TOPIC, "key", "unfit").header("redrive-group", "orchestrator")).await;
    bench.send("key", "count").await;
    let member = bench.member();
    bench.until_counted(1).await;
    assert_eq!(bench.skipped().await, []);
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_registry_that_is_down_skips_nothing() {
    let bench = Bench::new(1).await;
    bench.registry_is_down(true);
    let member = bench.member();
    bench.send("key", "count").await;
    let says_so = async || member.problem().is_some_and(|why| why.contains("registry"));
    bench.until("the lane says why it waits", says_so).await;
    bench.registry_is_down(false);
    bench.until_counted(1).await;
    assert_eq!(bench.skipped().await, []);
    bench.until("nothing ails it", async || member.problem().is_none()).await;
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_says_nothing_here_is_passed_and_never_read_again() {
    let bench = Bench::new(1).await;
    let member = bench.member();
    bench.send("key", "nothing").await;
    bench.broker.append_control_record(TOPIC, 0);
    bench.send("key", "nothing").await;
    let passed = async || {
        let partitions = &bench.versions().await[0].partitions;
        partitions.iter().any(|at| at.topic == TOPIC && at.next_offset == 3)
    };
    bench.until("all three offsets are passed", passed).await;
    let group = "toys.toy.1";
    let told = async || bench.broker.committed(group, &TopicPartition::new(TOPIC, 0)) == Some(3);
    bench.until("the broker is told, for lag tools", told).await;
    member.stop().await;
}
