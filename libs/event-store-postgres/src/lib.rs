//! The event store on Postgres: the only crate that has SQL on the tables of events.
//!
//! Two ways to write. [`PostgresStore`] appends in a transaction of its own. [`append_sql`] has the same writes as parts
//! of a larger statement, for lanes that write events, offsets and outbox in one round trip.

pub mod append_sql;
mod heads;
mod migrations;
mod rows;
mod store;

pub use heads::{insert_missing_heads, lock_heads};
pub use migrations::migrations;
pub use rows::{EventColumns, HeadColumns, load_many};
pub use store::PostgresStore;
