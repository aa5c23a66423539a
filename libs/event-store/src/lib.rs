//! An append-only store of events: streams with versions, atomic appends over several streams, and one global order.
//!
//! Separate from the Postgres store, so that decisions, tests and other stores need no database. `contract` (a feature)
//! is the suite that every store must pass; [`MemoryStore`] is the store for tests.

mod append;
#[cfg(feature = "contract")]
pub mod contract;
mod event;
mod memory;
mod store;
mod stream;
mod version;

pub use append::{AppendError, AppendRequest, Appended, StreamRead, StreamWrite};
pub use event::{NewEvent, StoredEvent};
pub use memory::MemoryStore;
pub use store::{Cursor, EventStore, Page, ReadError};
pub use stream::{InvalidStreamId, StreamId};
pub use version::{ExpectedVersion, StreamVersion};
