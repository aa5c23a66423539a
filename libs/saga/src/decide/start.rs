//! How a saga begins, or does not.
//!
//! Separate because a cancel may overtake the start: what then happened outside still has to be undone.

use super::draft::Draft;
use super::{child, forward, rollback};
use crate::cause::Cause;
use crate::definition::DATA_BYTES_MAX;
use crate::event::{Fact, SagaStarted};
use crate::ids::StepName;
use crate::input::Start;
use crate::state::Refusal;

pub(super) fn begin(draft: &mut Draft<'_>, start: &Start) {
    let bytes = start.data.to_string().len();
    if bytes > DATA_BYTES_MAX {
        let reason = format!("the saga's data has {bytes} bytes, {DATA_BYTES_MAX} are allowed");
        refuse(draft, start, reason);
        return;
    }
    record(draft, start);
    forward::advance(draft);
}

/// A start after its own cancel: no step is taken, but what the starting event announced is undone.
pub(super) fn begin_refused(draft: &mut Draft<'_>, refusal: &Refusal, start: &Start) {
    let Some(by) = &refusal.by else { return child::started_again(draft, start) };
    let step_zero = draft.definition.compensation(&StepName::start(), start.started_by.as_ref());
    if step_zero.is_none() {
        refuse(draft, start, refusal.reason.clone());
        return;
    }
    record(draft, start);
    rollback::roll_back_everything(draft, Cause::Cancelled { by: by.clone() });
}

fn refuse(draft: &mut Draft<'_>, start: &Start, reason: String) {
    draft.push(Fact::StartRefused { reason: reason.clone() });
    if let Some(parent) = &start.parent {
        child::tell_stranger(draft, parent, (draft.definition.saga_id(&start.key), &start.key), reason);
    }
}

fn record(draft: &mut Draft<'_>, start: &Start) {
    let definition = draft.definition;
    draft.causation = Some(start.event_id);
    draft.push(Fact::SagaStarted(SagaStarted {
        saga: definition.saga_id(&start.key),
        definition: definition.name().to_owned(),
        version: definition.version(),
        definition_hash: definition.hash().to_owned(),
        key: start.key.clone(),
        data: start.data.clone(),
        started_by: start.started_by.clone(),
        causation_id: start.event_id,
        correlation_id: start.correlation_id,
        user_id: start.user_id.clone(),
        parent: start.parent.clone(),
        observed: definition.observes().is_some(),
        deadline: definition.deadline().map(|deadline| draft.now.plus(deadline)),
    }));
}
