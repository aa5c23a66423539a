//! The journal as it is stored and published, today and by earlier releases.

// The lint's leave for tests does not reach what tests share.
#![allow(clippy::unwrap_used)]

mod released;
mod schemas;
mod stories;
