//! What many measurements come to: percentiles, and figures that can be read. Its own file, because every bench needs it.

use serde_json::{Value, json};

/// The share of the sorted values at or below which `share` of them lie; none where there are none.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    sorted.get(((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1))).copied()
}

/// p50, p95, p99 and the greatest.
pub(crate) fn percentiles(mut values: Vec<f64>) -> Value {
    values.sort_by(f64::total_cmp);
    let at = |share| percentile(&values, share).map(round);
    json!({ "p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "max": values.last().copied().map(round) })
}

/// The one in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    percentile(&values, 0.5)
}

/// To three decimals.
pub(crate) fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::{median, percentiles};

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let found = percentiles(hundred);
        assert_eq!(found, serde_json::json!({ "p50": 51.0, "p95": 96.0, "p99": 100.0, "max": 100.0 }));
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(Vec::new()), None);
    }
}
