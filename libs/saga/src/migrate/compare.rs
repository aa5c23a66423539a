//! One step in two definitions: what must be the same for a saga that has come to it.
//!
//! Separate because each rule stands alone here, and says in words what differs.

use std::collections::BTreeSet;

use super::{Look, Obstacle};
use crate::definition::plan::{Action, Ask, Kept, Payload, Rollback, Step, SubSaga, WaitSource};
use crate::ids::StepName;

impl Look<'_> {
    /// The step is there, and does the same kind of thing, for the same list.
    pub(super) fn kind(&mut self, step: &StepName) {
        if super::is_of_no_definition(step) {
            return;
        }
        let Some(after) = self.to.step(step) else {
            self.found.push(Obstacle::StepGone { step: step.clone() });
            return;
        };
        let Some(before) = self.from.step(step) else { return };
        let (before, after) = (kind(before), kind(after));
        if before != after {
            self.found.push(Obstacle::OtherKind { step: step.clone(), before, after });
        }
    }

    /// The same was asked of the same participant.
    pub(super) fn command(&mut self, step: &StepName) {
        let Some((before, after)) = self.from.forward(step).zip(self.to.forward(step)) else { return };
        let (before, after) = (asked(before), asked(after));
        if before != after {
            self.found.push(Obstacle::OtherCommand { step: step.clone(), before, after });
        }
    }

    /// What was or may have been done is undone by the same command, or as before not at all.
    pub(super) fn undoing(&mut self, step: &StepName) {
        let started_by = self.saga.started_by.as_ref();
        let (before, after) = if super::is_of_no_definition(step) {
            let words = |ask: Option<&Ask>| ask.map_or_else(nothing, asked);
            (words(self.from.compensation(step, started_by)), words(self.to.compensation(step, started_by)))
        } else {
            let rollback = |step: &Step| step.action.command().map(|command| undone_by(&command.rollback));
            let both = self.from.step(step).and_then(rollback).zip(self.to.step(step).and_then(rollback));
            let Some(both) = both else { return };
            both
        };
        if before != after {
            self.found.push(Obstacle::OtherUndoing { step: step.clone(), before, after });
        }
    }

    /// Every event that may answer what is under way is still expected where it would come.
    pub(super) fn answers(&mut self, step: &StepName) {
        self.still_expected(step, self.from.forward(step), self.to.forward(step));
    }

    /// The same for a compensation.
    pub(super) fn answers_to_undoing(&mut self, step: &StepName) {
        let started_by = self.saga.started_by.as_ref();
        let (before, after) = (self.from.compensation(step, started_by), self.to.compensation(step, started_by));
        self.still_expected(step, before, after);
    }

    fn still_expected(&mut self, step: &StepName, before: Option<&Ask>, after: Option<&Ask>) {
        let Some((before, after)) = before.zip(after) else { return };
        let expected: BTreeSet<&str> =
            if before.answers_on == after.answers_on { events(after) } else { BTreeSet::new() };
        let lost = events(before).into_iter().filter(|event| !expected.contains(event));
        self.found.extend(lost.map(|event| Obstacle::AnswerLost {
            step: step.clone(),
            event: event.to_owned(),
            topic: before.answers_on.clone(),
        }));
    }

    /// What is waited for, or has come early, is waited for still.
    pub(super) fn source(&mut self, step: &StepName) {
        let source = |step: &Step| step.action.wait().map(|wait| awaited(&wait.source));
        let both = self.from.step(step).and_then(source).zip(self.to.step(step).and_then(source));
        if let Some((before, after)) = both.filter(|(before, after)| before != after) {
            self.found.push(Obstacle::OtherSource { step: step.clone(), before, after });
        }
    }
}

fn kind(step: &Step) -> String {
    let what = match &step.action {
        Action::Command(command) if matches!(command.ask.payload, Payload::Start(_)) => "a sub-saga",
        Action::Command(_) => "a command",
        Action::Delay(_) => "a delay",
        Action::Wait(_) => "a step that waits",
        Action::Observe(_) => "a step that is observed",
        Action::Emit(_) => "an event",
        Action::Choice(_) => "a choice",
        Action::ForEach(_) => "a list",
    };
    match &step.each {
        Some(list) => format!("{what} for each item of `{list}`"),
        None => what.to_owned(),
    }
}

/// What is sent, and to whom: what it says in detail may change.
fn asked(ask: &Ask) -> String {
    let command = format!("`{}` to `{}`", ask.command_type, ask.topic);
    match &ask.payload {
        Payload::Written(_) => command,
        Payload::Start(sub_saga) => format!("{command} for {}", named(sub_saga)),
        Payload::Cancel { sub_saga, completed_too: true } => {
            format!("{command} for {}, even if it has completed", named(sub_saga))
        }
        Payload::Cancel { sub_saga, completed_too: false } => format!("{command} for {}", named(sub_saga)),
    }
}

/// A sub-saga's name and key: with another key, another saga would be meant.
fn named(sub_saga: &SubSaga) -> String {
    match &sub_saga.key {
        Some(key) => format!("`{}` with the key `{}`", sub_saga.definition, key.source()),
        None => format!("`{}`", sub_saga.definition),
    }
}

fn undone_by(rollback: &Rollback) -> String {
    match rollback {
        Rollback::Nothing => nothing(),
        Rollback::Pivot => "nothing, being the pivot".to_owned(),
        Rollback::Compensate(ask) => asked(ask),
        Rollback::Stop(ask) => format!("{} unless it is finished", asked(ask)),
    }
}

fn nothing() -> String {
    "nothing".to_owned()
}

fn events(ask: &Ask) -> BTreeSet<&str> {
    ask.done.iter().chain(&ask.refused).chain(&ask.retry).map(|event| event.event.as_str()).collect()
}

fn awaited(source: &WaitSource) -> String {
    match source {
        WaitSource::Signal(name) => format!("the signal `{name}`"),
        WaitSource::Event { topic, event, .. } => format!("`{}` on `{topic}`", event.event),
    }
}

/// What of a result is used after and was not kept before.
pub(super) fn not_kept(before: &Kept, after: &Kept) -> Option<String> {
    match (before, after) {
        (_, Kept::Nothing) | (Kept::Whole, _) => None,
        (Kept::Fields(before), Kept::Fields(after)) => {
            let missing: BTreeSet<String> = after.difference(before).cloned().collect();
            (!missing.is_empty()).then(|| words(&Kept::Fields(missing)))
        }
        (Kept::Nothing, Kept::Fields(_)) | (Kept::Nothing | Kept::Fields(_), Kept::Whole) => Some(words(after)),
    }
}

/// What is kept, in words.
pub(super) fn words(kept: &Kept) -> String {
    match kept {
        Kept::Nothing => nothing(),
        Kept::Whole => "all".to_owned(),
        Kept::Fields(fields) => fields.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", "),
    }
}
