//! How long a caller waits to see what a command leads to.

use std::time::Duration;

use backstitch_service_kit::http::Problem;
use serde::Deserialize;
use utoipa::IntoParams;

/// The query of calls that can wait.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WaitQuery {
    /// Seconds to wait for the outcome, from 0 to 20; without it nothing is waited for.
    pub wait: Option<f64>,
}

/// A time to wait, and how often to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience(Duration);

const SECONDS_MAX: f64 = 20.0;
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const LOOK_AGAIN_LONGEST: Duration = Duration::from_millis(200);

impl WaitQuery {
    /// The time asked for.
    ///
    /// # Errors
    /// A [`Problem`] if it is negative, too long or no number.
    pub fn patience(self) -> Result<Patience, Problem> {
        let seconds = self.wait.unwrap_or_default();
        if (0.0..=SECONDS_MAX).contains(&seconds) {
            return Ok(Patience(Duration::from_secs_f64(seconds)));
        }
        let detail = format!("`wait` should be from 0 to {SECONDS_MAX} seconds");
        Err(Problem::bad_request("wait_out_of_range", detail))
    }
}

impl Patience {
    /// How long.
    #[must_use]
    pub const fn total(self) -> Duration {
        self.0
    }

    pub(crate) const fn pauses(self) -> Pauses {
        Pauses(LOOK_AGAIN)
    }
}

/// Growing pauses between looks.
pub(crate) struct Pauses(Duration);

impl Pauses {
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(LOOK_AGAIN_LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_less_than_nothing_or_for_ever() {
        for wait in [-1.0, 20.1, f64::NAN, f64::INFINITY] {
            assert!(WaitQuery { wait: Some(wait) }.patience().is_err(), "{wait}");
        }
        assert_eq!(WaitQuery { wait: None }.patience().unwrap(), Patience(Duration::ZERO));
        assert_eq!(WaitQuery { wait: Some(1.5) }.patience().unwrap().total(), Duration::from_millis(1_500));
    }
}
