//! Read models: events folded into tables of a database of their own, and rebuilt beside the one that serves.
//!
//! A [`Projection`] says which topics it reads and what an event does to its rows. [`Projections`] does the rest for all
//! of a process's projections: it reads partitions, applies batches in one transaction with the checkpoint, sets aside
//! what cannot be taken in, and drives rebuilds through to the swap. [`admin`] is what people ask for. No domain word
//! belongs here.

pub mod admin;
mod apply;
mod checkpoint;
mod claims;
mod drive;
mod error;
mod lane;
mod layout;
mod membership;
mod place;
mod projection;
mod rows;
mod runner;
mod source;
mod status;
mod supervisor;
mod swap;
mod verify;

pub use error::ApplyError;
pub use layout::{InstallError, install};
pub use projection::{Event, Projection, Tables, Unfit};
pub use rows::{Sums, Table};
pub use source::{Inboxes, JoinError, Published, Sources, StoreSource};
pub use status::{PartitionStatus, State, VersionStatus, list};
pub use supervisor::{Health, Projections, Settings};
pub use verify::{Difference, Verdict};

/// The library's tables in a read database.
#[must_use]
pub fn migrations() -> sqlx::migrate::Migrator {
    let mut migrations = sqlx::migrate!("./migrations");
    // Several crates may keep tables in one database, each with its own range of versions.
    migrations.set_ignore_missing(true);
    migrations
}
