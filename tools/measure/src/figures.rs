//! What a window of appends came to. Separate from the loads, which all come to the same, whichever store they load.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// The figures of one load.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The load.
    pub name: &'static str,
    /// Of what there are `per_second`.
    pub unit: &'static str,
    /// So many of them.
    pub per_second: f64,
    /// Half took at most this.
    pub p50_ms: f64,
    /// All but one in a hundred took at most this.
    pub p99_ms: f64,
    /// Conflicts met for each append that was made.
    pub conflicts: f64,
}

impl Row {
    /// `count` units in `window`, taking each of `times`.
    #[must_use]
    pub fn of(name: &'static str, unit: &'static str, count: u64, window: Duration, times: Vec<Duration>) -> Self {
        let mut times = times;
        times.sort_unstable();
        let at = |part: f64| {
            #[allow(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "an index"
            )]
            let index = ((times.len() as f64 - 1.0) * part).max(0.0) as usize;
            times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
        };
        #[allow(clippy::cast_precision_loss, reason = "a rate")]
        let per_second = count as f64 / window.as_secs_f64();
        Self { name, unit, per_second, p50_ms: at(0.5), p99_ms: at(0.99), conflicts: 0.0 }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, unit, per_second, p50_ms, p99_ms, conflicts } = self;
        write!(f, "{name:<54} {per_second:>10.0} {unit}/s   p50 {p50_ms:>7.2} ms   p99 {p99_ms:>7.2} ms")?;
        if *conflicts > 0.0 {
            write!(f, "   {:.1} % conflicts", conflicts * 100.0)?;
        }
        Ok(())
    }
}

/// The run in the middle, by rate; none of none.
#[must_use]
pub fn median(mut runs: Vec<Row>) -> Option<Row> {
    runs.sort_by(|one, other| one.per_second.total_cmp(&other.per_second));
    (!runs.is_empty()).then(|| runs.swap_remove(runs.len() / 2))
}
