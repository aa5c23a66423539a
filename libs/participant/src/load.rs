//! Reading what a batch needs: own streams that memory lacks in one round trip, then the shared streams, locked.
//! Separate from deciding, which does no I/O. The reads go through [`Source`], so that tests can decide without a
//! database.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use backstitch_event_store::{StoredEvent, StreamId, StreamVersion};
use backstitch_event_store_postgres::{insert_missing_heads, load_many, lock_heads};
use backstitch_processor::Database;
use sqlx::PgConnection;

use crate::Participant;
use crate::append::add_append;
use crate::cache::Cache;
use crate::draft::Placed;
use crate::event::UnreadableEvent;
use crate::record::{Entry, Record, RecordOf, read_domain};
use crate::shared::Shared;

/// Where streams are read and locked.
#[async_trait]
pub trait Source: Send {
    /// Many streams, each after a version.
    ///
    /// # Errors
    /// The database's.
    async fn load(&mut self, streams: &[(StreamId, StreamVersion)]) -> Result<Vec<StoredEvent>, sqlx::Error>;

    /// Locks heads until the batch is written; `may_be_missing`: some may have to be inserted first.
    ///
    /// # Errors
    /// The database's.
    async fn lock(
        &mut self,
        streams: &BTreeSet<StreamId>,
        may_be_missing: bool,
    ) -> Result<BTreeMap<StreamId, StreamVersion>, sqlx::Error>;
}

/// A lane's database that keeps streams.
pub trait Streams: Source + Database {
    /// Adds events to a batch, each with the version it is to have; a stream's versions follow one another. A stream
    /// that is not where this takes it to be fails the batch as a conflict.
    fn append(batch: &mut Self::Batch, events: Vec<Placed>);
}

impl Streams for PgConnection {
    fn append(batch: &mut Self::Batch, events: Vec<Placed>) {
        add_append(batch, events);
    }
}

#[async_trait]
impl Source for PgConnection {
    async fn load(&mut self, streams: &[(StreamId, StreamVersion)]) -> Result<Vec<StoredEvent>, sqlx::Error> {
        load_many(streams, self).await
    }

    async fn lock(
        &mut self,
        streams: &BTreeSet<StreamId>,
        may_be_missing: bool,
    ) -> Result<BTreeMap<StreamId, StreamVersion>, sqlx::Error> {
        if may_be_missing {
            insert_missing_heads(streams, self).await?;
        }
        lock_heads(streams, &BTreeSet::new(), self).await
    }
}

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

impl<V> Read<V> {
    fn fold(
        &mut self,
        events: &[StoredEvent],
        mut apply: impl FnMut(&mut V, &StoredEvent) -> Result<(), UnreadableEvent>,
    ) {
        for stored in events {
            if self.broken.contains_key(&stored.stream) {
                continue;
            }
            let Some(value) = self.streams.get_mut(&stored.stream) else { continue };
            if let Err(error) = apply(value, stored) {
                tracing::error!(stream = %stored.stream, version = %stored.version, %error, "a stored event is unreadable");
                self.streams.remove(&stored.stream);
                self.broken.insert(stored.stream.clone(), error);
            }
        }
    }
}

/// Reads own streams from their beginning. Snapshots, once there are any, are where this would begin instead.
pub(crate) async fn read_own<P: Participant>(
    participant: &P,
    streams: BTreeSet<StreamId>,
    source: &mut impl Source,
) -> Result<Read<RecordOf<P>>, sqlx::Error> {
    if streams.is_empty() {
        return Ok(Read::default());
    }
    let asked: Vec<_> = streams.into_iter().map(|stream| (stream, StreamVersion::NONE)).collect();
    let events = source.load(&asked).await?;
    let streams = asked.into_iter().map(|(stream, _)| (stream, Record::default())).collect();
    let mut read = Read { streams, broken: HashMap::new() };
    read.fold(&events, |record, stored| {
        let entry = Entry::read(&stored.event)?;
        record.apply(participant, &stored.stream, &entry, &stored.event);
        Ok(())
    });
    Ok(read)
}

/// Locks shared streams in the order of their names. What is in memory is used up to its version; the rest is read.
pub(crate) async fn lock_shared<P: Participant>(
    participant: &P,
    streams: BTreeSet<StreamId>,
    cache: &mut Cache<Shared<P::Shared>>,
    source: &mut impl Source,
) -> Result<Read<Shared<P::Shared>>, sqlx::Error> {
    let mut read = Read::default();
    if streams.is_empty() {
        return Ok(read);
    }
    read.streams = streams.iter().map(|stream| (stream.clone(), cache.take(stream).unwrap_or_default())).collect();
    // A head that was ever seen with events exists.
    let may_be_missing = read.streams.values().any(|shared| shared.version == StreamVersion::NONE);
    let heads = source.lock(&streams, may_be_missing).await?;
    let mut behind = Vec::new();
    for (stream, shared) in &mut read.streams {
        let head = heads.get(stream).copied().unwrap_or_default();
        if shared.version > head {
            // Only after a restore: what memory has never happened.
            *shared = Shared::default();
        }
        if shared.version < head {
            behind.push((stream.clone(), shared.version));
        }
    }
    if !behind.is_empty() {
        let events = source.load(&behind).await?;
        read.fold(&events, |shared, stored| {
            participant.evolve_shared(&mut shared.state, &read_domain(&stored.event)?);
            shared.version = stored.version;
            Ok(())
        });
    }
    Ok(read)
}
