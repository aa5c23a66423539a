//! The one processor under all services: a batch of inputs → decisions → one Postgres statement → publication.
//!
//! It owns what every lane needs (ownership, offsets, order, outbox, timers, external calls, dead letters); what a
//! service decides comes in as a [`Logic`]. No domain word belongs here.

mod batch;
mod chain;
mod claim;
mod clock;
mod database;
mod dead_letter;
mod decode;
mod effects;
mod gate;
mod group;
mod home;
mod input;
mod logic;
mod outbox;
mod patience;
mod runner;
mod session;
mod statement;
mod timers;
mod trace;
mod verdict;
mod write;

pub use chain::chain;
pub use database::{Claim, Database, Store};
pub use effects::{Effects, TimerChange};
pub use gate::Positions;
pub use input::{Answered, Input, Job, Message, Timer};
pub use logic::{Caller, Loading, Logic, LogicOn, NoCalls, Rejection, Use};
pub use runner::{Health, Ports, Processor, ProcessorError, Settings};
pub use statement::{CONFLICT, Cell, FENCED, Part, Statement};
pub use write::Fence;

/// The processor's tables; run before the service's own.
#[must_use]
pub fn migrations() -> sqlx::migrate::Migrator {
    let mut migrations = sqlx::migrate!("./migrations");
    // Several crates keep tables in one database, each with its own range of versions.
    migrations.set_ignore_missing(true);
    migrations
}
