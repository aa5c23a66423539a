//! What the orchestrator is told.

use std::path::PathBuf;
use std::time::Duration;

use backstitch_saga::participant::BreakerRules;
use backstitch_service_kit::config::Problem;
use serde::{Deserialize, Serialize};

/// `sagas`: where the definitions are, and how long journals are kept.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SagasSettings {
    /// A folder of `*.yaml` documents, one definition each.
    pub dir: PathBuf,
    /// Journals of sagas that began in a week that ended more than so many days ago are dropped, once all of that week
    /// have ended; absent: never. The topic `saga.events` has them still.
    pub journal_retention_days: Option<u32>,
}

impl Default for SagasSettings {
    fn default() -> Self {
        Self { dir: PathBuf::from("sagas"), journal_retention_days: None }
    }
}

/// `participants`: when a silent participant's clocks stand still.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ParticipantsSettings {
    /// So many silent attempts in a row open a participant's circuit breaker; 0: only people do.
    pub silences_max: u32,
    /// So long after it has opened, and again after each probe, one overdue attempt per lane is let through as a probe.
    pub probe_after_seconds: u64,
}

impl Default for ParticipantsSettings {
    fn default() -> Self {
        let rules = BreakerRules::default();
        Self { silences_max: rules.silences_max, probe_after_seconds: rules.probe_after.as_secs() }
    }
}

impl ParticipantsSettings {
    /// As the engine takes them.
    #[must_use]
    pub const fn rules(&self) -> BreakerRules {
        BreakerRules { silences_max: self.silences_max, probe_after: Duration::from_secs(self.probe_after_seconds) }
    }
}

fn problems(settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !(1..=3600).contains(&settings.participants.probe_after_seconds) {
        problems.push(Problem::new("participants.probe_after_seconds", "should be from 1 to 3600"));
    }
    if settings.sagas.journal_retention_days.is_some_and(|days| !(1..=36_500).contains(&days)) {
        let wrong = "should be from 1 to 36500; without it journals are kept for ever";
        problems.push(Problem::new("sagas.journal_retention_days", wrong));
    }
    problems
}

backstitch_wiring::settings! {
    /// The orchestrator's settings.
    pub struct Settings {
        /// Where the definitions are, and how long journals are kept.
        #[serde(default)]
        sagas: SagasSettings,
        /// When a silent participant's clocks stand still.
        #[serde(default)]
        participants: ParticipantsSettings,
    }
    checked_by problems
}
