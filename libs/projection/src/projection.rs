//! What a read model adds to the library: its topics, its tables, and what an event does to them.

use async_trait::async_trait;
use backstitch_contracts::{Envelope, Payload};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// An event as a projection sees it.
#[derive(Debug, Clone)]
pub struct Event {
    /// The topic it was read from.
    pub topic: String,
    /// Its content, upcast to the newest version.
    pub envelope: Envelope,
}

impl Event {
    /// When it happened.
    #[must_use]
    pub const fn at(&self) -> DateTime<Utc> {
        self.envelope.occurred_at
    }

    /// Its data as a `T`.
    ///
    /// # Errors
    /// [`Unfit`] if it is none.
    pub fn typed<T: Payload>(&self) -> Result<T, Unfit> {
        self.envelope.typed().map_err(|error| Unfit::new("invalid", crate::error::chain(&error)))
    }
}

/// Why an event cannot be taken in: it is set aside, and the projection goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Unfit {
    /// A stable word for grouping.
    pub reason: &'static str,
    /// What exactly is wrong, for a person.
    pub detail: String,
}

impl Unfit {
    /// For this reason.
    pub fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// A version's tables. All names are unqualified: each version has a schema of its own.
#[derive(Debug, Clone, Copy)]
pub struct Tables {
    /// Creates them, with their indexes.
    pub ddl: &'static str,
    /// Those that queries see, as views of the same names in the schema `read`.
    pub shown: &'static [&'static str],
    /// Those that are equal, row by row, in two versions that have read the same events.
    pub compared: &'static [&'static str],
}

/// A read model.
///
/// Its rows must be a function of the *set* of events, in whatever order topics are read, but for the order within one
/// key of one topic: a rebuild reads topics in another order than they once came, and a repeated event changes nothing.
#[async_trait]
pub trait Projection: Send + Sync + 'static {
    /// What an event says about this read model.
    type Fact: Clone + Send + Sync + 'static;

    /// Its name: lower case, digits and underscores, at most 40 characters.
    fn name(&self) -> &'static str;

    /// The version of tables and folds, from 1. Raise it when either changes: the tables are then built anew beside
    /// those that serve.
    fn shape(&self) -> i32;

    /// The topics it reads. The partitions of the first are its lanes, which replicas share out among them.
    fn topics(&self) -> &'static [&'static str];

    /// Its tables.
    fn tables(&self) -> Tables;

    /// What the event says; `None` if nothing that matters here. Pure.
    ///
    /// # Errors
    /// [`Unfit`] sets it aside.
    fn read(&self, event: &Event) -> Result<Option<Self::Fact>, Unfit>;

    /// Takes facts in, in their order, by few statements however many they are. The connection is in the transaction
    /// that also moves the checkpoint, and finds the version's tables by their bare names.
    ///
    /// # Errors
    /// The database's: refused data is looked for and set aside, an outage is waited out.
    async fn apply(&self, facts: Vec<Self::Fact>, db: &mut PgConnection) -> Result<(), sqlx::Error>;
}
