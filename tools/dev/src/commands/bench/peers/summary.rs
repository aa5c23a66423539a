//! What the turns came to: medians for each load and peer, and how they stand to ours.
//!
//! Pure, so that it can be tested without running anything.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::OURS;

/// One window of load on somebody.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Window {
    /// The load.
    pub(super) window: String,
    /// Ended, whichever way.
    pub(super) sagas_per_second: f64,
    /// From its start to its end.
    pub(super) start_to_end_ms: Times,
    /// All processes but the load's.
    pub(super) cpu_ms_per_saga_all: f64,
    /// Each of them.
    pub(super) cpu_ms_per_saga: BTreeMap<String, f64>,
    /// What everything else on the machine used meanwhile.
    pub(super) others_cores: f64,
    /// Sagas that could not be begun or whose end was not told.
    #[serde(default)]
    pub(super) failed: u64,
}

/// Half, and all but one in a hundred, took at most this.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Times {
    /// None when nothing ended.
    pub(super) p50: Option<f64>,
    /// The same.
    pub(super) p99: Option<f64>,
}

/// Somebody's turn in one round.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Turn {
    pub(super) peer: String,
    pub(super) round: u32,
    pub(super) windows: Vec<Window>,
}

/// The rounds of one load on one peer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Median {
    pub(super) window: String,
    pub(super) peer: String,
    /// Where everybody is shown at its best: under which load that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<String>,
    pub(super) sagas_per_second: f64,
    pub(super) p50_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
    pub(super) cpu_ms_per_saga: f64,
    /// The noisiest round.
    pub(super) others_cores_most: f64,
    pub(super) failed: u64,
    /// Its sagas a second by ours.
    pub(super) rate_ratio: Option<f64>,
    /// Its p50 by ours.
    pub(super) p50_ratio: Option<f64>,
    /// Its p99 by ours.
    pub(super) p99_ratio: Option<f64>,
    /// Its CPU a saga by ours.
    pub(super) cpu_ratio: Option<f64>,
}

#[derive(Deserialize)]
struct Figures {
    windows: Vec<Window>,
}

/// The windows that a load has written.
pub(super) fn read(file: &Path) -> Result<Vec<Window>> {
    let bytes = std::fs::read(file).with_context(|| format!("could not read {}", file.display()))?;
    let figures: Figures = serde_json::from_slice(&bytes).with_context(|| format!("{} is odd", file.display()))?;
    Ok(figures.windows)
}

/// What a closed loop is called.
const CLOSED: &str = " in flight";

/// Medians of the rounds, load by load, everybody in the order of their turns; after several closed loops, everybody's best.
pub(super) fn medians(turns: &[Turn]) -> Vec<Median> {
    let (mut peers, mut loads) = (Vec::new(), Vec::new());
    for turn in turns {
        remember(&mut peers, &turn.peer);
        turn.windows.iter().for_each(|window| remember(&mut loads, &window.window));
    }
    let mut all: Vec<_> =
        loads.iter().flat_map(|load| compared(peers.iter().filter_map(|peer| median_of(turns, peer, load)))).collect();
    if loads.iter().filter(|load| load.ends_with(CLOSED)).count() > 1 {
        let best = compared(peers.iter().filter_map(|peer| best_of(&all, peer)));
        all.extend(best);
    }
    all
}

fn compared(medians: impl Iterator<Item = Median>) -> Vec<Median> {
    let mut medians: Vec<_> = medians.collect();
    if let Some(ours) = medians.iter().find(|median| median.peer == OURS).cloned() {
        medians.iter_mut().for_each(|median| median.compare(&ours));
    }
    medians
}

/// The closed loop in which it ended most sagas.
fn best_of(medians: &[Median], peer: &str) -> Option<Median> {
    let loops = medians.iter().filter(|median| median.peer == peer && median.window.ends_with(CLOSED));
    let best = loops.max_by(|one, other| one.sagas_per_second.total_cmp(&other.sagas_per_second))?.clone();
    Some(Median { window: "each at its best".to_owned(), at: Some(best.window.clone()), ..best })
}

fn remember(known: &mut Vec<String>, name: &str) {
    if !known.iter().any(|it| it == name) {
        known.push(name.to_owned());
    }
}

fn median_of(turns: &[Turn], peer: &str, load: &str) -> Option<Median> {
    let rounds: Vec<&Window> = turns
        .iter()
        .filter(|turn| turn.peer == peer)
        .flat_map(|turn| turn.windows.iter().filter(|window| window.window == load))
        .collect();
    let of = |value: fn(&Window) -> Option<f64>| middle(rounds.iter().filter_map(|window| value(window)).collect());
    Some(Median {
        window: load.to_owned(),
        peer: peer.to_owned(),
        at: None,
        sagas_per_second: of(|window| Some(window.sagas_per_second))?,
        p50_ms: of(|window| window.start_to_end_ms.p50),
        p99_ms: of(|window| window.start_to_end_ms.p99),
        cpu_ms_per_saga: of(|window| Some(window.cpu_ms_per_saga_all))?,
        others_cores_most: rounds.iter().map(|window| window.others_cores).fold(0.0, f64::max),
        failed: rounds.iter().map(|window| window.failed).sum(),
        rate_ratio: None,
        p50_ratio: None,
        p99_ratio: None,
        cpu_ratio: None,
    })
}

/// Of two in the middle, their mean.
pub(in crate::commands::bench) fn middle(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

impl Median {
    fn compare(&mut self, ours: &Self) {
        self.rate_ratio = ratio(Some(self.sagas_per_second), Some(ours.sagas_per_second));
        self.p50_ratio = ratio(self.p50_ms, ours.p50_ms);
        self.p99_ratio = ratio(self.p99_ms, ours.p99_ms);
        self.cpu_ratio = ratio(Some(self.cpu_ms_per_saga), Some(ours.cpu_ms_per_saga));
    }
}

/// Theirs by ours, where there is something to divide by.
pub(in crate::commands::bench) fn ratio(theirs: Option<f64>, ours: Option<f64>) -> Option<f64> {
    ours.filter(|ours| *ours > 0.0).and_then(|ours| Some(theirs? / ours))
}

/// For a person, a line each.
pub(super) fn table(medians: &[Median]) -> String {
    let mut text = format!(
        "{:<18}{:<12}{:>10}{:>10}{:>10}{:>13}{:>8}{:>8}{:>8}{:>8}{:>8}\n",
        "load", "", "sagas/s", "p50 ms", "p99 ms", "CPU ms/saga", "others", "rate", "p50", "p99", "CPU"
    );
    for median in medians {
        let _ = writeln!(
            text,
            "{:<18}{:<12}{:>10.1}{:>10}{:>10}{:>13.2}{:>8.2}{:>8}{:>8}{:>8}{:>8}{}{}",
            median.window,
            median.peer,
            median.sagas_per_second,
            shown(median.p50_ms, 0, ""),
            shown(median.p99_ms, 0, ""),
            median.cpu_ms_per_saga,
            median.others_cores_most,
            shown(median.rate_ratio, 2, "x"),
            shown(median.p50_ratio, 2, "x"),
            shown(median.p99_ratio, 2, "x"),
            shown(median.cpu_ratio, 2, "x"),
            median.at.as_ref().map_or_else(String::new, |at| format!("   {at}")),
            if median.failed > 0 { format!("   {} failed", median.failed) } else { String::new() },
        );
    }
    text.push_str(
        "The last four: theirs by ours. Others: cores that the rest of the machine used, in the noisiest round.\n",
    );
    text
}

/// A figure, or a dash.
pub(in crate::commands::bench) fn shown(value: Option<f64>, digits: usize, unit: &str) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}{unit}"))
}

#[cfg(test)]
mod tests {
    use super::{OURS, Times, Turn, Window, medians, middle, table};

    fn turn(peer: &str, round: u32, sagas_per_second: f64) -> Turn {
        Turn { peer: peer.to_owned(), round, windows: vec![window("64 in flight", sagas_per_second, round)] }
    }

    fn window(load: &str, sagas_per_second: f64, round: u32) -> Window {
        Window {
            window: load.to_owned(),
            sagas_per_second,
            start_to_end_ms: Times { p50: Some(1_000.0 / sagas_per_second), p99: None },
            cpu_ms_per_saga_all: 400.0 / sagas_per_second,
            cpu_ms_per_saga: [].into(),
            others_cores: f64::from(round) / 10.0,
            failed: 0,
        }
    }

    #[test]
    fn each_peer_is_its_median_round_and_stands_to_ours() {
        let rounds = [(OURS, [100.0, 200.0, 300.0]), ("other", [50.0, 90.0, 100.0])];
        let turns: Vec<_> = (0_u32..3)
            .flat_map(|round| rounds.map(|(peer, rates)| turn(peer, round + 1, rates[round as usize])))
            .collect();
        let medians = medians(&turns);
        let found: Vec<_> = medians.iter().map(|it| (it.peer.as_str(), it.sagas_per_second, it.rate_ratio)).collect();
        assert_eq!(found, [(OURS, 200.0, Some(1.0)), ("other", 90.0, Some(0.45))]);
        assert_eq!(medians[1].cpu_ratio.map(|ratio| (ratio * 100.0).round()), Some(222.0));
        assert!((medians[1].others_cores_most - 0.3).abs() < 1e-9, "the noisiest round must show");
        assert!(table(&medians).contains("0.45x"));
    }

    #[test]
    fn whoever_was_measured_without_us_has_no_ratio() {
        assert_eq!(medians(&[turn("other", 1, 10.0)])[0].rate_ratio, None);
    }

    #[test]
    fn everybody_is_shown_at_its_best_too() {
        let of = |peer: &str, rates: [f64; 3]| {
            let loads = ["64 in flight", "256 in flight", "50 a second"];
            let windows = loads.iter().zip(rates).map(|(load, rate)| window(load, rate, 1)).collect();
            Turn { peer: peer.to_owned(), round: 1, windows }
        };
        let medians = medians(&[of(OURS, [100.0, 200.0, 50.0]), of("other", [80.0, 40.0, 900.0])]);
        let best: Vec<_> = medians.iter().filter(|it| it.window == "each at its best").collect();
        let found: Vec<_> = best.iter().map(|it| (it.peer.as_str(), it.at.as_deref(), it.rate_ratio)).collect();
        assert_eq!(found, [(OURS, Some("256 in flight"), Some(1.0)), ("other", Some("64 in flight"), Some(0.4))]);
    }

    #[test]
    fn of_two_in_the_middle_it_is_the_mean() {
        assert_eq!(middle(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(middle(vec![]), None);
    }
}
