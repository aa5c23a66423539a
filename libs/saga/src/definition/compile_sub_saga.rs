//! Compiling a step that starts a saga of another definition.
//!
//! Separate because such a step is an ordinary command to an unusual participant: the engine itself. What it says and
//! what the answers are called is fixed here.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::compile::{Compiler, Place};
use super::plan::{Ask, Command, EventMatch, Patience, Payload, Rollback, SubSaga};
use super::problem::Problem;
use super::spec::{RollbackSpec, StepSpec, SubSagaSpec};
use super::together::SubSagaUse;
use crate::sub_saga::{CANCEL, COMPLETED, GOES_ON, ROLLED_BACK, START, TOPIC};

impl Compiler<'_> {
    pub(super) fn sub_saga(
        &mut self,
        spec: &StepSpec,
        sub_saga: &SubSagaSpec,
        path: &str,
        place: Place,
    ) -> Option<Command> {
        let rollback_path = format!("{path}.on_rollback");
        let compiled = self.started(sub_saga, &format!("{path}.sub_saga"));
        let timeout = spec.timeout.map(|span| span.0).filter(|timeout| !timeout.is_zero());
        if timeout.is_none() {
            self.problem(path, "`timeout` is missing: how long may the sub-saga take?");
        }
        self.sub_sagas.push(SubSagaUse {
            path: path.to_owned(),
            definition: sub_saga.start.clone(),
            rolls_back: spec.on_rollback == Some(RollbackSpec::RollBack),
        });
        let cancel = |completed_too| {
            let sub_saga = compiled.clone()?;
            let done: &[&str] = if completed_too { &[ROLLED_BACK] } else { &[ROLLED_BACK, COMPLETED, GOES_ON] };
            let refused: &[&str] = if completed_too { &[GOES_ON] } else { &[] };
            let payload = Payload::Cancel { sub_saga, completed_too };
            Some(Box::new(ask(CANCEL, payload, (done, refused), Patience::COMPENSATION)))
        };
        let rollback = match &spec.on_rollback {
            None => {
                let expected = ["nothing", "roll_back", "pivot"].map(str::to_owned).to_vec();
                let message = "`on_rollback` is missing: say what becomes of a sub-saga that has completed";
                self.problems.push(Problem { expected, ..Problem::new(path, message) });
                None
            }
            Some(RollbackSpec::Nothing) if self.pivot_passed => Some(Rollback::Nothing),
            Some(RollbackSpec::Nothing) => cancel(false).map(Rollback::Stop),
            Some(RollbackSpec::RollBack) if self.pivot_passed => {
                self.problem(rollback_path, "nothing after the pivot is ever rolled back: say `nothing`");
                None
            }
            Some(RollbackSpec::RollBack) => cancel(true).map(Rollback::Compensate),
            Some(RollbackSpec::Pivot) => {
                self.pivot(place, &rollback_path);
                Some(Rollback::Pivot)
            }
            Some(RollbackSpec::Compensate(_)) => {
                self.problem(rollback_path, "a sub-saga knows how to take itself back: say `roll_back`, or `nothing`");
                None
            }
        };
        // Whoever is started answers once, when it has ended: asking again would only be another timeout.
        let patience = Patience { timeout: timeout.unwrap_or(Duration::ZERO), attempts_max: 1, ..Patience::STEP };
        let ask = ask(START, Payload::Start(compiled?), (&[COMPLETED], &[ROLLED_BACK]), patience);
        Some(Command { ask, undone: Vec::new(), rollback: rollback? })
    }

    fn started(&mut self, sub_saga: &SubSagaSpec, path: &str) -> Option<Arc<SubSaga>> {
        self.not_empty(&sub_saga.start, &format!("{path}.start"));
        let scope = self.forward_scope();
        let wanted = sub_saga.key.as_deref();
        let key = wanted.map(|source| self.expression(source, &format!("{path}.key"), &scope));
        let everything = Value::from("saga.data");
        let data = self.template(sub_saga.with.as_ref().unwrap_or(&everything), &format!("{path}.with"), &scope);
        let key = match key {
            None => None,
            Some(key) => Some(key?),
        };
        Some(Arc::new(SubSaga { definition: sub_saga.start.clone(), key, data: data? }))
    }
}

fn ask(command: &str, payload: Payload, (done, refused): (&[&str], &[&str]), patience: Patience) -> Ask {
    let events = |names: &[&str]| {
        let events = names.iter().map(|name| EventMatch { event: (*name).to_owned(), when: None });
        events.collect()
    };
    Ask {
        topic: TOPIC.to_owned(),
        command_type: command.to_owned(),
        payload,
        answers_on: TOPIC.to_owned(),
        key: None,
        done: events(done),
        refused: events(refused),
        retry: Vec::new(),
        patience,
    }
}
