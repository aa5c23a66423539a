//! How something under way changes.
//!
//! Separate because attempts, tries and silences are counted here and nowhere else.

use std::time::Duration;

use uuid::Uuid;

use super::{Open, Refusal, Waiting};
use crate::cause::By;
use crate::ids::StepName;
use crate::time::Timestamp;

impl Open {
    pub(crate) fn new(step: &StepName, waiting: Waiting, at: Timestamp) -> Self {
        Self {
            step: step.clone(),
            attempt: 1,
            try_number: 1,
            attempts_before: 0,
            silences: 0,
            since: at,
            waiting,
            heard: Vec::new(),
        }
    }

    /// Something that waits for its first turn: nobody was asked yet.
    pub(crate) fn queued(step: &StepName, turn: Waiting, at: Timestamp) -> Self {
        Self { attempt: 0, ..Self::new(step, turn, at) }
    }

    /// Whether it was ever asked for: else it did not happen.
    pub(crate) const fn was_asked(&self) -> bool {
        self.attempt > 0
    }

    /// It waits for a turn. After a person's word its attempts count anew.
    pub(crate) fn queue(&mut self, turn: Waiting, at: Timestamp) {
        if matches!(self.waiting, Waiting::AfterRefusal | Waiting::AfterSilence | Waiting::Turn { .. }) {
            self.attempts_before = self.attempt;
            self.since = at;
        }
        self.waiting = turn;
    }

    pub(crate) fn fall_silent(&mut self) {
        self.silences += 1;
        self.waiting = Waiting::AfterSilence;
    }

    /// An answer that asks for another try raises the try; silence keeps it, so that nothing is done twice.
    pub(crate) fn ask_again_at(&mut self, answer: Option<Uuid>, until: Timestamp) {
        self.heard.extend(answer);
        self.waiting = Waiting::NextAttempt { until, raises_try: answer.is_some() };
    }

    pub(crate) fn move_by(&mut self, stood: Duration) {
        self.since = self.since.plus(stood);
        match &mut self.waiting {
            Waiting::Answer { until } | Waiting::NextAttempt { until, .. } | Waiting::Delay { until } => {
                *until = until.plus(stood);
            }
            // Its place in the queue stays.
            Waiting::Arrival { until } | Waiting::Turn { until, .. } => *until = until.map(|until| until.plus(stood)),
            Waiting::AfterRefusal | Waiting::AfterSilence => {}
        }
    }

    /// Whether an answer has asked for another try that was not sent yet.
    pub(crate) const fn raises_try(&self) -> bool {
        matches!(self.waiting, Waiting::NextAttempt { raises_try: true, .. } | Waiting::Turn { raises_try: true, .. })
    }

    /// Attempts made since the start, or since a person asked for more.
    pub(crate) const fn attempts_now(&self) -> u32 {
        self.attempt.saturating_sub(self.attempts_before)
    }
}

impl Refusal {
    pub(crate) fn cancelled(by: &By, at: Timestamp) -> Self {
        Self { by: Some(by.clone()), reason: format!("cancelled by {by}"), at }
    }
}
