//! What the engine takes for an input, and how large a live saga is: `cargo xtask bench engine`.
//!
//! Separate from the engine, which has no clock. One thread, no input or output; the allocator that counts is always there
//! and makes every figure a little worse than it is.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use backstitch_saga::{Input, State, Timestamp, decide, evolve, react};
use backstitch_testkit::{Specimen, as_it_should_go};
use serde::Serialize;

/// Folders below `sagas/`, and names.
const DEFINITIONS: [(&str, &str); 3] =
    [("", "order-fulfilment"), ("examples", "travel-booking"), ("examples", "partial-shipment")];

/// What one definition came to.
#[derive(Debug, Serialize)]
struct Figures {
    definition: String,
    inputs: usize,
    /// Journal entries of one saga.
    entries: usize,
    ns_per_input: u128,
    allocations_per_input: f64,
    allocated_bytes_per_input: f64,
    /// In memory, at its largest: the state and what it holds on the heap.
    live_bytes_max: usize,
    /// The same as it is stored.
    json_bytes_max: usize,
}

struct Options {
    sagas: u32,
    runs: u32,
    json: bool,
    out: Option<PathBuf>,
}

impl Options {
    fn read() -> Result<Self, String> {
        let mut options = Self { sagas: 5_000, runs: 5, json: false, out: None };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            let number = |text: String| text.parse::<u32>().map_err(|error| format!("{text}: {error}"));
            match word.as_str() {
                "--sagas" => options.sagas = number(value()?)?.max(1),
                "--runs" => options.runs = number(value()?)?.max(1),
                "--out" => options.out = Some(value()?.into()),
                "--json" => options.json = true,
                other => return Err(format!("`{other}` is no option: --sagas, --runs, --out, --json are")),
            }
        }
        Ok(options)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::read()?;
    let sagas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sagas");
    let all: Vec<Figures> = DEFINITIONS
        .iter()
        .map(|(folder, name)| figures(&Specimen::load(&sagas.join(folder), name), &options))
        .collect();
    let json = serde_json::to_string_pretty(&all)?;
    if let Some(out) = &options.out {
        std::fs::write(out, &json)?;
    }
    let mut shown = std::io::stdout().lock();
    if options.json {
        writeln!(shown, "{json}")?;
        return Ok(());
    }
    for it in &all {
        writeln!(
            shown,
            "{:<18} {:>7} ns an input, {:>5.1} allocations of {:>6.0} bytes; {} inputs, {} entries a saga; live at most \
             {} bytes, {} as JSON",
            it.definition,
            it.ns_per_input,
            it.allocations_per_input,
            it.allocated_bytes_per_input,
            it.inputs,
            it.entries,
            it.live_bytes_max,
            it.json_bytes_max
        )?;
    }
    Ok(())
}

fn figures(specimen: &Specimen, options: &Options) -> Figures {
    let inputs = as_it_should_go(specimen);
    let count = inputs.len();
    let mut rounds: Vec<Duration> = (0..options.runs).map(|_| round(specimen, &inputs, options.sagas)).collect();
    rounds.sort_unstable();
    let middle = rounds[rounds.len() / 2];
    let (mut entries, mut ended) = (0, State::NotStarted);
    let counted = allocation_counter::measure(|| (ended, entries) = saga(specimen, &inputs));
    assert_eq!(ended.status(), "completed", "{} should complete", specimen.definition().name());
    let per_input = |number: u64| number as f64 / count as f64;
    let (live_bytes_max, json_bytes_max) = sizes(specimen, &inputs);
    Figures {
        definition: specimen.definition().name().to_owned(),
        inputs: count,
        entries,
        ns_per_input: middle.as_nanos() / (u128::from(options.sagas) * count as u128),
        allocations_per_input: per_input(counted.count_total),
        allocated_bytes_per_input: per_input(counted.bytes_total),
        live_bytes_max,
        json_bytes_max,
    }
}

fn round(specimen: &Specimen, inputs: &[(Timestamp, Input)], sagas: u32) -> Duration {
    let begun = Instant::now();
    for _ in 0..sagas {
        std::hint::black_box(saga(specimen, inputs));
    }
    begun.elapsed()
}

/// One saga from start to end, with all that a shell asks of the engine.
fn saga(specimen: &Specimen, inputs: &[(Timestamp, Input)]) -> (State, usize) {
    let (mut state, mut entries) = (State::NotStarted, 0);
    for (now, input) in inputs {
        for event in &decide(specimen.definition(), &state, input, *now) {
            state = evolve(state, event);
            std::hint::black_box(react(specimen.definition(), event));
            entries += 1;
        }
    }
    (state, entries)
}

/// The largest that it is between two inputs: in memory, and as JSON.
fn sizes(specimen: &Specimen, inputs: &[(Timestamp, Input)]) -> (usize, usize) {
    let (mut live, mut json) = (0, 0);
    for end in 1..=inputs.len() {
        let mut state = State::NotStarted;
        let held = allocation_counter::measure(|| state = saga(specimen, &inputs[..end]).0);
        live = live.max(size_of::<State>() + usize::try_from(held.bytes_current).unwrap_or(0));
        json = json.max(serde_json::to_vec(&state).map_or(0, |bytes| bytes.len()));
    }
    (live, json)
}
