//! Compiling commands and the answers expected to them.
//!
//! Separate because a step and a compensation ask in the same way and differ only in whom and how patiently.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::compile::Compiler;
use super::plan::{Ask, EventMatch, Patience, Payload};
use super::spec::{BackoffSpec, CompensationSpec, EventSpec, StepSpec};
use crate::expression::{Scope, Template};
use crate::time::Span;

/// The patience a document asks for, where it says anything.
struct Wishes {
    timeout: Option<Span>,
    attempts_max: Option<u32>,
    backoff: Option<BackoffSpec>,
    deadline: Option<Span>,
}

impl Compiler<'_> {
    /// The forward command of a step.
    pub(super) fn forward(&mut self, spec: &StepSpec, path: &str) -> Option<Ask> {
        let scope = self.forward_scope();
        let topic = self.required(spec.ask.as_deref(), path, "ask", "the topic the command is sent to");
        let command_type = self.required(spec.to.as_deref(), path, "to", "the command's type");
        let payload = self.payload(spec.with.as_ref(), &format!("{path}.with"), &scope).map(Payload::Written);
        let answers_on = self.answers_on(spec.answers_on.as_deref(), topic.as_deref(), &format!("{path}.ask"));
        let key = self.key(spec.key.as_deref(), &format!("{path}.key"));
        if spec.done_on.is_empty() {
            self.problem(path, "`done_on` is missing: which event says that the step was done?");
        }
        let done = self.events(&spec.done_on, &format!("{path}.done_on"), &scope);
        let refused = self.events(&spec.refused_on, &format!("{path}.refused_on"), &scope);
        let retry = self.events(&spec.retry_on, &format!("{path}.retry_on"), &scope);
        self.one_meaning_each(&done, &refused, path);
        let (timeout, attempts_max, backoff, deadline) = (spec.timeout, spec.attempts_max, spec.backoff, spec.deadline);
        let wishes = Wishes { timeout, attempts_max, backoff, deadline };
        let patience = self.patience(Patience::STEP, &wishes, path);
        let (topic, command_type, payload, answers_on) = (topic?, command_type?, payload?, answers_on?);
        Some(Ask { topic, command_type, payload, answers_on, key, done, refused, retry, patience })
    }

    /// The command that takes a step back. `forward` is absent for step 0.
    pub(super) fn compensation(
        &mut self,
        spec: &CompensationSpec,
        forward: Option<&Ask>,
        scope: &Scope,
        path: &str,
    ) -> Option<Ask> {
        let scope = Scope { reason: true, ..scope.clone() };
        self.not_empty(&spec.compensate, &format!("{path}.compensate"));
        let own_topic = spec.to.as_deref().or(forward.map(|ask| ask.topic.as_str()));
        let topic = self.required(own_topic, path, "to", "the topic the compensation is sent to");
        let payload = match (&spec.with, forward) {
            (None, Some(Ask { payload: Payload::Written(forward), .. })) => Some(Arc::clone(forward)),
            (with, _) => self.payload(with.as_ref(), &format!("{path}.with"), &scope),
        };
        let payload = payload.map(Payload::Written);
        let answers_on = match (&spec.answers_on, &spec.to, forward) {
            (None, None, Some(forward)) => Some(forward.answers_on.clone()),
            (given, _, _) => self.answers_on(given.as_deref(), topic.as_deref(), &format!("{path}.to")),
        };
        let key = forward.and_then(|ask| ask.key.clone()).or_else(|| self.default_key.clone());
        if spec.done_on.is_empty() {
            self.problem(path, "`done_on` is missing: which event says that the compensation was done?");
        }
        let done = self.events(&spec.done_on, &format!("{path}.done_on"), &scope);
        let refused = self.events(&spec.refused_on, &format!("{path}.refused_on"), &scope);
        let retry = self.events(&spec.retry_on, &format!("{path}.retry_on"), &scope);
        self.one_meaning_each(&done, &refused, path);
        let (timeout, attempts_max, backoff) = (spec.timeout, spec.attempts_max, spec.backoff);
        let wishes = Wishes { timeout, attempts_max, backoff, deadline: None };
        let patience = self.patience(Patience::COMPENSATION, &wishes, path);
        let (topic, payload, answers_on) = (topic?, payload?, answers_on?);
        let command_type = spec.compensate.clone();
        Some(Ask { topic, command_type, payload, answers_on, key, done, refused, retry, patience })
    }

    fn payload(&mut self, with: Option<&Value>, path: &str, scope: &Scope) -> Option<Arc<Template>> {
        let everything = Value::from("saga.data");
        self.template(with.unwrap_or(&everything), path, scope).map(Arc::new)
    }

    fn required(&mut self, text: Option<&str>, path: &str, field: &str, what: &str) -> Option<String> {
        match text {
            Some(text) if !text.trim().is_empty() => Some(text.to_owned()),
            _ => {
                self.problem(path, format!("`{field}` is missing: {what}"));
                None
            }
        }
    }

    fn answers_on(&mut self, given: Option<&str>, topic: Option<&str>, path: &str) -> Option<String> {
        if let Some(given) = given {
            return Some(given.to_owned());
        }
        let topic = topic?;
        let Some(participant) = topic.strip_suffix(".commands") else {
            self.problem(
                path,
                format!("`{topic}` does not end in `.commands`: say with `answers_on` where answers come"),
            );
            return None;
        };
        Some(format!("{participant}.events"))
    }

    pub(super) fn events(&mut self, specs: &[EventSpec], path: &str, scope: &Scope) -> Vec<EventMatch> {
        let specs = specs.iter().enumerate();
        specs
            .map(|(index, spec)| {
                let path = format!("{path}[{index}]");
                if spec.until.is_some() {
                    self.problem(format!("{path}.until"), "`until` belongs to `undone_on` alone");
                }
                self.event(spec, &path, scope)
            })
            .collect()
    }

    /// The same event without a condition cannot mean both yes and no.
    pub(super) fn one_meaning_each(&mut self, done: &[EventMatch], refused: &[EventMatch], path: &str) {
        for (index, yes) in done.iter().enumerate() {
            let no = refused.iter().find(|no| no.event == yes.event && no.when.is_none());
            if yes.when.is_none() && no.is_some() {
                let message = format!("`{}` cannot mean both done and refused", yes.event);
                self.problem(format!("{path}.done_on[{index}]"), message);
            }
        }
    }

    fn patience(&mut self, default: Patience, wishes: &Wishes, path: &str) -> Patience {
        let span = |wish: Option<Span>, otherwise: Duration| wish.map_or(otherwise, |span| span.0);
        let patience = Patience {
            timeout: span(wishes.timeout, default.timeout),
            attempts_max: wishes.attempts_max.unwrap_or(default.attempts_max),
            backoff_first: wishes.backoff.map_or(default.backoff_first, |backoff| backoff.first.0),
            backoff_max: wishes.backoff.map_or(default.backoff_max, |backoff| backoff.max.0),
            deadline: wishes.deadline.map(|span| span.0),
        };
        if patience.timeout.is_zero() {
            self.problem(format!("{path}.timeout"), "no participant answers in no time");
        }
        if patience.attempts_max == 0 {
            self.problem(format!("{path}.attempts_max"), "a step is asked at least once");
        }
        if patience.backoff_first > patience.backoff_max {
            self.problem(format!("{path}.backoff"), "`first` is longer than `max`");
        }
        if patience.deadline.is_some_and(|deadline| deadline < patience.timeout) {
            self.problem(format!("{path}.deadline"), "the deadline is shorter than the timeout of one attempt");
        }
        patience
    }
}
