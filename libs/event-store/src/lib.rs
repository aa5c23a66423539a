//! An append-only store of events: streams with versions, atomic appends over several streams, one global order, and
//! what a team builds on them: commands, aggregates with snapshots, subscriptions, upcasters.
//!
//! Separate from the Postgres store, so that decisions, tests and other stores need no database. [`MemoryStore`] is the
//! store for tests. Features: `contract` is the suite that every store must pass; `testing` has a store that misbehaves
//! ([`chaos`]) and commands as stories ([`given`]).

mod aggregate;
mod aggregates;
mod append;
#[cfg(feature = "testing")]
pub mod chaos;
mod command;
#[cfg(feature = "contract")]
pub mod contract;
mod cursor;
mod data;
mod event;
mod execute;
mod flow;
#[cfg(feature = "testing")]
pub mod given;
mod memory;
mod retry;
mod selection;
mod snapshot;
mod store;
mod stream;
mod streaming;
mod subscription;
mod upcasting;
mod version;

pub use aggregate::Aggregate;
pub use aggregates::{Aggregates, AsOf, LoadError, Recovered};
pub use append::{AppendError, AppendRequest, Appended, EVENTS_MAX, STREAMS_MAX, StreamRead, StreamWrite};
pub use backstitch_upcaster as upcaster;
pub use command::{Command, Facts, Streams};
pub use cursor::{Cursor, Lag, Page};
pub use data::{DataError, EventData};
pub use event::{NewEvent, StoredEvent};
pub use execute::{CommandError, Executed, execute};
pub use flow::Flow;
pub use memory::MemoryStore;
pub use retry::{DecideError, Loaded, RetryPolicy, decide_and_append};
pub use selection::{Selection, Share, Slice};
pub use snapshot::{MemorySnapshots, Snapshot, SnapshotStore};
pub use store::{AppendSignal, EventStore, ReadError};
pub use stream::{InvalidStreamId, StreamId};
pub use streaming::{all_events, events_of};
pub use subscription::{Subscription, SubscriptionSettings};
pub use upcasting::UpcastingStore;
pub use version::{ExpectedVersion, StreamVersion};
