//! The processor on a real Postgres. The broker is the in-memory one, a FAKE, so that a rebalance, a zombie or a lost
//! receipt happens exactly when a test says so; the real broker's turn comes in the system tests.
//!
//! Needs `POSTGRES_ADMIN_URL` (`source target/stack/env`); each test makes and drops a database of its own.

// The lint's leave for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod harness;
mod leaving;
mod poison;
mod together;
mod toy;
mod zombies;

use std::collections::BTreeSet;
use std::time::Duration;

use backstitch_messaging::memory::Faults;
use backstitch_messaging::{LaneId, Record};
use backstitch_processor::ProcessorError;
use chrono::{DateTime, TimeDelta, Utc};

use harness::{Bench, Told};

#[tokio::test(flavor = "multi_thread")]
async fn two_members_handle_every_message_once_and_in_order() {
    let bench = Bench::new(4).await;
    let first = bench.member();
    let second = bench.member();
    bench.broker.set_faults(Faults { delayed_batches: 200, ..Faults::default() });
    for n in 0..300 {
        bench.send(&format!("key-{}", n % 17), Told::Record).await;
    }
    bench.until("300 are handled", async || bench.handled().await == 300).await;
    bench.assert_in_order().await;
    assert!(first.stop().await.is_ok() && second.stop().await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_leaves_hands_its_lanes_over_with_nothing_lost_or_done_twice() {
    let bench = Bench::new(3).await;
    let first = bench.member();
    for n in 0..100 {
        bench.send(&format!("key-{n}"), Told::Record).await;
    }
    let second = bench.member();
    bench.until("something is handled", async || bench.handled().await > 0).await;
    first.stop().await.unwrap();
    bench.until("100 are handled", async || bench.handled().await == 100).await;
    // What was under way to the broker when the second claimed a lane is published by both: the same record.
    let answered = || bench.answers().iter().map(ToString::to_string).collect::<BTreeSet<_>>().len();
    bench.until("each is answered", async || answered() == 100).await;
    second.stop().await.unwrap();
    bench.assert_in_order().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_is_published_after_a_crash_between_commit_and_acknowledgement() {
    let bench = Bench::new(1).await;
    let doomed = bench.member();
    bench.broker.set_faults(Faults { lost_receipts: 1_000, ..Faults::default() });
    bench.send("key", Told::Record).await;
    bench.until("it is handled", async || bench.handled().await == 1).await;
    doomed.kill().await;
    bench.broker.set_faults(Faults::default());
    let heir = bench.member();
    // Once by the doomed member, whose receipt never came, and once by its heir: the same record.
    bench.until("it is answered again", async || bench.answers().len() == 2).await;
    assert_eq!(bench.answers()[0], bench.answers()[1]);
    assert_eq!(bench.handled().await, 1);
    heir.stop().await.unwrap();
    assert_eq!(bench.outbox_rows().await, 0, "a published commit leaves no row");
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_that_land_in_another_lane_are_decided_in_their_home_lane() {
    let bench = Bench::new(4).await;
    let member = bench.member();
    for n in 0..40 {
        // As a producer with another partitioner would.
        bench.send_to(n % 4, &format!("key-{}", n % 5), Told::Record).await;
    }
    bench.until("40 are handled", async || bench.handled().await == 40).await;
    assert_eq!(bench.lanes_of_keys().await, bench.home_lanes(5), "each key in its home lane, and there alone");
    member.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_concerns_flows_of_several_lanes_is_decided_in_each_of_them() {
    let bench = Bench::new(4).await;
    let member = bench.member();
    for n in 0..20 {
        let record = bench.record_for_two(&format!("key-{}", n % 5), &format!("key-{}", (n + 1) % 5));
        bench.publish(Record { partition: Some(n % 4), ..record }).await;
    }
    bench.until("each is handled for both its flows", async || bench.handled().await == 40).await;
    assert_eq!(bench.lanes_of_keys().await, bench.home_lanes(5), "each key in its home lane, and there alone");
    member.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_due_timer_fires_once_and_survives_a_restart() {
    let bench = Bench::new(1).await;
    let first = bench.member();
    bench.send("late", Told::Timer { milliseconds: 600_000 }).await;
    bench.send("soon", Told::Timer { milliseconds: 30 }).await;
    bench.until("the due one fired", async || bench.fired().await == ["soon"]).await;
    first.stop().await.unwrap();
    bench.make_due("late").await;
    let second = bench.member();
    bench.until("the other fired", async || bench.fired().await == ["soon", "late"]).await;
    second.stop().await.unwrap();
    assert_eq!(bench.timer_rows().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_and_an_answer_that_cannot_be_handled_come_again_while_the_lane_goes_on() {
    let bench = Bench::new(1).await;
    let member = bench.member();
    bench.send("stumbling timer", Told::Timer { milliseconds: 1 }).await;
    bench.send("stumbling call", Told::Call).await;
    bench.until("the timer is handled in the end", async || bench.fired().await == ["stumbling timer"]).await;
    bench.until("and so is the answer", async || bench.answered_calls().await == 1).await;
    assert_eq!((bench.timer_rows().await, bench.call_rows().await), (0, 0));
    assert_eq!(bench.claims().await, 1, "the lane was never given up for it");
    member.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overdue_timer_waits_for_the_messages_that_were_there_before_it() {
    let bench = Bench::new(1).await;
    bench.overdue_timer("step").await;
    // Meanwhile the answer came, behind many others.
    for n in 0..1_500 {
        bench.send(&format!("other-{n}"), Told::Record).await;
    }
    bench.send("step", Told::CancelTimer).await;
    bench.broker.set_faults(Faults { delayed_batches: 500, ..Faults::default() });
    let member = bench.member();
    bench.until("all are handled", async || bench.handled().await == 1_502).await;
    bench.later_timer_fires("end").await;
    assert_eq!(bench.fired().await, ["end"]);
    member.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_took_long_to_load_has_the_time_of_the_database_all_the_same() {
    let bench = Bench::new(1).await;
    // More than a clock may drift, which is followed.
    let member = bench.member_that_loads_for(Duration::from_secs(3));
    bench.send("first", Told::Record).await;
    bench.until("it is handled", async || bench.handled().await == 1).await;
    let asked: DateTime<Utc> = sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&bench.pool).await.unwrap();
    bench.send("step", Told::Timer { milliseconds: 600_000 }).await;
    bench.until("it is set", async || bench.timer_rows().await == 1).await;
    let due: DateTime<Utc> =
        sqlx::query_scalar("SELECT due_at FROM processor.timers").fetch_one(&bench.pool).await.unwrap();
    // A lane's clock and the database's are read a moment apart.
    assert!(due >= asked + TimeDelta::seconds(599), "asked at {asked}, due at {due}");
    member.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overdue_timer_waits_for_what_is_kept_back_too() {
    let bench = Bench::new(1).await;
    bench.overdue_timer("step").await;
    bench.publish(bench.record_of_use("soon", "step", &Told::CancelTimer)).await;
    let member = bench.member();
    bench.until("it is called off", async || bench.handled().await == 2).await;
    bench.later_timer_fires("end").await;
    assert_eq!(bench.fired().await, ["end"]);
    member.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_back_is_neither_lost_nor_overtaken() {
    let bench = Bench::new(2).await;
    let first = bench.member();
    for n in 0..200 {
        let when = if n % 3 == 0 { "now" } else { "soon" };
        bench.publish(bench.record_of_use(when, &format!("key-{}", n % 7), &Told::Record)).await;
    }
    let second = bench.member();
    first.kill().await;
    bench.until("200 are handled", async || bench.handled().await == 200).await;
    bench.assert_in_order().await;
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_of_no_use_is_passed_over_unread() {
    let bench = Bench::new(1).await;
    let member = bench.member();
    bench.publish(bench.record_of_use("never", "key", &Told::Panic)).await;
    let mut cut_short = bench.record_of_use("never", "key", &Told::Record);
    cut_short.value.as_mut().unwrap().pop();
    bench.publish(cut_short).await;
    bench.send("key", Told::Record).await;
    bench.until("the one behind is handled", async || bench.handled().await == 1).await;
    assert!(bench.dead_letters().is_empty());
    member.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_under_way_at_a_crash_is_made_again_with_the_same_id() {
    let bench = Bench::new(1).await;
    let doomed = bench.member_whose_calls_hang();
    bench.send("order", Told::Call).await;
    bench.until("the call is stored", async || bench.call_rows().await == 1).await;
    doomed.kill().await;
    let heir = bench.member();
    bench.until("it is answered", async || bench.answered_calls().await == 1).await;
    assert_eq!(bench.call_rows().await, 0);
    heir.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_number_of_lanes_is_refused_with_the_way_out() {
    let bench = Bench::new(2).await;
    bench.member().stop().await.unwrap();
    let wider = bench.widened(3);
    let refused = wider.member().ended().await;
    assert!(matches!(refused, Err(ProcessorError::Topology { found: 3, expected: 2, .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_registry_that_is_down_dead_letters_nothing() {
    let bench = Bench::new(1).await;
    bench.registry_is_down(true);
    let member = bench.member();
    bench.send("key", Told::Record).await;
    bench
        .until("the lane says why it waits", async || member.problem().is_some_and(|why| why.contains("registry")))
        .await;
    assert!(bench.dead_letters().is_empty());
    bench.registry_is_down(false);
    bench.until("it is handled", async || bench.handled().await == 1).await;
    assert!(bench.dead_letters().is_empty());
    member.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_moves_back_and_forth_and_nothing_happens_twice() {
    let bench = Bench::new(2).await;
    let (first, second) = (bench.member(), bench.member());
    for round in 0..10 {
        for n in 0..20 {
            bench.send(&format!("key-{n}"), Told::Record).await;
        }
        let to = if round % 2 == 0 { &second } else { &first };
        bench.broker.move_lane(LaneId(round % 2), &to.inbox);
    }
    bench.until("200 are handled", async || bench.handled().await == 200).await;
    bench.assert_in_order().await;
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}
