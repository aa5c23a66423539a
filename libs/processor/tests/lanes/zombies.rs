//! An owner that was taken for dead and wakes up in the middle of its transaction changes nothing.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::harness::{Bench, Told};
use crate::toy::Hold;

fn hold() -> Hold {
    Hold { reached: Arc::new(Semaphore::new(0)), go_on: Arc::new(Semaphore::new(0)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zombie_in_the_middle_of_its_transaction_writes_nothing() {
    let bench = Bench::new(1).await;
    let hold = hold();
    let zombie = bench.member_held_in_its_transaction(hold.clone());
    bench.send("key", Told::Record).await;
    hold.reached.acquire().await.unwrap().forget();
    zombie.inbox.expire();
    let heir = bench.member();
    bench.until("the heir handled it", async || bench.handled().await == 1).await;
    hold.go_on.add_permits(1);
    bench.send("key", Told::Record).await;
    bench.until("and what followed", async || bench.handled().await == 2).await;
    // It may have noticed by itself that its membership is gone; its commit was tried either way.
    let _ = zombie.stop().await;
    heir.stop().await.unwrap();
    assert_eq!(bench.answers().len(), 2, "nothing was answered twice");
    assert!(bench.dead_letters().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zombie_whose_transaction_holds_only_timers_writes_nothing() {
    let bench = Bench::new(1).await;
    bench.overdue_timer("step").await;
    let hold = hold();
    let zombie = bench.member_held_in_its_transaction(hold.clone());
    hold.reached.acquire().await.unwrap().forget();
    zombie.inbox.expire();
    let heir = bench.member();
    bench.until("the heir fired it", async || bench.fired().await == ["step"]).await;
    // Set anew under the heir; the zombie's commit would delete it, or fire it again.
    bench.send("step", Told::Timer { milliseconds: 600_000 }).await;
    bench.until("it is set again", async || bench.timer_rows().await == 1).await;
    hold.go_on.add_permits(1);
    // It may have noticed by itself that its membership is gone; its commit was tried either way.
    let _ = zombie.stop().await;
    assert_eq!(bench.fired().await, ["step"]);
    assert_eq!(bench.timer_rows().await, 1);
    heir.stop().await.unwrap();
}
