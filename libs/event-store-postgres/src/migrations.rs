//! The store's tables, as migrations numbered from 2001, so that a service can run them beside others.

use sqlx::migrate::Migrator;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The migrations of this crate. They share a database with others': run them with missing ones ignored.
#[must_use]
pub fn migrations() -> &'static Migrator {
    &MIGRATIONS
}
