//! The orchestrator: the saga engine on lanes, its durable state, and the ways to look at and steer it. No rule about
//! sagas lives here; those are in `backstitch-saga`.

pub mod api;
pub mod definitions;
pub mod deployed;
pub mod engine;
pub mod lane;
pub mod outgoing;
#[cfg(test)]
#[cfg(feature = "system")]
mod own_database;
pub mod participants;
pub mod retention;
pub mod route;
#[cfg(test)]
mod samples;
pub mod settings;
pub mod store;
mod time;

/// The orchestrator's tables; run after the processor's.
#[must_use]
pub fn migrations() -> sqlx::migrate::Migrator {
    let mut migrations = sqlx::migrate!("./migrations");
    // The processor keeps its tables in the same database.
    migrations.set_ignore_missing(true);
    migrations
}
