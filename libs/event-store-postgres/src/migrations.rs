//! The store's tables, as migrations numbered from 2001, so that a service can run them beside others.

use sqlx::PgPool;
use sqlx::migrate::Migrator;

/// The store's tables; run before the service's own.
#[must_use]
pub fn migrations() -> Migrator {
    let mut migrations = sqlx::migrate!("./migrations");
    // Several crates keep tables in one database, each with its own range of versions.
    migrations.set_ignore_missing(true);
    migrations
}

/// A selection of the global order that can have an index of its own, so that a subscription to few of many events reads
/// those alone. Without one, it walks the order and passes over the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelectionIndex {
    /// [`backstitch_event_store::Selection::Types`].
    Types,
    /// [`backstitch_event_store::Selection::Categories`].
    Categories,
    /// [`backstitch_event_store::Selection::Flow`].
    Flows,
}

/// Chooses which selections have an index: at first all. Each costs every append an entry; so a store whose subscribers
/// read everything, or whose streams are all of one category, does well to keep none. To be called with the migrations:
/// an index over many events takes its time, and appends wait for it.
///
/// # Errors
/// The database's error.
pub async fn index_selections(wanted: &[SelectionIndex], pool: &PgPool) -> Result<(), sqlx::Error> {
    let names: Vec<&str> = wanted
        .iter()
        .map(|selection| match selection {
            SelectionIndex::Types => "types",
            SelectionIndex::Categories => "categories",
            SelectionIndex::Flows => "flows",
        })
        .collect();
    sqlx::query("SELECT store.index_selections($1)").bind(names).execute(pool).await.map(drop)
}
