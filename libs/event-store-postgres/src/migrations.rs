//! The store's tables, as migrations numbered from 2001, so that a service can run them beside others.

use sqlx::migrate::Migrator;

/// The store's tables; run before the service's own.
#[must_use]
pub fn migrations() -> Migrator {
    let mut migrations = sqlx::migrate!("./migrations");
    // Several crates keep tables in one database, each with its own range of versions.
    migrations.set_ignore_missing(true);
    migrations
}
