//! The event store on Postgres: the only crate that has SQL on the tables of events.
//!
//! Two ways to write. [`PostgresStore`] appends in statements of its own, many at once. [`append_sql`] has the same
//! writes as parts of a larger statement, for lanes that write events, offsets and outbox in one round trip.

pub mod append_sql;
mod appender;
mod batch;
mod failure;
mod heads;
mod housekeeping;
mod migrations;
mod reads;
mod recovery;
mod rows;
mod settings;
mod signal;
mod snapshots;
mod store;

pub use heads::{insert_missing_heads, lock_heads};
pub use migrations::{SelectionIndex, index_selections, migrations};
pub use recovery::{Recovery, recover_many};
pub use rows::{EventColumns, HeadColumns, load_many};
pub use settings::StoreSettings;
pub use snapshots::{PostgresSnapshots, keep_many};
pub use store::PostgresStore;
