//! Asking again until the outcome is certain. One value for each foreign system, shared by all calls to it, since they
//! share its breaker.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use crate::breaker::{Breaker, BreakerState, Permit};
use crate::reply::Uncertain;
use crate::settings::CallSettings;

/// Calls to one foreign system.
#[derive(Debug)]
pub struct Calls {
    system: &'static str,
    breaker: Mutex<Breaker>,
    settings: CallSettings,
}

impl Calls {
    /// `system` names it in logs and metrics.
    #[must_use]
    pub fn new(system: &'static str, settings: CallSettings) -> Self {
        let breaker = Breaker::new(settings.breaker_failures_max, settings.breaker_open());
        Self { system, breaker: Mutex::new(breaker), settings }
    }

    /// Makes attempts, spaced by growing delays with jitter and held back by the breaker, until one is certain. Never
    /// ends by itself otherwise: whoever wants an end drops the future, the outcome being unknown then.
    pub async fn until_certain<T, F, A>(&self, mut attempt: F) -> T
    where
        F: FnMut() -> A,
        A: Future<Output = Result<T, Uncertain>>,
    {
        let mut delays = self.delays();
        loop {
            self.permitted().await;
            match attempt().await {
                Ok(certain) => {
                    self.on_answer();
                    return certain;
                }
                Err(uncertain) => self.on_failure(&uncertain),
            }
            tokio::time::sleep(delays.next().unwrap_or_else(|| self.delay_max())).await;
        }
    }

    fn delays(&self) -> ExponentialBackoff {
        ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(self.settings.delay_first_ms))
            .with_max_delay(self.delay_max())
            .with_jitter()
            .without_max_times()
            .build()
    }

    const fn delay_max(&self) -> Duration {
        Duration::from_millis(self.settings.delay_max_ms)
    }

    async fn permitted(&self) {
        loop {
            let permit = self.with_breaker(|breaker| breaker.ask(Instant::now()));
            match permit {
                Permit::Go => return,
                Permit::Wait(time) => tokio::time::sleep(time).await,
            }
        }
    }

    fn on_answer(&self) {
        metrics::counter!("external_call_attempts_total", "system" => self.system, "outcome" => "certain").increment(1);
        self.with_breaker(Breaker::answered);
    }

    fn on_failure(&self, uncertain: &Uncertain) {
        metrics::counter!("external_call_attempts_total", "system" => self.system, "outcome" => "uncertain")
            .increment(1);
        let state = self.with_breaker(|breaker| {
            breaker.failed(Instant::now());
            breaker.state()
        });
        let open = matches!(state, BreakerState::Open { .. });
        let cause = std::error::Error::source(uncertain).map(ToString::to_string);
        tracing::warn!(system = self.system, error = %uncertain, cause, breaker_open = open, "asking again");
    }

    fn with_breaker<R>(&self, act: impl FnOnce(&mut Breaker) -> R) -> R {
        // No call of the breaker panics half-way, so a poisoned lock guards a whole breaker.
        let mut breaker = self.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut breaker);
        let open = !matches!(breaker.state(), BreakerState::Closed { .. });
        metrics::gauge!("external_call_breaker_open", "system" => self.system).set(f64::from(u8::from(open)));
        result
    }
}
