//! What was committed and is not yet known to be on the broker. Only the lane's owner publishes, in the order of commits.

use std::collections::VecDeque;

use backstitch_messaging::{PublishError, Published, Publisher, Record};
use tokio::time::Instant;

/// Before packed records that are compressed. A row of an older release begins with how many records it holds, and none
/// holds none.
const COMPRESSED: u8 = 0;

/// Packs the records of one commit into one row. Headers and envelopes repeat themselves: a fifth is left, and so are the
/// pieces that Postgres must cut the row into, write, and delete again.
pub(crate) fn pack(records: &[Record]) -> Result<Vec<u8>, postcard::Error> {
    let plain = postcard::to_extend(records, Vec::with_capacity(records.iter().map(room_of).sum()))?;
    let mut packed = lz4_flex::compress_prepend_size(&plain);
    packed.insert(0, COMPRESSED);
    Ok(packed)
}

/// Bytes that a record takes before it is compressed, and a few more.
fn room_of(record: &Record) -> usize {
    let bytes = |field: &Option<Vec<u8>>| field.as_ref().map_or(0, Vec::len);
    let headers: usize = record.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    record.topic.len() + bytes(&record.key) + bytes(&record.value) + headers + 32
}

/// Why a row's records cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    #[error("they do not decompress")]
    Compression(#[from] lz4_flex::block::DecompressError),
    #[error("they are no records")]
    Records(#[from] postcard::Error),
}

/// The inverse of [`pack`]; also of rows that an older release left.
pub(crate) fn unpack(bytes: &[u8]) -> Result<Vec<Record>, UnpackError> {
    match bytes.split_first() {
        Some((&COMPRESSED, packed)) => Ok(postcard::from_bytes(&lz4_flex::decompress_size_prepended(packed)?)?),
        _ => Ok(postcard::from_bytes(bytes)?),
    }
}

/// Rows are deleted by so many commits; by fewer once the lane is quiet.
const PRUNED_TOGETHER: i64 = 64;

struct Flight {
    seq: i64,
    records: usize,
    since: Instant,
    receipt: Published,
}

/// Commits on their way to the broker, oldest first.
#[derive(Default)]
pub(crate) struct Outbox {
    flights: VecDeque<Flight>,
    unpublished: usize,
    published: i64,
    /// Up to here the rows are deleted already.
    pruned: i64,
    last_seq: i64,
}

impl Outbox {
    /// After a claim: everything up to `published` is on the broker.
    pub(crate) fn after(published: i64) -> Self {
        Self { published, pruned: published, last_seq: published, ..Self::default() }
    }

    /// Hands the records of commit `seq` to the publisher.
    pub(crate) async fn publish(
        &mut self,
        seq: i64,
        records: Vec<Record>,
        publisher: &dyn Publisher,
    ) -> Result<(), PublishError> {
        let count = records.len();
        let receipt = publisher.publish(records).await?;
        self.flights.push_back(Flight { seq, records: count, since: Instant::now(), receipt });
        self.unpublished += count;
        self.last_seq = seq;
        Ok(())
    }

    /// Waits until the oldest commit is on the broker. Cancel-safe. Pending for ever when there is none.
    pub(crate) async fn oldest_published(&mut self) -> Result<(), (i64, PublishError)> {
        let Some(flight) = self.flights.front_mut() else { return std::future::pending().await };
        let answer = (&mut flight.receipt)
            .await
            .unwrap_or_else(|_| Err(PublishError::Fatal { reason: "the publisher went away".into() }));
        let Some(flight) = self.flights.pop_front() else { return Ok(()) };
        self.unpublished -= flight.records;
        // A refused commit is passed over too: its row moves to the refused ones.
        self.published = flight.seq;
        answer.map_err(|error| (flight.seq, error))
    }

    /// Records handed over and not yet known to be published.
    pub(crate) fn unpublished(&self) -> usize {
        self.unpublished
    }

    /// How long the oldest of them waits, seconds.
    pub(crate) fn age_seconds(&self) -> f64 {
        self.flights.front().map_or(0.0, |flight| flight.since.elapsed().as_secs_f64())
    }

    /// Everything up to this commit is on the broker.
    pub(crate) fn watermark(&self) -> i64 {
        self.published
    }

    /// Whether so many rows can be deleted that it is worth a part of the next statement.
    pub(crate) fn has_many_unpruned(&self) -> bool {
        self.published - self.pruned >= PRUNED_TOGETHER
    }

    /// Whether rows can be deleted that have not been.
    pub(crate) fn has_unpruned(&self) -> bool {
        self.pruned < self.published
    }

    /// The rows up to `watermark` were deleted.
    pub(crate) fn pruned_to(&mut self, watermark: i64) {
        self.pruned = watermark;
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_settled(&self) -> bool {
        self.flights.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_packed_as_ever() {
        let records = [Record::new("t", "k", vec![1, 2]).header("a", "b")];
        let as_ever = [1, 1, b't', 0, 1, 1, b'k', 1, 2, 1, 2, 1, 1, b'a', 1, b'b'];
        assert_eq!(postcard::to_stdvec(&records.as_slice()).unwrap(), as_ever);
    }

    #[test]
    fn a_commits_records_come_out_of_their_row_as_they_went_in() {
        let records = vec![
            Record::new("orders.commands", "order-1", vec![0, 1, 2]).header("saga-id", "x"),
            Record { topic: "t".into(), partition: Some(3), key: None, value: None, headers: vec![] },
        ];
        assert_eq!(unpack(&pack(&records).unwrap()).unwrap(), records);
        let by_an_older_release = postcard::to_stdvec(&records).unwrap();
        assert_eq!(unpack(&by_an_older_release).unwrap(), records);
    }
}
