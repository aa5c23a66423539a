//! Streams that memory lacks, from their snapshots or from their first events. Separate from what they are folded to.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use backstitch_event_store::{StoredEvent, StreamId, StreamVersion};
use backstitch_event_store_postgres::Recovery;

use crate::event::UnreadableEvent;
use crate::load::Source;
use crate::place::Folded;

/// Streams as read, and why some could not be understood.
pub(crate) struct Read<V> {
    pub(crate) streams: HashMap<StreamId, V>,
    pub(crate) broken: HashMap<StreamId, UnreadableEvent>,
}

impl<V> Default for Read<V> {
    fn default() -> Self {
        Self { streams: HashMap::new(), broken: HashMap::new() }
    }
}

impl<V: Folded> Read<V> {
    fn fold(
        &mut self,
        events: &[StoredEvent],
        mut apply: impl FnMut(&mut V, &StoredEvent) -> Result<(), UnreadableEvent>,
    ) -> u64 {
        let mut folded = 0;
        for stored in events {
            let Some(value) = self.streams.get_mut(&stored.stream) else { continue };
            // The event that a snapshot stands at is in it.
            if stored.version <= value.place().version {
                continue;
            }
            folded += 1;
            if let Err(error) = apply(value, stored) {
                tracing::error!(stream = %stored.stream, version = %stored.version, %error, "a stored event is unreadable");
                self.streams.remove(&stored.stream);
                self.broken.insert(stored.stream.clone(), error);
            }
        }
        folded
    }

    /// Begins at snapshots; answers the streams that have to be read from their first event, their snapshot being none
    /// of theirs.
    fn begin_at(&mut self, recovery: &mut Recovery) -> HashSet<StreamId> {
        let mut anew = HashSet::new();
        let snapshots = std::mem::take(&mut recovery.snapshots);
        if snapshots.is_empty() {
            return anew;
        }
        // From the back, so that a stream's first event is the one that stays.
        let firsts: HashMap<&StreamId, &StoredEvent> =
            recovery.events.iter().rev().map(|stored| (&stored.stream, stored)).collect();
        for snapshot in snapshots {
            let (stream, event) = (snapshot.stream.clone(), firsts.get(&snapshot.stream).copied());
            match V::of(snapshot, event) {
                Ok(value) => drop(self.streams.insert(stream, value)),
                Err(why) => {
                    tracing::warn!(%stream, %why, "a snapshot is passed over, and taken anew");
                    anew.insert(stream);
                }
            }
        }
        recovery.events.retain(|stored| !anew.contains(&stored.stream));
        anew
    }
}

/// What is read, and from what it may begin.
pub(crate) struct How {
    /// For metrics: `own` or `shared`.
    pub(crate) streams: &'static str,
    /// The form of snapshots; none are looked for without.
    pub(crate) form: Option<i32>,
}

/// Brings streams to their newest event, in one round trip; in a second one those whose snapshot is of no use.
pub(crate) async fn recover<V: Folded>(
    unread: Vec<(StreamId, V)>,
    how: How,
    source: &mut impl Source,
    mut apply: impl FnMut(&mut V, &StoredEvent) -> Result<(), UnreadableEvent>,
) -> Result<Read<V>, sqlx::Error> {
    let mut read = Read::default();
    if unread.is_empty() {
        return Ok(read);
    }
    let began = Instant::now();
    let asked: Vec<_> = unread.iter().map(|(stream, value)| (stream.clone(), value.place().version)).collect();
    let mut recovery = match how.form {
        Some(form) => source.recover(&asked, form).await?,
        None => Recovery { snapshots: Vec::new(), events: source.load(&asked).await? },
    };
    read.streams.extend(unread);
    let from_snapshots = recovery.snapshots.len();
    let anew: Vec<_> = read.begin_at(&mut recovery).into_iter().map(|stream| (stream, StreamVersion::NONE)).collect();
    let from_snapshots = from_snapshots - anew.len();
    if !anew.is_empty() {
        recovery.events.extend(source.load(&anew).await?);
    }
    let folded = read.fold(&recovery.events, &mut apply);
    let tell = |from, streams: usize| {
        let labels = [("streams", how.streams), ("from", from)];
        metrics::counter!("participant_recoveries_total", &labels).increment(streams as u64);
    };
    tell("snapshot", from_snapshots);
    tell("events", asked.len() - from_snapshots);
    metrics::counter!("participant_recovered_events_total", "streams" => how.streams).increment(folded);
    metrics::histogram!("participant_recovery_seconds", "streams" => how.streams).record(began.elapsed());
    Ok(read)
}
