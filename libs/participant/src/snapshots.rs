//! Snapshots of streams that have grown, taken beside the lanes: a lane says which are due after its commit and goes on.
//! Separate from reading them, which nothing here waits for.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::time::Instant;

use backstitch_event_store::{Snapshot, StreamId, StreamVersion};
use backstitch_event_store_postgres::keep_many;
use serde_json::Value;
use sqlx::PgPool;
use tokio::sync::mpsc;

use crate::place::Folded;

/// Snapshots that may wait to be kept; one more is left for the next time its stream is written or read.
const WAITING_MAX: usize = 256;
/// Snapshots kept by one statement.
const STATEMENT_MAX: usize = 64;

/// Takes snapshots for all lanes of a process. Losing one costs time when its stream is read next, and nothing else.
///
/// Metrics: `participant_snapshots_total` (by `outcome`: `kept`, `left`, `failed`), `participant_snapshot_seconds` (a
/// statement's).
#[derive(Debug, Clone)]
pub struct Snapshots {
    every: NonZeroU64,
    due: mpsc::Sender<Due>,
}

/// A snapshot that is due; its state is made where nobody waits for it.
pub(crate) struct Due {
    stream: StreamId,
    version: StreamVersion,
    form: i32,
    state: Box<dyn FnOnce() -> serde_json::Result<Value> + Send>,
}

impl Snapshots {
    /// One every so many events of each stream, kept in this database. Needs a Tokio runtime for the task that takes them,
    /// which ends with the last clone of this.
    #[must_use]
    pub fn start(every: NonZeroU64, pool: PgPool) -> Self {
        let (due, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(take(waiting, pool));
        Self { every, due }
    }

    /// The same, for whoever keeps them by other means.
    #[cfg(any(test, feature = "contract"))]
    pub(crate) fn waiting(every: NonZeroU64) -> (Self, mpsc::Receiver<Due>) {
        let (due, waiting) = mpsc::channel(WAITING_MAX);
        (Self { every, due }, waiting)
    }

    /// Has a snapshot taken if one is due. Never waits.
    pub(crate) fn look_at<V: Folded>(&self, stream: &StreamId, folded: &mut V, form: i32) {
        let place = *folded.place();
        if place.version.0 < place.snapshot.0.saturating_add(self.every.get()) {
            return;
        }
        let copy = folded.clone();
        let state = Box::new(move || serde_json::to_value(copy));
        match self.due.try_send(Due { stream: stream.clone(), version: place.version, form, state }) {
            Ok(()) => folded.place_mut().snapshot = place.version,
            Err(_) => count("left", 1),
        }
    }
}

impl Due {
    pub(crate) fn snapshot(self) -> serde_json::Result<Snapshot> {
        let Self { stream, version, form, state } = self;
        Ok(Snapshot { stream, version, state_version: form, state: state()? })
    }
}

impl std::fmt::Debug for Due {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.stream, self.version)
    }
}

async fn take(mut waiting: mpsc::Receiver<Due>, pool: PgPool) {
    let mut due = Vec::new();
    while waiting.recv_many(&mut due, STATEMENT_MAX).await > 0 {
        let began = Instant::now();
        let snapshots = newest_of_each(due.drain(..));
        let many = snapshots.len() as u64;
        match keep_many(snapshots, &pool).await {
            Ok(()) => count("kept", many),
            Err(error) => {
                tracing::warn!(%error, many, "snapshots were not kept");
                count("failed", many);
            }
        }
        metrics::histogram!("participant_snapshot_seconds").record(began.elapsed());
    }
}

/// A statement must not touch a row twice.
fn newest_of_each(due: impl Iterator<Item = Due>) -> Vec<Snapshot> {
    let mut newest: HashMap<StreamId, Due> = HashMap::new();
    for due in due {
        match newest.get(&due.stream) {
            Some(other) if (other.form, other.version) >= (due.form, due.version) => {}
            _ => drop(newest.insert(due.stream.clone(), due)),
        }
    }
    let made = newest.into_values().filter_map(|due| match due.snapshot() {
        Ok(snapshot) => Some(snapshot),
        Err(error) => {
            tracing::warn!(%error, "a state has no form that could be kept");
            count("failed", 1);
            None
        }
    });
    made.collect()
}

fn count(outcome: &'static str, snapshots: u64) {
    metrics::counter!("participant_snapshots_total", "outcome" => outcome).increment(snapshots);
}
