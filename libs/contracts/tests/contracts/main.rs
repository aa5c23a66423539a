//! What the messages promise, held against the schema files and against `apache-avro`. One program, so that its parts
//! share their sample messages.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod catalog;
mod compatibility;
mod docs;
mod encoding;
mod evolution;
mod golden;
mod hostile;
mod released;
mod samples;
mod upcasting;
mod wire;
