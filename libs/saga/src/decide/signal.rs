//! What follows from a signal.
//!
//! Separate because a signal may come before its step, or while the saga stands still: it is kept, once per step.

use super::draft::Draft;
use super::forward;
use crate::definition::plan::WaitSource;
use crate::event::Fact;
use crate::ids::StepName;
use crate::input::Signal;
use crate::state::{Saga, State};

/// Gives the signal to the first step that waits or will wait for it; without such a step it means nothing.
pub(super) fn arrive(draft: &mut Draft<'_>, signal: &Signal) {
    let Some(saga) = draft.state().saga() else { return };
    let Some(step) = waiting_step(draft, saga, signal) else { return };
    let waits_now = matches!(draft.state(), State::Advancing(_)) && draft.find_open(&step).is_some();
    if waits_now {
        forward::succeed(draft, &step, None, &signal.data);
    } else {
        let result = forward::kept(draft, &step, &signal.data);
        draft.push(Fact::EarlyKept { step, event_id: None, result, by: Some(signal.by.clone()) });
    }
}

fn waiting_step(draft: &Draft<'_>, saga: &Saga, signal: &Signal) -> Option<StepName> {
    let waits = draft.definition.steps().iter().filter(|step| {
        let source = step.action.wait().map(|wait| &wait.source);
        matches!(source, Some(WaitSource::Signal(name)) if *name == signal.name)
    });
    let mut free = waits.filter(|step| !draft.has_passed(&step.name) && !saga.early.contains_key(&step.name));
    free.next().map(|step| step.name.clone())
}
