//! Many appends as the arguments of one statement, and its answer as a verdict each. Pure and apart from the connection,
//! because what is folded here is what must come out again.

use std::collections::BTreeMap;

use backstitch_event_store::{
    AppendError, AppendRequest, Appended, Cursor, ExpectedVersion, NewEvent, StreamId, StreamVersion,
};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::types::Json;
use sqlx::types::chrono::{DateTime, Utc};
use sqlx::{Postgres, Row as _};
use uuid::Uuid;

/// The database's own function; its text says what each argument is.
const APPEND: &str =
    "SELECT * FROM store.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";

/// One stream of one append.
#[derive(Debug, PartialEq, Eq)]
struct Claim<'a> {
    append: usize,
    stream: &'a StreamId,
    expected: ExpectedVersion,
    events: usize,
}

/// Appends, folded. Each must be valid by itself.
#[derive(Debug, Default)]
pub(crate) struct Batch<'a> {
    streams: BTreeMap<&'a StreamId, bool>,
    claims: Vec<Claim<'a>>,
    events: Vec<(usize, usize, &'a NewEvent)>,
    appends: usize,
}

/// What the database answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    /// For each claim, the version before.
    pub(crate) bases: Vec<i64>,
    /// For each append, the claim (from 1) that was not as expected.
    pub(crate) conflicts: Vec<i32>,
    /// For each event written.
    pub(crate) positions: Vec<i64>,
    pub(crate) transaction: i64,
}

impl<'a> Batch<'a> {
    pub(crate) fn of(requests: impl IntoIterator<Item = &'a AppendRequest>) -> Self {
        let mut batch = Self::default();
        for request in requests {
            batch.push(request);
        }
        batch
    }

    fn push(&mut self, request: &'a AppendRequest) {
        self.appends += 1;
        for write in &request.writes {
            self.streams.insert(&write.stream, true);
            self.claim(&write.stream, write.expected, write.events.len());
            let claim = self.claims.len();
            self.events.extend(write.events.iter().enumerate().map(|(nth, event)| (claim, nth + 1, event)));
        }
        for read in &request.reads {
            self.streams.entry(&read.stream).or_insert(false);
            self.claim(&read.stream, ExpectedVersion::Exact(read.version), 0);
        }
    }

    fn claim(&mut self, stream: &'a StreamId, expected: ExpectedVersion, events: usize) {
        self.claims.push(Claim { append: self.appends, stream, expected, events });
    }

    /// The one statement.
    pub(crate) fn query(&self) -> Query<'static, Postgres, PgArguments> {
        let places: BTreeMap<&StreamId, i32> = self.streams.keys().copied().zip(1..).collect();
        let streams: Vec<&str> = self.streams.keys().map(|stream| stream.as_str()).collect();
        let written: Vec<bool> = self.streams.values().copied().collect();
        let claims = || self.claims.iter();
        let events = || self.events.iter().map(|(_, _, event)| *event);
        sqlx::query(APPEND)
            .bind(streams)
            .bind(written)
            .bind(claims().map(|claim| int(claim.append)).collect::<Vec<_>>())
            .bind(claims().map(|claim| places.get(claim.stream).copied().unwrap_or(0)).collect::<Vec<_>>())
            .bind(claims().map(|claim| expected(claim.expected)).collect::<Vec<_>>())
            .bind(claims().map(|claim| int(claim.events)).collect::<Vec<_>>())
            .bind(self.events.iter().map(|(claim, _, _)| int(*claim)).collect::<Vec<_>>())
            .bind(self.events.iter().map(|(_, nth, _)| int(*nth)).collect::<Vec<_>>())
            .bind(events().map(|event| event.event_id).collect::<Vec<Uuid>>())
            .bind(events().map(|event| event.event_type.as_str()).collect::<Vec<_>>())
            .bind(events().map(|event| event.event_version).collect::<Vec<_>>())
            .bind(events().map(|event| event.aggregate_type.as_str()).collect::<Vec<_>>())
            .bind(events().map(|event| event.occurred_at).collect::<Vec<DateTime<Utc>>>())
            .bind(events().map(|event| event.correlation_id).collect::<Vec<_>>())
            .bind(events().map(|event| event.causation_id).collect::<Vec<Option<Uuid>>>())
            .bind(events().map(|event| event.user_id.as_deref()).collect::<Vec<Option<&str>>>())
            .bind(events().map(|event| Json(&event.data)).collect::<Vec<_>>())
            .bind(events().map(|event| Json(&event.metadata)).collect::<Vec<_>>())
    }

    /// The verdicts, in the order of the appends.
    pub(crate) fn verdicts(&self, answer: &Answer) -> Vec<Result<Appended, AppendError>> {
        let mut positions = answer.positions.iter();
        let mut verdicts: Vec<Result<Appended, AppendError>> = Vec::with_capacity(self.appends);
        for (nth, claim) in self.claims.iter().enumerate() {
            let base = StreamVersion::from_i64(answer.bases.get(nth).copied().unwrap_or(0));
            let conflict = answer.conflicts.get(claim.append - 1).copied().unwrap_or(0);
            if verdicts.len() < claim.append {
                verdicts.resize_with(claim.append, || Ok(Appended::default()));
            }
            let verdict = &mut verdicts[claim.append - 1];
            if conflict == 0 {
                let Ok(appended) = verdict else { continue };
                if claim.events > 0 {
                    let last = positions.nth(claim.events - 1).copied().unwrap_or(0);
                    let cursor = Cursor { transaction: unsigned(answer.transaction), position: unsigned(last) };
                    appended.cursor = appended.cursor.max(cursor);
                }
                if claim.is_written() {
                    appended.heads.insert(claim.stream.clone(), base.after(claim.events));
                }
            } else if conflict == int(nth + 1) {
                let (stream, expected) = (claim.stream.clone(), claim.expected);
                *verdict = Err(AppendError::Conflict { stream, expected, actual: base });
            }
        }
        // An append that names no stream has nothing to fail on.
        verdicts.resize_with(self.appends, || Ok(Appended::default()));
        verdicts
    }

    /// Whether there is nothing to ask the database.
    pub(crate) fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }
}

impl Answer {
    pub(crate) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            bases: row.try_get("bases")?,
            conflicts: row.try_get("conflicts")?,
            positions: row.try_get("positions")?,
            transaction: row.try_get::<Option<i64>, _>("transaction")?.unwrap_or(0),
        })
    }
}

impl Claim<'_> {
    // What is only read is claimed with no events; a write of no events moves nothing either.
    fn is_written(&self) -> bool {
        self.events > 0
    }
}

fn expected(expected: ExpectedVersion) -> i64 {
    match expected {
        ExpectedVersion::Any => -1,
        ExpectedVersion::NoStream => 0,
        ExpectedVersion::Exact(version) => version.as_i64(),
    }
}

fn int(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use backstitch_event_store::contract::event;

    use super::*;

    fn stream(key: &str) -> StreamId {
        StreamId::parse(format!("s-{key}")).unwrap()
    }

    #[test]
    fn each_append_gets_the_verdict_on_its_own_streams() {
        let exact = |version| ExpectedVersion::Exact(StreamVersion(version));
        let requests = [
            AppendRequest::new()
                .write(stream("a"), exact(1), vec![event("A"), event("B")])
                .read(stream("b"), StreamVersion(4)),
            AppendRequest::new(),
            AppendRequest::new().write(stream("a"), exact(1), vec![event("C")]),
            AppendRequest::new().write(stream("c"), ExpectedVersion::Any, vec![event("D")]),
        ];
        let batch = Batch::of(&requests);
        let answer =
            Answer { bases: vec![1, 4, 3, 0], conflicts: vec![0, 0, 3, 0], positions: vec![7, 8, 9], transaction: 5 };
        let verdicts = batch.verdicts(&answer);
        let appended = |key, version, position| Appended {
            heads: [(stream(key), StreamVersion(version))].into(),
            cursor: Cursor { transaction: 5, position },
        };
        assert_eq!(verdicts[0].as_ref().unwrap(), &appended("a", 3, 8));
        assert_eq!(verdicts[1].as_ref().unwrap(), &Appended::default());
        let Err(AppendError::Conflict { stream: at, actual, .. }) = &verdicts[2] else { panic!("{verdicts:?}") };
        assert_eq!((at, *actual), (&stream("a"), StreamVersion(3)));
        assert_eq!(verdicts[3].as_ref().unwrap(), &appended("c", 1, 9));
    }
}
