//! A process that stops goes on with its lanes until others have claimed them.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::harness::{Bench, Told};

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_goes_on_while_its_process_leaves_and_ends_there_with_the_next_claim() {
    let bench = Bench::new(1).await;
    let leaving = bench.member_that_stays();
    bench.send("key", Told::Record).await;
    bench.until("the lane works", async || bench.handled().await == 1).await;
    leaving.begin_to_stop();
    bench.send("key", Told::Record).await;
    bench.until("the process that leaves handled it", async || bench.handled().await == 2).await;
    bench.until("and says that it is published", async || bench.outbox_rows().await == 0).await;
    assert_eq!(bench.claims().await, 1);

    let heir = bench.member();
    bench.until("the lane is claimed again", async || bench.claims().await == 2).await;
    bench.send("key", Told::Record).await;
    bench.until("the heir handled it", async || bench.handled().await == 3).await;
    // Its commit fails, and it need not be told that the lane is gone.
    leaving.ended().await.unwrap();
    bench.send("key", Told::Record).await;
    bench.until("the heir goes on", async || bench.handled().await == 4).await;
    heir.stop().await.unwrap();
    assert_eq!((bench.claims().await, bench.answers().len()), (2, 4), "nobody claimed it anew, or answered twice");
    bench.assert_in_order().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_several_lanes_are_doing_when_a_process_leaves_is_done_once() {
    let bench = Bench::new(4).await;
    let members = [bench.member_that_stays(), bench.member()];
    for number in 0..40 {
        bench.send(&format!("key-{number}"), Told::Record).await;
    }
    let [leaving, heir] = members;
    leaving.begin_to_stop();
    for number in 0..400 {
        bench.send(&format!("key-{}", number % 40), Told::Record).await;
    }
    // Each of its lanes finds out by what comes next for it.
    let sent = AtomicI64::new(440);
    let ended = tokio::spawn(leaving.ended());
    let all_are_the_heirs = async || {
        bench.send(&format!("key-{}", sent.fetch_add(1, Ordering::SeqCst) % 40), Told::Record).await;
        ended.is_finished()
    };
    bench.until("all its lanes are the heir's", all_are_the_heirs).await;
    ended.await.unwrap().unwrap();
    bench.until("all is handled", async || bench.handled().await == sent.load(Ordering::SeqCst)).await;
    heir.stop().await.unwrap();
    bench.assert_in_order().await;
}
