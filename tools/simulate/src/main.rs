//! `simulate`: many seeds, or one of them with all that happened. Separate from the library, so that tests run seeds
//! without a process.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use simulate::{Mutation, Report, run};

/// Runs the whole system again and again, each time with other chances.
#[derive(Debug, Parser)]
struct Options {
    /// How many seeds, one after the other
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// The first seed; alone, it is run with a trace
    #[arg(long)]
    seed: Option<u64>,
    /// Go on with more seeds for so many minutes
    #[arg(long)]
    minutes: Option<u64>,
    /// Make this mistake, and see whether it is noticed
    #[arg(long, value_enum)]
    mutation: Option<Mutation>,
    /// Seeds run at once; one for each core when absent
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match (options.seed, options.minutes) {
        (Some(seed), None) => replay(seed, options.mutation),
        _ => many(&options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn replay(seed: u64, mutation: Option<Mutation>) -> Result<bool> {
    let report = run(seed, mutation, true)?;
    let mut out = std::io::stdout().lock();
    for line in &report.trace {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "seed {seed}: {} points of input and output, {:?}", report.steps, report.ends)?;
    for problem in &report.problems {
        writeln!(out, "seed {seed}: {problem}")?;
    }
    Ok(report.problems.is_empty())
}

#[derive(Default)]
struct Tally {
    ends: BTreeMap<String, usize>,
    steps: u64,
    failed: Vec<u64>,
    told: Option<Instant>,
}

fn many(options: &Options) -> Result<bool> {
    let began = Instant::now();
    let first = options.seed.unwrap_or(0);
    let until = options.minutes.map(|minutes| began + Duration::from_secs(minutes * 60));
    let (next, tally) = (AtomicU64::new(0), Mutex::new(Tally::default()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || -> Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let goes_on = until.map_or(number < options.seeds, |until| Instant::now() < until);
            if !goes_on {
                return Ok(());
            }
            let report = run(first + number, options.mutation, false)?;
            note(&mut tally.lock().unwrap_or_else(std::sync::PoisonError::into_inner), &report, number, began);
        }
    };
    std::thread::scope(|scope| -> Result<()> {
        let threads: Vec<_> = (0..options.threads.unwrap_or(cores)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or(Ok(())))
    })?;
    let tally = tally.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let seconds = began.elapsed().as_secs_f64();
    let seeds = next.load(Ordering::Relaxed).min(until.map_or(options.seeds, |_| u64::MAX));
    println!("{seeds} seeds in {seconds:.1} s, {} points of input and output, sagas: {:?}", tally.steps, tally.ends);
    for seed in &tally.failed {
        println!("failed: cargo xtask simulate --seed {seed}");
    }
    Ok(tally.failed.is_empty())
}

fn note(tally: &mut Tally, report: &Report, number: u64, began: Instant) {
    for (end, count) in &report.ends {
        *tally.ends.entry(end.clone()).or_default() += count;
    }
    tally.steps += report.steps;
    if let Some(problem) = report.problems.first() {
        tally.failed.push(report.seed);
        println!("seed {}: {problem}", report.seed);
    }
    if tally.told.is_none_or(|told| told.elapsed() > Duration::from_secs(10)) {
        tally.told = Some(Instant::now());
        eprintln!("{:>6.0} s  {} seeds, {} failed", began.elapsed().as_secs_f64(), number + 1, tally.failed.len());
    }
}
