//! The developer's tool behind `cargo xtask`: a real Kafka, registry and Postgres as local processes, the services on top of them,
//! and the stages of the test run.
//!
//! A library beside the binary, so that system tests start, kill and restart the same components by the same code.

pub mod artifacts;
pub mod commands;
pub mod java;
pub mod machine;
pub mod progress;
pub mod stack;
pub mod wheel;
