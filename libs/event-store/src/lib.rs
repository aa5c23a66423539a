//! An append-only store of events: streams with versions, atomic appends over several streams, and one global order.
//!
//! Separate from the Postgres store, so that decisions, tests and other stores need no database. `contract` (a feature)
//! is the suite that every store must pass; [`MemoryStore`] is the store for tests.

mod append;
#[cfg(feature = "contract")]
pub mod contract;
mod cursor;
mod event;
mod memory;
mod selection;
mod store;
mod stream;
mod streaming;
mod subscription;
mod version;

pub use append::{AppendError, AppendRequest, Appended, EVENTS_MAX, STREAMS_MAX, StreamRead, StreamWrite};
pub use cursor::{Cursor, Lag, Page};
pub use event::{NewEvent, StoredEvent};
pub use memory::MemoryStore;
pub use selection::{Selection, Slice};
pub use store::{AppendSignal, EventStore, ReadError};
pub use stream::{InvalidStreamId, StreamId};
pub use streaming::{all_events, events_of};
pub use subscription::{Subscription, SubscriptionSettings};
pub use version::{ExpectedVersion, StreamVersion};
