//! The same stories with events that come from a store, alone or beside a topic, and those that only a store can tell.

use std::collections::BTreeSet;

use backstitch_event_store::{EventStore as _, Selection};

use crate::harness::Bench;
use crate::members_come_and_go;
use crate::rebuilds::{kill_again_and_again, rebuild_to_something_else, rebuild_while_queries_go_on};
use crate::toy::TOPIC;

#[tokio::test(flavor = "multi_thread")]
async fn a_stores_events_are_taken_in_once_and_in_order_though_members_come_and_go() {
    members_come_and_go(Bench::on_store(4).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_and_a_topic_are_read_side_by_side_though_members_come_and_go() {
    members_come_and_go(Bench::on_both(3, 4).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_from_a_store_is_verified_and_swapped_in_while_queries_go_on() {
    rebuild_while_queries_go_on(Bench::on_store(3).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_from_a_store_and_a_topic_is_verified_and_swapped_in_while_queries_go_on() {
    rebuild_while_queries_go_on(Bench::on_both(2, 3).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_from_a_store_that_is_killed_again_and_again_is_finished_by_whoever_comes_next() {
    kill_again_and_again(Bench::on_store(2).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_from_a_store_that_differs_is_not_shown_unless_it_is_forced() {
    rebuild_to_something_else(Bench::on_store(2).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_event_that_cannot_be_taken_in_is_set_aside_with_its_reason_and_the_rest_goes_on() {
    let bench = Bench::on_store(1).await;
    for n in 0..60 {
        let told = match n {
            10 => "panic",
            20 => "poison",
            30 => "unfit",
            40 => "private",
            _ => "count",
        };
        bench.send("key", told).await;
    }
    let member = bench.member();
    bench.until_counted(56).await;
    let skipped = bench.skipped().await;
    let reasons: Vec<&str> = skipped.iter().map(|(reason, _)| reason.as_str()).collect();
    assert_eq!(reasons, ["panicked", "rejected-by-database", "invalid"]);
    let (key, value): (Vec<u8>, Vec<u8>) =
        sqlx::query_as("SELECT key, value FROM projection.skipped WHERE reason = 'invalid'")
            .fetch_one(&bench.pool)
            .await
            .unwrap();
    assert_eq!(String::from_utf8_lossy(&key), "toy-key");
    assert!(String::from_utf8_lossy(&value).contains("unfit"), "as it is stored, for a person");
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_transaction_that_is_still_running_waits_for_it() {
    let bench = Bench::on_store(1).await;
    let member = bench.member();
    bench.send("key", "count").await;
    bench.until_counted(1).await;
    let pool = bench.write_pool().await;
    let mut late = pool.begin().await.unwrap();
    // It has its place in the order now, and says nothing yet.
    sqlx::query("SELECT pg_current_xact_id(), nextval('store.positions')").execute(&mut *late).await.unwrap();
    bench.send("other", "count").await;
    assert_eq!(bench.counted().await, 1, "what follows a transaction that is still running is not read");
    late.commit().await.unwrap();
    bench.until_counted(2).await;
    member.stop().await;
}

/// Which backends hold lanes of the live version, and how many each.
async fn holders(bench: &Bench) -> Vec<i64> {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_locks
         WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND objid::bigint < 1000
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
         GROUP BY pid ORDER BY 1",
    )
    .fetch_all(&bench.pool)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn members_share_a_store_out_and_take_over_from_one_that_is_killed() {
    let bench = Bench::on_store(4).await;
    let first = bench.member();
    bench.until("the only member has all lanes", async || holders(&bench).await == [4]).await;
    let second = bench.member();
    bench.until("two have half each", async || holders(&bench).await == [2, 2]).await;
    bench.send_many(200).await;
    bench.until_counted(200).await;
    first.kill();
    bench.send_many(200).await;
    bench.until("the other has all lanes", async || holders(&bench).await == [4]).await;
    bench.until_counted(400).await;
    second.stop().await;
    bench.until("none are held", async || holders(&bench).await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_far_a_store_is_read_is_told_share_by_share() {
    let bench = Bench::on_store(2).await;
    bench.send_many(300).await;
    let member = bench.member();
    bench.until_counted(300).await;
    bench.until("nothing is left", async || bench.versions().await[0].left == 0).await;
    let version = bench.versions().await.remove(0);
    let shares: BTreeSet<_> = version.partitions.iter().map(|at| (at.topic.as_str(), at.partition)).collect();
    let name = |topic: &str| format!("store:{topic} of 2");
    let (toys, others) = (name(TOPIC), name(crate::toy::OTHER));
    let all = [(toys.as_str(), 0), (toys.as_str(), 1), (others.as_str(), 0), (others.as_str(), 1)];
    assert_eq!(shares, BTreeSet::from(all));
    // The furthest share stands at the store's last event.
    let end = bench.store().end().await.unwrap();
    let furthest = version.partitions.iter().map(|at| at.next_offset - 1).max();
    assert_eq!(furthest, i64::try_from(end.position).ok());
    assert_eq!(version.applied, 300);
    let all = bench.store().read(&Selection::All, backstitch_event_store::Cursor::default(), 1_000).await.unwrap();
    assert_eq!(all.events.len(), 300);
    member.stop().await;
}
