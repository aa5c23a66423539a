//! The same stories for orders of both flows, told by the services that ship; and runs in which anything may go wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what helps a test fails it by panicking")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use backstitch_contracts::orders::Flow;
use simulate::{Fate, Fates, Kept, Trouble, run_shop};

const FLOWS: [Flow; 2] = [Flow::Orchestrated, Flow::Choreographed];
const SEEDS: u64 = 400;

/// What is left of one order of this fate.
fn told(flow: Flow, fate: Fate, trouble: Trouble) -> Kept {
    let report = run_shop(7, &vec![(flow, fate)], trouble, true).unwrap();
    assert!(report.problems.is_empty(), "{flow:?} {fate:?}: {:#?}\n{}", report.problems, report.trace.join("\n"));
    report.kept.into_iter().next().unwrap()
}

fn each_flow(fate: Fate, trouble: Trouble, order: &str) {
    for flow in FLOWS {
        let kept = told(flow, fate, trouble);
        assert_eq!(kept.order, order, "{flow:?} {fate:?} {trouble:?}: {kept:?}");
    }
}

#[test]
fn an_order_that_nothing_stands_against_is_shipped() {
    each_flow(Fate::Good, Trouble::None, "shipped");
}

#[test]
fn an_order_of_what_is_not_there_is_cancelled() {
    each_flow(Fate::OutOfStock, Trouble::None, "cancelled");
}

#[test]
fn an_order_that_cannot_be_paid_is_cancelled_and_its_items_are_free_again() {
    each_flow(Fate::Declined, Trouble::None, "cancelled");
}

#[test]
fn a_gateway_that_says_not_now_is_asked_again_and_not_for_ever() {
    each_flow(Fate::NotNow, Trouble::None, "shipped");
    each_flow(Fate::NeverNow, Trouble::None, "cancelled");
}

#[test]
fn an_order_that_no_carrier_takes_is_cancelled_and_paid_back() {
    each_flow(Fate::NoCarrier, Trouble::None, "cancelled");
}

#[test]
fn what_a_gateway_or_a_carrier_does_too_late_is_undone() {
    each_flow(Fate::SlowGateway, Trouble::None, "cancelled");
    each_flow(Fate::SlowCarrier, Trouble::None, "cancelled");
}

#[test]
fn a_service_that_is_away_for_long_has_the_order_cancelled_and_undoes_its_part_when_it_is_back() {
    for service in ["inventory", "payment", "shipping"] {
        each_flow(Fate::Good, Trouble::Silent(service, 3_000), "cancelled");
    }
}

#[test]
fn a_service_that_is_away_for_a_moment_is_waited_for() {
    for service in ["order", "inventory", "payment", "shipping"] {
        each_flow(Fate::Good, Trouble::Silent(service, 20), "shipped");
    }
}

/// Orders of both flows and every fate, most of them good.
fn crowd(seed: u64) -> Fates {
    let number = |index: u64| usize::try_from((seed.wrapping_mul(2_654_435_761) >> (index % 8)) + index).unwrap_or(0);
    let fate =
        |index: u64| if index.is_multiple_of(2) { Fate::Good } else { Fate::ALL[number(index) % Fate::ALL.len()] };
    (0..6).map(|index| (FLOWS[number(index) % 2], fate(index))).collect()
}

#[test]
fn whatever_goes_wrong_orders_of_both_flows_end_and_the_sums_are_right() {
    let (next, bad, ends) = (AtomicU64::new(0), Mutex::new(Vec::new()), Mutex::new(BTreeMap::new()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= SEEDS {
                        return;
                    }
                    let report = run_shop(seed, &crowd(seed), Trouble::Chaos, false).unwrap();
                    if let Some(problem) = report.problems.into_iter().next() {
                        bad.lock().unwrap().push((seed, problem));
                    }
                    for ((flow, _), kept) in crowd(seed).into_iter().zip(report.kept) {
                        *ends.lock().unwrap().entry((format!("{flow:?}"), kept.order)).or_insert(0_u32) += 1;
                    }
                }
            });
        }
    });
    let bad = bad.into_inner().unwrap();
    if let Some((seed, _)) = bad.first() {
        let trace = run_shop(*seed, &crowd(*seed), Trouble::Chaos, true).unwrap().trace;
        panic!("{} bad: {bad:#?}\nseed {seed}:\n{}", bad.len(), trace.join("\n"));
    }
    // Runs in which everything went well, or nothing, would prove little.
    let ends = ends.into_inner().unwrap();
    for flow in ["Orchestrated", "Choreographed"] {
        for end in ["shipped", "cancelled"] {
            assert!(ends.get(&(flow.to_owned(), end)).is_some_and(|count| *count > 100), "{ends:?}");
        }
    }
}
