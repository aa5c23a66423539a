//! What can never be reached: an answer that another always takes first, a trigger behind another, a step behind delays
//! longer than the saga may live.
//!
//! Separate because it asks about order and time, and needs no schema.

use std::time::Duration;

use super::Findings;
use crate::definition::plan::{Action, Ask, EventMatch, Node, Rollback, Trigger};
use crate::definition::spec::{OtherwiseSpec, StepSpec};
use crate::definition::{Code, Definition, Problem};
use crate::time::Span;

/// Tells of everything that is never reached.
pub(super) fn check(definition: &Definition, findings: &mut Findings) {
    triggers(definition.triggers(), findings);
    let mut reach = Reach { definition, findings, waited: Duration::ZERO, pivot_passed: false, told: false };
    reach.sequence(definition.flow(), &definition.spec().steps, "steps");
}

/// Of two triggers for one event the first with a condition that holds starts the saga.
fn triggers(triggers: &[Trigger], findings: &mut Findings) {
    for (index, trigger) in triggers.iter().enumerate() {
        let same = |other: &&Trigger| other.topic == trigger.topic && other.event == trigger.event;
        let mut earlier = triggers.iter().take(index).filter(same);
        if earlier.clone().any(|other| other.when.is_none()) {
            let message = format!("never reached: a trigger before it takes every `{}`", trigger.event);
            findings.add(Problem::of(Code::Unreachable, format!("starts_on[{index}]"), message));
        } else if let (Some(_), Some(_)) = (earlier.next(), &trigger.compensation) {
            let message = format!("never used: the first trigger for `{}` says how it is undone", trigger.event);
            findings.add(Problem::of(Code::Unreachable, format!("starts_on[{index}].on_rollback"), message));
        }
    }
}

struct Reach<'d, 'f> {
    definition: &'d Definition,
    findings: &'f mut Findings,
    /// The shortest time in which a saga can come here.
    waited: Duration,
    pivot_passed: bool,
    told: bool,
}

impl Reach<'_, '_> {
    fn sequence(&mut self, nodes: &[Node], specs: &[StepSpec], path: &str) {
        for (index, (node, spec)) in nodes.iter().zip(specs).enumerate() {
            let path = format!("{path}[{index}]");
            match node {
                Node::Step(index) => self.step(*index, &path),
                Node::Group { branches, together: _ } => {
                    let before = self.waited;
                    let mut longest = before;
                    let specs = spec.parallel.as_deref().unwrap_or_default();
                    for (index, (branch, spec)) in branches.iter().zip(specs).enumerate() {
                        self.waited = before;
                        self.sequence(branch, &spec.0, &format!("{path}.parallel[{index}]"));
                        longest = longest.max(self.waited);
                    }
                    self.waited = longest;
                }
                Node::Choice { step: _, branches, otherwise } => self.choice(branches, otherwise, spec, &path),
                Node::ForEach { step: _, body, together: _ } => {
                    // A list may be empty, and then takes no time.
                    let before = self.waited;
                    let steps = spec.for_each.as_ref().map(|each| each.steps.0.as_slice()).unwrap_or_default();
                    self.sequence(body, steps, &format!("{path}.for_each.do"));
                    self.waited = before;
                }
            }
        }
    }

    /// Whatever comes after a choice waits for its quickest branch.
    fn choice(&mut self, branches: &[Vec<Node>], otherwise: &[Node], spec: &StepSpec, path: &str) {
        let (before, pivot_before) = (self.waited, self.pivot_passed);
        let mut quickest = None;
        let mut pivot_passed = pivot_before;
        let written = spec.choice.as_deref().unwrap_or_default().iter().enumerate();
        let written = written.map(|(index, spec)| (format!("{path}.choice[{index}].do"), spec.steps.0.as_slice()));
        let last = match &spec.otherwise {
            Some(OtherwiseSpec::Do(spec)) => Some((format!("{path}.otherwise"), spec.0.as_slice())),
            Some(OtherwiseSpec::Nothing) => {
                quickest = Some(before);
                None
            }
            Some(OtherwiseSpec::RollBack) | None => None,
        };
        let nodes = branches.iter().map(Vec::as_slice).chain([otherwise]);
        for (nodes, (path, specs)) in nodes.zip(written.chain(last)) {
            (self.waited, self.pivot_passed) = (before, pivot_before);
            self.sequence(nodes, specs, &path);
            quickest = Some(quickest.map_or(self.waited, |quickest: Duration| quickest.min(self.waited)));
            pivot_passed |= self.pivot_passed;
        }
        self.waited = if spec.when.is_some() { before } else { quickest.unwrap_or(before) };
        self.pivot_passed = pivot_passed;
    }

    fn step(&mut self, index: usize, path: &str) {
        let Some(step) = self.definition.steps().get(index) else { return };
        self.in_time(path);
        match &step.action {
            Action::Command(command) => {
                self.answers(&command.ask, path);
                match &command.rollback {
                    Rollback::Compensate(ask) | Rollback::Stop(ask) => {
                        self.answers(ask, &format!("{path}.on_rollback"));
                    }
                    Rollback::Pivot => self.pivot_passed = true,
                    Rollback::Nothing => {}
                }
            }
            // A step with a condition may be skipped, and then takes no time.
            Action::Delay(delay) if step.when.is_none() => self.waited = self.waited.saturating_add(*delay),
            Action::Delay(_)
            | Action::Wait(_)
            | Action::Observe(_)
            | Action::Emit(_)
            | Action::Choice(_)
            | Action::ForEach(_) => {}
        }
    }

    fn in_time(&mut self, path: &str) {
        let Some(deadline) = self.definition.deadline() else { return };
        // Past the pivot a saga goes on after its deadline.
        if self.told || self.pivot_passed || self.waited < deadline {
            return;
        }
        self.told = true;
        let (waited, deadline) = (Span(self.waited), Span(deadline));
        let message =
            format!("never reached: the delays before it take {waited}, and the saga's deadline is {deadline}");
        self.findings.add(Problem::of(Code::Unreachable, path, message));
    }

    /// An answer that asks for another try counts first, then a no, then a yes.
    fn answers(&mut self, ask: &Ask, path: &str) {
        let lists = [("retry_on", &ask.retry), ("refused_on", &ask.refused), ("done_on", &ask.done)];
        let mut taken: Vec<(&str, &EventMatch)> = Vec::new();
        for (list, events) in lists {
            for (index, event) in events.iter().enumerate() {
                let first = taken.iter().find(|(_, other)| other.event == event.event && other.when.is_none());
                if let Some((other, _)) = first {
                    let message = format!("never reached: `{other}` takes every `{}` first", event.event);
                    let path = format!("{path}.{list}[{index}]");
                    self.findings.add(Problem::of(Code::Unreachable, path, message));
                }
                taken.push((list, event));
            }
        }
    }
}
