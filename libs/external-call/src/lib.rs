//! Calls to foreign systems, made until their outcome is certain: timeout, retry with jitter, circuit breaker. A crate of
//! its own, because payment and shipping need the same patience and neither should own the other's.
//!
//! A call must carry an idempotency key, or be harmless to repeat: it *will* be repeated.

mod breaker;
mod certainty;
mod reply;
mod settings;

pub use breaker::{Breaker, BreakerState, Permit};
pub use certainty::Calls;
pub use reply::{Reply, Uncertain, read};
pub use settings::CallSettings;
