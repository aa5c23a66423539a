//! Steps written in Rust.
//!
//! Separate from the rest of the builder because steps come in many kinds, and more will follow.

use std::time::Duration;

use super::builder::{Compensation, ExpectedEvent, payload};
use super::spec::{
    BackoffSpec, BranchSpec, ChoiceSpec, EmitSpec, ForEachSpec, GroupRollback, OnTimeout, OtherwiseSpec, RollbackSpec,
    StepSpec, SubSagaSpec, WaitSpec,
};
use crate::time::Span;

fn branch(steps: impl IntoIterator<Item = StepBuilder>) -> BranchSpec {
    BranchSpec(steps.into_iter().map(|step| step.spec).collect())
}

/// One step, or one group of steps.
#[derive(Clone, Debug, Default)]
pub struct StepBuilder {
    pub(super) spec: StepSpec,
}

impl StepBuilder {
    fn named(name: &str) -> Self {
        Self { spec: StepSpec { name: Some(name.to_owned()), ..StepSpec::default() } }
    }

    /// A step that sends `command` to `topic`.
    pub fn ask(name: &str, topic: &str, command: &str) -> Self {
        let mut step = Self::named(name);
        step.spec.ask = Some(topic.to_owned());
        step.spec.to = Some(command.to_owned());
        step
    }

    /// A step that others do by themselves; its events come on `topic`.
    pub fn observe(name: &str, topic: &str) -> Self {
        let mut step = Self::named(name);
        step.spec.observe = Some(topic.to_owned());
        step
    }

    /// A step that only lets time pass.
    pub fn delay(name: &str, delay: Duration) -> Self {
        let mut step = Self::named(name);
        step.spec.delay = Some(Span(delay));
        step
    }

    /// A step that waits for a signal; without a timeout for ever.
    pub fn wait_for_signal(name: &str, signal: &str) -> Self {
        let mut step = Self::named(name);
        let nothing =
            WaitSpec { signal: None, event: None, topic: None, key: None, when: None, timeout: None, on_timeout: None };
        step.spec.wait_for = Some(WaitSpec { signal: Some(signal.to_owned()), ..nothing });
        step
    }

    /// A step that waits for an event; `key` computes the saga's key from it.
    pub fn wait_for_event(name: &str, topic: &str, event: &str, key: &str) -> Self {
        let mut step = Self::wait_for_signal(name, "");
        if let Some(wait) = &mut step.spec.wait_for {
            wait.signal = None;
            wait.event = Some(event.to_owned());
            wait.topic = Some(topic.to_owned());
            wait.key = Some(key.to_owned());
        }
        step
    }

    /// A step that publishes an event; `fields` are names and expressions.
    pub fn emit<'f>(
        name: &str,
        topic: &str,
        event: &str,
        fields: impl IntoIterator<Item = (&'f str, &'f str)>,
    ) -> Self {
        let mut step = Self::named(name);
        let (topic, event, with) = (topic.to_owned(), event.to_owned(), Some(payload(fields)));
        step.spec.emit = Some(EmitSpec { event, version: None, topic, with });
        step
    }

    /// A group whose branches run beside each other; all must be done.
    pub fn parallel<B: IntoIterator<Item = Self>>(branches: impl IntoIterator<Item = B>) -> Self {
        let parallel = Some(branches.into_iter().map(branch).collect());
        Self { spec: StepSpec { parallel, ..StepSpec::default() } }
    }

    /// A choice between branches; say what happens `otherwise`.
    pub fn choice(name: &str) -> Self {
        let mut step = Self::named(name);
        step.spec.choice = Some(Vec::new());
        step
    }

    /// Choice: does these steps if the condition holds and no branch before was taken.
    #[must_use]
    pub fn branch(mut self, condition: &str, steps: impl IntoIterator<Item = Self>) -> Self {
        let branch = ChoiceSpec { when: condition.to_owned(), steps: branch(steps) };
        self.spec.choice.get_or_insert_default().push(branch);
        self
    }

    /// Choice: does these steps when no condition holds.
    #[must_use]
    pub fn otherwise(mut self, steps: impl IntoIterator<Item = Self>) -> Self {
        self.spec.otherwise = Some(OtherwiseSpec::Do(branch(steps)));
        self
    }

    /// Choice: goes on when no condition holds.
    #[must_use]
    pub fn otherwise_nothing(mut self) -> Self {
        self.spec.otherwise = Some(OtherwiseSpec::Nothing);
        self
    }

    /// Choice: rolls back when no condition holds.
    #[must_use]
    pub fn otherwise_roll_back(mut self) -> Self {
        self.spec.otherwise = Some(OtherwiseSpec::RollBack);
        self
    }

    /// Does these steps for each item of a list, which the expression gives.
    pub fn for_each(name: &str, list: &str, steps: impl IntoIterator<Item = Self>) -> Self {
        let mut step = Self::named(name);
        let (list, steps) = (list.to_owned(), branch(steps));
        step.spec.for_each = Some(ForEachSpec { list, at_once: None, items_max: None, steps });
        step
    }

    /// A step that starts a saga of another definition and is done when that has completed; say what a rollback does
    /// about it, and how long it may take.
    pub fn sub_saga(name: &str, definition: &str) -> Self {
        let mut step = Self::named(name);
        step.spec.sub_saga = Some(SubSagaSpec { start: definition.to_owned(), key: None, with: None });
        step
    }

    /// Sub-saga: it is rolled back, even once it has completed.
    #[must_use]
    pub fn roll_back_sub_saga(mut self) -> Self {
        self.spec.on_rollback = Some(RollbackSpec::RollBack);
        self
    }

    /// For each: how many items are under way at once.
    #[must_use]
    pub fn at_once(mut self, items: u32) -> Self {
        if let Some(each) = &mut self.spec.for_each {
            each.at_once = Some(items);
        }
        self
    }

    /// For each: how many items the list may have.
    #[must_use]
    pub fn items_max(mut self, items: u32) -> Self {
        if let Some(each) = &mut self.spec.for_each {
            each.items_max = Some(items);
        }
        self
    }

    /// Group, for each: compensate beside each other instead of one by one.
    #[must_use]
    pub fn roll_back_together(mut self) -> Self {
        self.spec.roll_back = Some(GroupRollback::Together);
        self
    }

    /// Command: its payload, names and expressions. Sub-saga: its data.
    #[must_use]
    pub fn with<'f>(mut self, fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> Self {
        match &mut self.spec.sub_saga {
            Some(sub_saga) => sub_saga.with = Some(payload(fields)),
            None => self.spec.with = Some(payload(fields)),
        }
        self
    }

    /// Command: the topic its answers come on.
    #[must_use]
    pub fn answers_on(mut self, topic: &str) -> Self {
        self.spec.answers_on = Some(topic.to_owned());
        self
    }

    /// Command: the saga key inside an answer that names no command. Sub-saga: its key.
    #[must_use]
    pub fn key(mut self, expression: &str) -> Self {
        match &mut self.spec.sub_saga {
            Some(sub_saga) => sub_saga.key = Some(expression.to_owned()),
            None => self.spec.key = Some(expression.to_owned()),
        }
        self
    }

    /// Command: an event that says it was done.
    #[must_use]
    pub fn done_on(mut self, event: impl Into<ExpectedEvent>) -> Self {
        self.spec.done_on.push(event.into().spec);
        self
    }

    /// Command: an event that says it was not and will not be done.
    #[must_use]
    pub fn refused_on(mut self, event: impl Into<ExpectedEvent>) -> Self {
        self.spec.refused_on.push(event.into().spec);
        self
    }

    /// Command: an event that asks for another try.
    #[must_use]
    pub fn retry_on(mut self, event: impl Into<ExpectedEvent>) -> Self {
        self.spec.retry_on.push(event.into().spec);
        self
    }

    /// Command: an event that later takes the finished step back by itself.
    #[must_use]
    pub fn undone_on(mut self, event: impl Into<ExpectedEvent>) -> Self {
        self.spec.undone_on.push(event.into().spec);
        self
    }

    /// Command: the command that takes it back.
    #[must_use]
    pub fn on_rollback(mut self, compensation: Compensation) -> Self {
        self.spec.on_rollback = Some(RollbackSpec::Compensate(Box::new(compensation.spec)));
        self
    }

    /// Command: nothing has to be undone.
    #[must_use]
    pub fn nothing_on_rollback(mut self) -> Self {
        self.spec.on_rollback = Some(RollbackSpec::Nothing);
        self
    }

    /// Command: the point of no return.
    #[must_use]
    pub fn pivot(mut self) -> Self {
        self.spec.on_rollback = Some(RollbackSpec::Pivot);
        self
    }

    /// Any step: run only if this holds.
    #[must_use]
    pub fn when(mut self, condition: &str) -> Self {
        self.spec.when = Some(condition.to_owned());
        self
    }

    /// Command: time allowed per attempt. Wait, sub-saga: how long to wait.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        match &mut self.spec.wait_for {
            Some(wait) => wait.timeout = Some(Span(timeout)),
            None => self.spec.timeout = Some(Span(timeout)),
        }
        self
    }

    /// Wait: go on without it when nothing came in time, instead of rolling back.
    #[must_use]
    pub fn go_on_after_timeout(mut self) -> Self {
        if let Some(wait) = &mut self.spec.wait_for {
            wait.on_timeout = Some(OnTimeout::GoOn);
        }
        self
    }

    /// Command: how often it is asked at most.
    #[must_use]
    pub fn attempts_max(mut self, attempts: u32) -> Self {
        self.spec.attempts_max = Some(attempts);
        self
    }

    /// Command: how long to wait before asking again: the bounds of the first and of every wait.
    #[must_use]
    pub fn backoff(mut self, first: Duration, max: Duration) -> Self {
        self.spec.backoff = Some(BackoffSpec { first: Span(first), max: Span(max) });
        self
    }

    /// Command: time allowed for all attempts together.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.spec.deadline = Some(Span(deadline));
        self
    }
}
