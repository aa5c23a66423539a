//! How patient calls are. Separate, because it is a section of services' configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Timeouts, delays and limits of calls to one foreign system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallSettings {
    /// How long one attempt may take, in milliseconds.
    pub timeout_ms: u64,
    /// The delay before the second attempt, in milliseconds; each later one is twice the one before, plus jitter.
    pub delay_first_ms: u64,
    /// No delay is longer, jitter apart, in milliseconds.
    pub delay_max_ms: u64,
    /// How many attempts in a row, over all calls, may fail before the breaker opens.
    pub breaker_failures_max: u32,
    /// How long the open breaker lets nothing through, in milliseconds.
    pub breaker_open_ms: u64,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            timeout_ms: 5_000,
            delay_first_ms: 100,
            delay_max_ms: 5_000,
            breaker_failures_max: 20,
            breaker_open_ms: 2_000,
        }
    }
}

impl CallSettings {
    /// How long one attempt may take.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// How long the open breaker lets nothing through.
    #[must_use]
    pub const fn breaker_open(&self) -> Duration {
        Duration::from_millis(self.breaker_open_ms)
    }
}
