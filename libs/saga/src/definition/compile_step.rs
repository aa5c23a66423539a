//! Compiling one step: which kind it is, which fields belong to that kind, and what it does.
//!
//! Separate because the kinds of steps will grow, and each brings its own rules.

use super::compile::{Compiler, Place, Until};
use super::plan::{Action, Command, Emit, EventMatch, Kept, Rollback, Step, Undone, Wait, WaitSource};
use super::problem::Problem;
use super::spec::{EmitSpec, EventSpec, OnTimeout, RollbackSpec, StepSpec, WaitSpec};
use crate::expression::Scope;
use crate::ids::StepName;

const COMMAND_FIELDS: [&str; 17] = [
    "name",
    "when",
    "ask",
    "to",
    "with",
    "answers_on",
    "key",
    "done_on",
    "refused_on",
    "retry_on",
    "undone_on",
    "on_rollback",
    "timeout",
    "attempts_max",
    "backoff",
    "deadline",
    "parallel",
];

impl Compiler<'_> {
    /// A step, still without its name's check.
    pub(super) fn step(&mut self, spec: &StepSpec, path: &str, place: Place) -> Option<Step> {
        let when = self.optional_expression(spec.when.as_deref(), &format!("{path}.when"), &self.forward_scope());
        let action = self.action(spec, path, place)?;
        let name = StepName::from(spec.name.as_deref().unwrap_or_default());
        Some(Step { name, when, action, kept: Kept::Nothing, each: self.each.clone() })
    }

    fn action(&mut self, spec: &StepSpec, path: &str, place: Place) -> Option<Action> {
        if let Some(delay) = spec.delay {
            self.only_these_fields(spec, path, "delay", &["name", "when", "delay"]);
            return Some(Action::Delay(delay.0));
        }
        if let Some(wait) = &spec.wait_for {
            self.only_these_fields(spec, path, "wait", &["name", "when", "wait_for"]);
            return self.wait(wait, &format!("{path}.wait_for")).map(Box::new).map(Action::Wait);
        }
        if let Some(topic) = &spec.observe {
            return self.observed(spec, topic, path).map(Box::new).map(Action::Observe);
        }
        if let Some(emit) = &spec.emit {
            self.only_these_fields(spec, path, "emit", &["name", "when", "emit"]);
            return self.emit(emit, &format!("{path}.emit")).map(Box::new).map(Action::Emit);
        }
        if let Some(sub_saga) = &spec.sub_saga {
            let allowed = ["name", "when", "sub_saga", "on_rollback", "timeout"];
            self.only_these_fields(spec, path, "sub-saga", &allowed);
            return self.sub_saga(spec, sub_saga, path, place).map(Box::new).map(Action::Command);
        }
        self.only_these_fields(spec, path, "command", &COMMAND_FIELDS);
        self.command(spec, path, place).map(Box::new).map(Action::Command)
    }

    fn command(&mut self, spec: &StepSpec, path: &str, place: Place) -> Option<Command> {
        let own = spec.name.as_deref().map(|name| StepName::from(name).identifier());
        let scope = Scope { own, ..self.forward_scope() };
        let ask = self.forward(spec, path);
        let undone_path = format!("{path}.undone_on");
        let undone = spec.undone_on.iter().enumerate();
        let undone = undone.map(|(index, event)| self.undone(event, &format!("{undone_path}[{index}]"))).collect();
        let rollback_path = format!("{path}.on_rollback");
        let rollback = match &spec.on_rollback {
            None => {
                let expected = ["nothing", "pivot", "compensate"].map(str::to_owned).to_vec();
                let message = "`on_rollback` is missing: say how the step is undone";
                self.problems.push(Problem { expected, ..Problem::new(path, message) });
                None
            }
            Some(RollbackSpec::Nothing) => Some(Rollback::Nothing),
            Some(RollbackSpec::Pivot) => {
                self.pivot(place, &rollback_path);
                Some(Rollback::Pivot)
            }
            Some(RollbackSpec::RollBack) => {
                self.problem(rollback_path, "only a sub-saga is rolled back: say which command to `compensate` with");
                None
            }
            Some(RollbackSpec::Compensate(_)) if self.pivot_passed => {
                self.problem(rollback_path, "nothing after the pivot is ever rolled back: say `nothing`");
                None
            }
            Some(RollbackSpec::Compensate(compensation)) => {
                let compensation = self.compensation(compensation, ask.as_ref(), &scope, &rollback_path);
                compensation.map(Box::new).map(Rollback::Compensate)
            }
        };
        Some(Command { ask: ask?, undone, rollback: rollback? })
    }

    pub(super) fn pivot(&mut self, place: Place, path: &str) {
        if let Some(group) = place.beside {
            self.problem(path, format!("a pivot cannot stand inside {group}"));
        }
        if self.pivot_passed {
            self.problem(path, "a saga has one pivot: after it everything only goes forward");
        }
        self.pivot_passed = true;
    }

    fn undone(&mut self, spec: &EventSpec, path: &str) -> Undone {
        if let Some(until) = &spec.until {
            let (path, name) = (format!("{path}.until"), until.clone());
            self.untils.push(Until { path, name, each: self.each.clone() });
        }
        let event = self.event(spec, path, &self.forward_scope());
        Undone { event, until: spec.until.as_deref().map(StepName::from) }
    }

    fn wait(&mut self, spec: &WaitSpec, path: &str) -> Option<Wait> {
        if self.each.is_some() {
            self.problem(
                path,
                "what comes could not say which item it is for: start a sub-saga for each, and wait there",
            );
            return None;
        }
        let source = match (&spec.signal, &spec.event, &spec.topic) {
            (Some(signal), None, None) => {
                self.not_empty(signal, &format!("{path}.signal"));
                WaitSource::Signal(signal.clone())
            }
            (None, Some(event), Some(topic)) => {
                let scope = Scope { event: true, ..self.forward_scope() };
                let when = self.optional_expression(spec.when.as_deref(), &format!("{path}.when"), &scope);
                let key = self.key(spec.key.as_deref(), &format!("{path}.key"));
                if key.is_none() {
                    self.problem(path, "`key` is missing: how is the saga's key found in the event?");
                }
                let event = Box::new(EventMatch { event: event.clone(), when });
                WaitSource::Event { topic: topic.clone(), event, key }
            }
            _ => {
                self.problem(path, "say either the `signal`, or the `event` and its `topic`");
                return None;
            }
        };
        if spec.timeout.is_none() && spec.on_timeout.is_some() {
            self.problem(format!("{path}.on_timeout"), "without a `timeout` this never happens");
        }
        if self.pivot_passed && spec.timeout.is_some() && spec.on_timeout != Some(OnTimeout::GoOn) {
            self.problem(path, "after the pivot nothing is rolled back: say `on_timeout: go_on`");
        }
        let timeout = spec.timeout.map(|span| span.0);
        Some(Wait { source, timeout, go_on: spec.on_timeout == Some(OnTimeout::GoOn) })
    }

    fn emit(&mut self, spec: &EmitSpec, path: &str) -> Option<Emit> {
        self.not_empty(&spec.event, &format!("{path}.event"));
        self.not_empty(&spec.topic, &format!("{path}.topic"));
        let everything = serde_json::Value::from("saga.data");
        let with = spec.with.as_ref().unwrap_or(&everything);
        let payload = self.template(with, &format!("{path}.with"), &self.forward_scope())?;
        let event_version = spec.version.unwrap_or(1);
        Some(Emit { topic: spec.topic.clone(), event_type: spec.event.clone(), event_version, payload })
    }

    /// Reports every field that is set but means nothing for this kind of step.
    pub(super) fn only_these_fields(&mut self, spec: &StepSpec, path: &str, kind: &str, allowed: &[&str]) {
        for field in fields_of(spec) {
            if !allowed.contains(&field) {
                self.problem(format!("{path}.{field}"), format!("`{field}` means nothing for a {kind}"));
            }
        }
    }
}

/// Names of the fields that are set.
fn fields_of(spec: &StepSpec) -> Vec<&'static str> {
    let set = [
        ("name", spec.name.is_some()),
        ("observe", spec.observe.is_some()),
        ("ask", spec.ask.is_some()),
        ("to", spec.to.is_some()),
        ("with", spec.with.is_some()),
        ("answers_on", spec.answers_on.is_some()),
        ("key", spec.key.is_some()),
        ("done_on", !spec.done_on.is_empty()),
        ("refused_on", !spec.refused_on.is_empty()),
        ("retry_on", !spec.retry_on.is_empty()),
        ("undone_on", !spec.undone_on.is_empty()),
        ("on_rollback", spec.on_rollback.is_some()),
        ("timeout", spec.timeout.is_some()),
        ("attempts_max", spec.attempts_max.is_some()),
        ("backoff", spec.backoff.is_some()),
        ("deadline", spec.deadline.is_some()),
        ("when", spec.when.is_some()),
        ("delay", spec.delay.is_some()),
        ("wait_for", spec.wait_for.is_some()),
        ("emit", spec.emit.is_some()),
        ("parallel", spec.parallel.is_some()),
        ("roll_back", spec.roll_back.is_some()),
        ("choice", spec.choice.is_some()),
        ("otherwise", spec.otherwise.is_some()),
        ("for_each", spec.for_each.is_some()),
        ("sub_saga", spec.sub_saga.is_some()),
    ];
    set.into_iter().filter_map(|(name, is_set)| is_set.then_some(name)).collect()
}
