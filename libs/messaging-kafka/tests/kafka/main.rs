//! The real broker at `KAFKA_BOOTSTRAP`: the contract it shares with the in-memory one, and what it alone can show.

#![expect(clippy::expect_used, reason = "a scenario that cannot go on has failed")]

mod alone;
mod broker;
mod contract;
mod gauges;
#[path = "../suite/mod.rs"]
mod suite;
