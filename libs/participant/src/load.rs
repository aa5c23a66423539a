//! Reading what a batch needs: own streams that memory lacks in one round trip, then the shared streams, locked.
//! Separate from deciding, which does no I/O. The reads go through [`Source`], so that tests can decide without a
//! database.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use backstitch_event_store::{StoredEvent, StreamId, StreamVersion};
use backstitch_event_store_postgres::{Recovery, insert_missing_heads, load_many, lock_heads, recover_many};
use backstitch_processor::Database;
use sqlx::PgConnection;

use crate::Participant;
use crate::append::add_append;
use crate::cache::Cache;
use crate::draft::Placed;
use crate::record::{Entry, RECORD_VERSION, RecordOf, read_domain};
use crate::recover::{How, Read, recover};
use crate::shared::Shared;

/// Where streams are read and locked.
#[async_trait]
pub trait Source: Send {
    /// Many streams, each after a version.
    ///
    /// # Errors
    /// The database's.
    async fn load(&mut self, streams: &[(StreamId, StreamVersion)]) -> Result<Vec<StoredEvent>, sqlx::Error>;

    /// The same; a stream that is asked for from its beginning may come from its newest snapshot of that form on, its first
    /// event being the one that the snapshot stands at. A source without snapshots has none.
    ///
    /// # Errors
    /// The database's.
    async fn recover(
        &mut self,
        streams: &[(StreamId, StreamVersion)],
        _state_version: i32,
    ) -> Result<Recovery, sqlx::Error> {
        Ok(Recovery { snapshots: Vec::new(), events: self.load(streams).await? })
    }

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
    fn append(batch: &mut Self::Batch, events: Vec<Placed>, writers: Writers);
}

/// Who writes the streams of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writers {
    /// One lane each, whose transactions follow one another under each owner, and whose owners do, too.
    InTurn,
    /// Some are shared: other lanes' transactions overlap.
    AtOnce,
}

impl Streams for PgConnection {
    fn append(batch: &mut Self::Batch, events: Vec<Placed>, writers: Writers) {
        add_append(batch, events, writers);
    }
}

#[async_trait]
impl Source for PgConnection {
    async fn load(&mut self, streams: &[(StreamId, StreamVersion)]) -> Result<Vec<StoredEvent>, sqlx::Error> {
        load_many(streams, self).await
    }

    async fn recover(
        &mut self,
        streams: &[(StreamId, StreamVersion)],
        state_version: i32,
    ) -> Result<Recovery, sqlx::Error> {
        recover_many(streams, state_version, self).await
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

/// Which form an own stream's snapshots have: the library's and the service's, so that raising either makes a new one.
pub(crate) fn own_form<P: Participant>() -> i32 {
    RECORD_VERSION * 1_000_000 + i32::try_from(P::STATE_VERSION).unwrap_or(i32::MAX).clamp(0, 999_999)
}

/// Which form a shared stream's snapshots have.
pub(crate) fn shared_form<P: Participant>() -> i32 {
    i32::try_from(P::SHARED_VERSION).unwrap_or(i32::MAX).clamp(0, 999_999)
}

/// Reads own streams; from their snapshots, if there are to be any.
pub(crate) async fn read_own<P: Participant>(
    participant: &P,
    snapshots: bool,
    streams: BTreeSet<StreamId>,
    source: &mut impl Source,
) -> Result<Read<RecordOf<P>>, sqlx::Error> {
    let unread = streams.into_iter().map(|stream| (stream, RecordOf::<P>::default())).collect();
    let how = How { streams: "own", form: snapshots.then(own_form::<P>) };
    recover(unread, how, source, |record, stored| {
        let entry = Entry::read(&stored.event)?;
        record.apply(participant, &stored.stream, &entry, &stored.event);
        Ok(())
    })
    .await
}

/// Locks shared streams in the order of their names. What is in memory is used up to its version; the rest is read.
pub(crate) async fn lock_shared<P: Participant>(
    participant: &P,
    snapshots: bool,
    streams: BTreeSet<StreamId>,
    cache: &mut Cache<Shared<P::Shared>>,
    source: &mut impl Source,
) -> Result<Read<Shared<P::Shared>>, sqlx::Error> {
    if streams.is_empty() {
        return Ok(Read::default());
    }
    let mut held: Vec<(StreamId, Shared<P::Shared>)> =
        streams.iter().map(|stream| (stream.clone(), cache.take(stream).unwrap_or_default())).collect();
    // A head that was ever seen with events exists.
    let may_be_missing = held.iter().any(|(_, shared)| shared.at.version == StreamVersion::NONE);
    let heads = source.lock(&streams, may_be_missing).await?;
    for (stream, shared) in &mut held {
        if shared.at.version > heads.get(stream).copied().unwrap_or_default() {
            // Only after a restore: what memory has never happened.
            *shared = Shared::default();
        }
    }
    let is_behind = |(stream, shared): &(StreamId, Shared<P::Shared>)| {
        shared.at.version < heads.get(stream).copied().unwrap_or_default()
    };
    let (behind, current): (Vec<_>, Vec<_>) = held.into_iter().partition(is_behind);
    let how = How { streams: "shared", form: snapshots.then(shared_form::<P>) };
    let mut read = recover(behind, how, source, |shared, stored| {
        participant.evolve_shared(&mut shared.state, &read_domain(&stored.event)?);
        shared.at.pass(stored.event.event_id);
        Ok(())
    })
    .await?;
    read.streams.extend(current);
    Ok(read)
}
