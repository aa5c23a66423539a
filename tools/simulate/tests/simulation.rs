//! Thousands of runs of the whole system, none of which may end badly; and runs with a known mistake, which must.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what helps a test fails it by panicking")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use simulate::{Mutation, run};

const SEEDS: u64 = 2_000;
/// Within so many seeds every mistake shows.
const MISTAKE_SHOWS_WITHIN: u64 = 400;

fn on_all_cores(work: impl Fn() + Sync) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(&work);
        }
    });
}

#[test]
fn whatever_goes_wrong_every_saga_ends_and_the_books_balance() {
    let (next, bad, ends) = (AtomicU64::new(0), Mutex::new(Vec::new()), Mutex::new(BTreeMap::new()));
    let openings = AtomicU64::new(0);
    on_all_cores(|| {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= SEEDS {
                return;
            }
            let report = run(seed, None, false).unwrap();
            if let Some(problem) = report.problems.into_iter().next() {
                bad.lock().unwrap().push((seed, problem));
            }
            openings.fetch_add(report.openings as u64, Ordering::Relaxed);
            for (end, count) in report.ends {
                *ends.lock().unwrap().entry(end).or_insert(0) += count;
            }
        }
    });
    let bad = bad.into_inner().unwrap();
    if let Some((seed, _)) = bad.first() {
        let trace = run(*seed, None, true).unwrap().trace;
        let shown = trace.len().saturating_sub(80);
        panic!(
            "{bad:#?}\nthe end of seed {seed} (`cargo xtask simulate --seed {seed}` shows all):\n{}",
            trace[shown..].join("\n")
        );
    }
    // Runs in which everything went well, or nothing, would prove little.
    let ends = ends.into_inner().unwrap();
    let of = |end: &str| ends.get(end).copied().unwrap_or(0);
    assert!(openings.load(Ordering::Relaxed) > 20, "{openings:?}");
    assert!(of("completed") > 1_000 && of("rolled_back") > 1_000 && of("stuck") > 20, "{ends:?}");
}

#[test]
fn one_seed_gives_one_history() {
    for seed in [3, 14, 159] {
        let once = run(seed, None, true).unwrap();
        let again = run(seed, None, true).unwrap();
        let differs = once.trace.iter().zip(&again.trace).find(|(one, other)| one != other);
        assert_eq!((differs, once.trace.len()), (None, again.trace.len()), "seed {seed}");
    }
}

#[test]
fn every_known_mistake_is_noticed() {
    let (next, missed) = (Mutex::new(Mutation::ALL.into_iter()), Mutex::new(Vec::new()));
    on_all_cores(|| {
        loop {
            let Some(mutation) = next.lock().unwrap().next() else { return };
            let noticed = (0..MISTAKE_SHOWS_WITHIN).find_map(|seed| {
                let problem = run(seed, Some(mutation), false).unwrap().problems.into_iter().next()?;
                Some((seed, problem))
            });
            match noticed {
                Some((seed, problem)) => println!("{mutation:?} at seed {seed}: {problem}"),
                None => missed.lock().unwrap().push(mutation),
            }
        }
    });
    assert_eq!(missed.into_inner().unwrap(), []);
}
