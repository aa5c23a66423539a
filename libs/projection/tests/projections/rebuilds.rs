//! Rebuilds beside the version that serves: nobody's query fails or goes back in time, and whoever dies is followed by
//! one who finishes.

use std::sync::atomic::{AtomicBool, Ordering};

use backstitch_projection::State;
use backstitch_projection::admin::{AdminError, SwapError};

use crate::harness::Bench;

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_is_verified_and_swapped_in_while_queries_go_on() {
    rebuild_while_queries_go_on(Bench::new(3).await).await;
}

pub(crate) async fn rebuild_while_queries_go_on(bench: Bench) {
    bench.send_many(500).await;
    let member = bench.member();
    bench.until_counted(500).await;

    let done = AtomicBool::new(false);
    // No answer is missing, empty, or older than the one before it.
    let asking = async {
        let (mut last, mut answers) = (500, 0);
        while !done.load(Ordering::SeqCst) {
            let counted = bench.counted().await;
            assert!(counted >= last, "{counted} after {last}");
            (last, answers) = (counted, answers + 1);
        }
        answers
    };
    let rebuilding = async {
        assert_eq!(bench.admin().rebuild("toy", "ann", true).await.unwrap(), 2);
        for _ in 0..10 {
            bench.send_many(30).await;
        }
        bench.until_only(2).await;
        done.store(true, Ordering::SeqCst);
    };
    let (answers, ()) = tokio::join!(asking, rebuilding);
    assert!(answers > 10, "only {answers} answers were looked at");
    bench.until_counted(800).await;

    let live = &bench.versions().await[0];
    let verdict = live.verdict.clone().unwrap();
    assert_eq!((verdict.compared_with, verdict.must_be_equal, verdict.is_good()), (1, true, true));
    assert_eq!((verdict.tables[0].table.as_str(), verdict.tables[0].rows_live), ("tallies", 34));
    assert_eq!((live.asked_by.as_str(), live.applied), ("ann", 800));
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_is_killed_again_and_again_is_finished_by_whoever_comes_next() {
    kill_again_and_again(Bench::new(2).await).await;
}

pub(crate) async fn kill_again_and_again(bench: Bench) {
    bench.send_many(400).await;
    let first = bench.member();
    bench.until_counted(400).await;
    bench.admin().rebuild("toy", "ann", true).await.unwrap();
    first.kill();
    // Each lives a little longer than the one before, so that every moment of the rebuild is somebody's last.
    let mut lives = 0;
    while bench.versions().await.iter().map(|version| version.version).ne([2]) {
        let member = bench.member();
        lives += 1;
        for _ in 0..lives * 3 {
            bench.counted().await;
        }
        member.kill();
        // A hold whose asker died ends by itself; here, at once.
        bench
            .execute("UPDATE projection.checkpoints SET held_until = clock_timestamp() WHERE hold_at IS NOT NULL")
            .await;
        assert!(bench.counted().await == 400, "a query sees everything all the while");
        assert!(lives < 1_000, "it never ends: {:#?}", bench.versions().await);
    }
    let last = bench.member();
    bench.until_only(2).await;
    bench.send_many(100).await;
    bench.until_counted(500).await;
    last.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_whose_asker_died_ends_by_itself() {
    let bench = Bench::new(1).await;
    bench.send("key", "count").await;
    let member = bench.member();
    bench.until_counted(1).await;
    bench
        .execute(
            "UPDATE projection.checkpoints
             SET hold_at = next_offset, held_until = clock_timestamp() + interval '1 second'",
        )
        .await;
    bench.send("key", "count").await;
    bench.until_counted(2).await;
    let held: bool = sqlx::query_scalar("SELECT bool_or(held_until > clock_timestamp()) FROM projection.checkpoints")
        .fetch_one(&bench.pool)
        .await
        .unwrap();
    assert!(!held, "what was held has waited");
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_differs_is_not_shown_unless_it_is_forced() {
    rebuild_to_something_else(Bench::new(2).await).await;
}

pub(crate) async fn rebuild_to_something_else(bench: Bench) {
    bench.send_many(100).await;
    let member = bench.member();
    bench.until_counted(100).await;
    // The live version has lost a row, and nobody knows why.
    bench.execute("DELETE FROM toy_v1.tallies WHERE key = (SELECT min(key) FROM toy_v1.tallies)").await;
    let left = bench.counted().await;
    let admin = bench.admin();
    admin.rebuild("toy", "ann", true).await.unwrap();
    let judged = async || bench.versions().await.iter().any(|version| version.verdict.is_some());
    bench.until("it is compared", judged).await;

    let verdict = bench.versions().await[1].verdict.clone().unwrap();
    assert!(!verdict.is_good());
    assert_eq!((verdict.tables[0].only_live, verdict.tables[0].only_rebuilt), (0, 1));
    let refused = admin.swap("toy", false).await;
    assert!(matches!(refused, Err(AdminError::Swap(SwapError::Differs { version: 2, .. }))), "{refused:?}");
    assert_eq!((bench.live().await, bench.counted().await), (1, left));

    assert_eq!(admin.swap("toy", true).await.unwrap(), 2);
    bench.until_counted(100).await;
    bench.until_only(2).await;
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sum_that_came_to_nothing_leaves_no_row_whether_taken_back_at_once_or_later() {
    let bench = Bench::new(1).await;
    let member = bench.member();
    bench.send("key", "count").await;
    bench.until_counted(1).await;
    bench.send("key", "take").await;
    let gone = async || {
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM read.sums").fetch_one(&bench.pool).await.unwrap();
        rows == 0
    };
    bench.until("the sum's row is gone", gone).await;
    // The rebuilt version meets both in one batch, and must come to the same.
    bench.admin().rebuild("toy", "ann", true).await.unwrap();
    bench.until_only(2).await;
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_by_hand_waits_for_its_swap() {
    let bench = Bench::new(1).await;
    let admin = bench.admin();
    admin.rebuild("toy", "ann", false).await.unwrap();
    let early = admin.swap("toy", false).await;
    assert!(matches!(early, Err(AdminError::Swap(SwapError::NotVerified { .. }))), "{early:?}");
    let twice = admin.rebuild("toy", "bob", false).await;
    assert!(matches!(twice, Err(AdminError::BeingBuilt { .. })), "{twice:?}");

    bench.send_many(20).await;
    let member = bench.member();
    let verified = async || bench.versions().await.iter().any(|version| version.verdict.is_some());
    bench.until("it is verified", verified).await;
    bench.until_counted(20).await;
    assert_eq!(bench.live().await, 1);
    let swapped = async || admin.swap("toy", false).await.is_ok();
    bench.until("it has caught up and is swapped", swapped).await;
    assert_eq!(bench.live().await, 2);
    bench.until_only(2).await;
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_is_called_off_leaves_nothing() {
    let bench = Bench::new(1).await;
    bench.send_many(20).await;
    let member = bench.member();
    let admin = bench.admin();
    admin.rebuild("toy", "ann", false).await.unwrap();
    let begun = async || bench.versions().await.iter().any(|it| it.state == State::Building && it.applied > 0);
    bench.until("it has begun", begun).await;
    // While its lanes hold the tables, the answer may be: not now.
    bench.until("it is called off", async || admin.cancel("toy").await.is_ok()).await;
    bench.until_only(1).await;
    let nothing = admin.cancel("toy").await;
    assert!(matches!(nothing, Err(AdminError::Swap(SwapError::NothingBuilt { .. }))), "{nothing:?}");
    bench.send_many(5).await;
    bench.until_counted(25).await;
    assert_eq!(admin.rebuild("toy", "ann", true).await.unwrap(), 3);
    bench.until_only(3).await;
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_shape_is_built_beside_the_old_one_which_serves_until_then() {
    let bench = Bench::new(2).await;
    bench.send_many(100).await;
    let old = bench.member();
    bench.until_counted(100).await;
    let new = bench.member_of_shape(2);
    bench.until_only(2).await;
    let live = &bench.versions().await[0];
    assert_eq!((live.shape, live.asked_by.as_str()), (2, "a new shape"));
    // The older code is still there, as in a rolling update, and leaves the newer tables alone.
    bench.send_many(50).await;
    bench.until_counted(150).await;
    old.stop().await;
    new.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_shape_goes_live_though_nobody_fills_the_old_one_any_more() {
    let bench = Bench::new(2).await;
    bench.send_many(100).await;
    let old = bench.member();
    bench.until_counted(100).await;
    old.stop().await;
    bench.send_many(50).await;
    let new = bench.member_of_shape(2);
    bench.until_only(2).await;
    bench.until_counted(150).await;
    new.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_that_nobody_knows_is_told_with_those_there_are() {
    let bench = Bench::new(1).await;
    let unknown = bench.admin().rebuild("tyo", "ann", true).await.unwrap_err();
    assert_eq!(unknown.to_string(), "there is no projection `tyo`; there are `toy`");
}
