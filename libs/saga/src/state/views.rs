//! What a shell asks of a state: names, times, timers.
//!
//! Separate because none of it decides anything.

use super::{Advancing, Ended, Open, RollingBack, Saga, State, Waiting};
use crate::ids::{Direction, StepName};
use crate::input::Input;
use crate::time::Timestamp;
use uuid::Uuid;

/// How a saga ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// All steps are done.
    Completed,
    /// Everything is undone.
    RolledBack,
    /// A person gave it up.
    Abandoned,
    /// It never started.
    Refused,
}

impl Outcome {
    /// The word used in metrics and journals.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::RolledBack => "rolled_back",
            Self::Abandoned => "abandoned",
            Self::Refused => "refused",
        }
    }
}

/// A timer of something that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDeadline {
    /// The step.
    pub step: StepName,
    /// Forward or compensation.
    pub direction: Direction,
    /// The attempt it belongs to.
    pub attempt: u32,
    /// When it ends.
    pub at: Timestamp,
    /// Whether a participant's answer is waited for: only these stand still while its circuit breaker is open.
    pub awaits_answer: bool,
}

impl State {
    /// The stable name of the status.
    pub const fn status(&self) -> &'static str {
        match self {
            Self::NotStarted => "not_started",
            Self::Refused(_) => "refused",
            Self::Advancing(_) => "advancing",
            Self::RollingBack(_) => "rolling_back",
            Self::Paused(_) => "paused",
            Self::Stuck(_) => "stuck",
            Self::Completed(_) => "completed",
            Self::RolledBack(_) => "rolled_back",
            Self::Abandoned(_) => "abandoned",
        }
    }

    /// How it ended, if it has.
    pub const fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Completed(_) => Some(Outcome::Completed),
            Self::RolledBack(_) => Some(Outcome::RolledBack),
            Self::Abandoned(_) => Some(Outcome::Abandoned),
            Self::Refused(_) => Some(Outcome::Refused),
            Self::NotStarted | Self::Advancing(_) | Self::RollingBack(_) | Self::Paused(_) | Self::Stuck(_) => None,
        }
    }

    /// Whether nothing will ever happen to it again.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Completed(_) | Self::RolledBack(_) | Self::Abandoned(_))
    }

    /// The saga, while it lives.
    pub const fn saga(&self) -> Option<&Saga> {
        match self {
            Self::Advancing(Advancing { saga, .. }) | Self::RollingBack(RollingBack { saga, .. }) => Some(saga),
            Self::Paused(paused) => Some(paused.course.saga()),
            Self::Stuck(stuck) => Some(stuck.course.saga()),
            Self::NotStarted | Self::Refused(_) | Self::Completed(_) | Self::RolledBack(_) | Self::Abandoned(_) => None,
        }
    }

    /// The saga while it lives; also one that has completed and may yet be rolled back by the step that started it.
    pub(crate) fn known_saga(&self) -> Option<&Saga> {
        self.saga().or_else(|| self.ended()?.held.as_deref())
    }

    /// What is under way; also in a saga that stands still.
    pub fn open(&self) -> &[Open] {
        match self {
            Self::Advancing(Advancing { open, .. }) | Self::RollingBack(RollingBack { open, .. }) => open,
            Self::Paused(paused) => paused.course.open(),
            Self::Stuck(stuck) => stuck.course.open(),
            Self::NotStarted | Self::Refused(_) | Self::Completed(_) | Self::RolledBack(_) | Self::Abandoned(_) => &[],
        }
    }

    /// Forward or back, while it lives.
    pub const fn direction(&self) -> Option<Direction> {
        match self {
            Self::Advancing(_) => Some(Direction::Forward),
            Self::RollingBack(_) => Some(Direction::Compensate),
            Self::Paused(paused) => Some(paused.course.direction()),
            Self::Stuck(stuck) => Some(stuck.course.direction()),
            Self::NotStarted | Self::Refused(_) | Self::Completed(_) | Self::RolledBack(_) | Self::Abandoned(_) => None,
        }
    }

    /// Names of the steps under way.
    pub fn current_steps(&self) -> Vec<&StepName> {
        self.open().iter().map(|open| &open.step).collect()
    }

    /// When it started.
    pub fn started_at(&self) -> Option<Timestamp> {
        self.saga().map(|saga| saga.started_at).or_else(|| self.ended().map(|ended| ended.started_at))
    }

    /// When it ended.
    pub fn finished_at(&self) -> Option<Timestamp> {
        match self {
            Self::Refused(refusal) => Some(refusal.at),
            _ => self.ended().map(|ended| ended.finished_at),
        }
    }

    /// Its key, once it has started.
    pub fn key(&self) -> Option<&str> {
        let live = self.saga().map(|saga| saga.key.as_str());
        live.or_else(|| self.ended().map(|ended| ended.key.as_str()))
    }

    /// Id of the whole flow, once it has started.
    pub fn correlation_id(&self) -> Option<Uuid> {
        let live = self.saga().map(|saga| saga.correlation_id);
        live.or_else(|| self.ended().map(|ended| ended.correlation_id))
    }

    /// Why it is stuck, rolled back, refused or abandoned, for people.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Stuck(stuck) => Some(stuck.reason.clone()),
            Self::RollingBack(rolling_back) => Some(rolling_back.cause.to_string()),
            Self::Paused(paused) => Some(format!("paused by {}", paused.by)),
            Self::Refused(refusal) => Some(refusal.reason.clone()),
            Self::RolledBack(ended) | Self::Abandoned(ended) => ended.reason.clone(),
            Self::NotStarted | Self::Advancing(_) | Self::Completed(_) => None,
        }
    }

    /// The earliest time at which something is due; none while it stands still.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let steps = self.open_deadlines().map(|open| open.at);
        steps.chain(self.saga_deadline()).min()
    }

    /// Everything that is due at `now`, the earliest first.
    pub fn due(&self, now: Timestamp) -> Vec<Input> {
        let steps = self.open_deadlines().map(|open| {
            let OpenDeadline { step, direction, attempt, at, .. } = open;
            (at, Input::Deadline { step, direction, attempt })
        });
        let mut due: Vec<_> = steps.chain(self.saga_deadline().map(|at| (at, Input::SagaDeadline))).collect();
        due.retain(|(at, _)| *at <= now);
        due.sort_by_key(|(at, _)| *at);
        due.into_iter().map(|(_, input)| input).collect()
    }

    /// Timers of everything under way; none while the saga stands still.
    pub fn open_deadlines(&self) -> impl Iterator<Item = OpenDeadline> {
        let ticking = match self {
            Self::Advancing(Advancing { open, .. }) => Some((open, Direction::Forward)),
            Self::RollingBack(RollingBack { open, .. }) => Some((open, Direction::Compensate)),
            _ => None,
        };
        let opens = ticking.into_iter().flat_map(|(open, direction)| open.iter().map(move |open| (open, direction)));
        opens.filter_map(|(open, direction)| {
            let at = open.waiting.until()?;
            let awaits_answer = matches!(open.waiting, Waiting::Answer { .. });
            Some(OpenDeadline { step: open.step.clone(), direction, attempt: open.attempt, at, awaits_answer })
        })
    }

    /// When the saga itself will be rolled back; none while it stands still or rolls back.
    pub fn saga_deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Advancing(advancing) => advancing.saga.deadline,
            _ => None,
        }
    }

    pub(crate) const fn ended(&self) -> Option<&Ended> {
        match self {
            Self::Completed(ended) | Self::RolledBack(ended) | Self::Abandoned(ended) => Some(ended),
            _ => None,
        }
    }
}

impl Waiting {
    /// When waiting ends, if it does.
    pub const fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Answer { until } | Self::NextAttempt { until, .. } | Self::Delay { until } => Some(*until),
            Self::Arrival { until } | Self::Turn { until, .. } => *until,
            Self::AfterRefusal | Self::AfterSilence => None,
        }
    }
}
