//! Compiling definitions that only observe: what others do by themselves is told from their events.
//!
//! Separate because such a definition asks nobody, and so most of what another may say means nothing in it.

use super::compile::Compiler;
use super::plan::Observed;
use super::spec::StepSpec;

impl Compiler<'_> {
    /// What observing asks of a definition as a whole; and what may be said only where it observes.
    pub(super) fn observing(&mut self) {
        let is_observing = self.spec.observes.is_some();
        if self.spec.observes.as_ref().is_some_and(|flow| flow.trim().is_empty()) {
            self.problem("observes", "which flow is observed? Say what its events have in their metadata as `flow`");
        }
        for (index, trigger) in self.spec.starts_on.iter().enumerate() {
            if is_observing && trigger.on_rollback.is_some() {
                self.problem(
                    format!("starts_on[{index}].on_rollback"),
                    "nothing is undone from here: say with `undone_on` which events tell that it is",
                );
            }
            if is_observing && trigger.when.is_some() {
                self.problem(format!("starts_on[{index}].when"), "which events are observed, `observes` says alone");
            }
            if !is_observing && !trigger.undone_on.is_empty() {
                self.problem(format!("starts_on[{index}].undone_on"), "only a definition that `observes` may say this");
            }
        }
        if !is_observing {
            return;
        }
        if self.spec.starts_on.is_empty() {
            self.problem("starts_on", "which event begins the flow that is observed?");
        }
        if !self.spec.participants.is_empty() {
            self.problem("participants", "nobody is asked, so nobody needs limits");
        }
        if self.spec.result.is_some() {
            self.problem("result", "no step starts a saga that only observes, so none learns of its result");
        }
        for (index, step) in self.spec.steps.iter().enumerate() {
            if step.observe.is_none() {
                self.problem(
                    format!("steps[{index}]"),
                    "this definition only observes: say which topic, with `observe`",
                );
            }
        }
    }

    /// A step that is only seen.
    pub(super) fn observed(&mut self, spec: &StepSpec, topic: &str, path: &str) -> Option<Observed> {
        let allowed = ["name", "observe", "key", "done_on", "refused_on", "undone_on", "timeout"];
        self.only_these_fields(spec, path, "step that is observed", &allowed);
        if self.spec.observes.is_none() {
            self.problem(format!("{path}.observe"), "only a definition that `observes` a flow has such steps");
            return None;
        }
        self.not_empty(topic, &format!("{path}.observe"));
        let key = self.key(spec.key.as_deref(), &format!("{path}.key"));
        let scope = self.forward_scope();
        if spec.done_on.is_empty() {
            self.problem(path, "`done_on` is missing: which event says that the step was done?");
        }
        if spec.timeout.is_some_and(|timeout| timeout.0.is_zero()) {
            self.problem(format!("{path}.timeout"), "nobody does anything in no time");
        }
        let done = self.events(&spec.done_on, &format!("{path}.done_on"), &scope);
        let refused = self.events(&spec.refused_on, &format!("{path}.refused_on"), &scope);
        let undone = self.events(&spec.undone_on, &format!("{path}.undone_on"), &scope);
        self.one_meaning_each(&done, &refused, path);
        let timeout = spec.timeout.map(|span| span.0);
        Some(Observed { topic: topic.to_owned(), key, done, refused, undone, timeout })
    }
}
