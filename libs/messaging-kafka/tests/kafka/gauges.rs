//! The gauges as an operator would see them. Separate, because a recorder is wide and the scenario is short.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use metrics::{Counter, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use tokio::sync::watch;

static SEEN: LazyLock<watch::Sender<BTreeMap<String, f64>>> = LazyLock::new(|| {
    metrics::set_global_recorder(Recording).expect("the only recorder");
    watch::Sender::new(BTreeMap::new())
});

/// Every gauge from now on, by name and labels as Prometheus writes them.
pub(crate) fn gauges() -> watch::Receiver<BTreeMap<String, f64>> {
    SEEN.subscribe()
}

struct Recording;

struct Recorded(String);

impl GaugeFn for Recorded {
    fn increment(&self, _: f64) {}

    fn decrement(&self, _: f64) {}

    fn set(&self, value: f64) {
        SEEN.send_modify(|seen| {
            seen.insert(self.0.clone(), value);
        });
    }
}

impl Recorder for Recording {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let labels: Vec<String> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Gauge::from_arc(Arc::new(Recorded(format!("{}{{{}}}", key.name(), labels.join(",")))))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
