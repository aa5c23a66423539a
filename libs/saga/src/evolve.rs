//! Where a journal entry leaves a saga.
//!
//! Separate because replay is only this: it knows no definition and decides nothing. It is total: an entry that does
//! not belong to the state leaves it as it is.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::event::{Event, Fact, Request, SagaStarted};
use crate::ids::StepName;
use crate::input::Reply;
use crate::state::{
    Advancing, Course, Early, Ended, How, Open, Passed, Paused, Refusal, RollingBack, Saga, State, Stuck, Waiting,
};
use crate::time::Timestamp;

/// The state after `event`.
pub fn evolve(state: State, event: &Event) -> State {
    let at = event.at;
    match &event.fact {
        Fact::SagaStarted(started) => begin(state, started, at),
        Fact::StartRefused { reason } => refuse(state, Refusal { by: None, reason: reason.clone(), at }),
        Fact::CancelledBeforeStart { by } => refuse(state, Refusal::cancelled(by, at)),
        Fact::StepRequested(request) | Fact::CompensationRequested(request) => {
            on_course(state, |course| ask(course, request, at))
        }
        Fact::StepQueued { .. } => on_course(state, |course| queue(course, &event.fact, at)),
        Fact::StepSucceeded { step, result, .. } => on_course(state, |course| succeed(course, step, result)),
        Fact::StepRefused { step, .. } | Fact::CompensationRefused { step, .. } => {
            on_open(state, step, |open| open.waiting = Waiting::AfterRefusal)
        }
        Fact::StepTimedOut { step, .. } => on_open(state, step, Open::fall_silent),
        Fact::RetryScheduled { step, answer, until, .. } => {
            on_open(state, step, |open| open.ask_again_at(*answer, *until))
        }
        Fact::StepSkipped { step, by: Some(_) } => on_course(state, |course| pass(course, step, How::Settled)),
        Fact::StepSkipped { step, by: None } | Fact::WaitEnded { step } => {
            on_course(state, |course| pass(course, step, How::NotNeeded))
        }
        Fact::ChoiceMade { step, branch } => on_course(state, |course| {
            course.saga_mut().chosen.insert(step.clone(), *branch);
        }),
        Fact::FanOutStarted { step, items, collected } => {
            on_course(state, |course| fan_out(course, step, items, collected))
        }
        Fact::DelayStarted { step, until } => opened(state, step, Waiting::Delay { until: *until }, at),
        Fact::WaitStarted { step, deadline } => opened(state, step, Waiting::Arrival { until: *deadline }, at),
        Fact::EarlyKept { step, event_id, result, .. } => {
            let early = Early { event_id: *event_id, result: result.clone() };
            on_course(state, |course| keep_early(course, step, early))
        }
        Fact::EventEmitted { step, .. } => on_course(state, |course| pass(course, step, How::Done)),
        Fact::StepUndone { step, .. } => on_course(state, |course| take_back(course, step)),
        Fact::RollbackStarted { cause, stages } => turn_back(state, |saga| RollingBack {
            saga,
            open: Vec::new(),
            cause: cause.clone(),
            stages: stages.clone(),
        }),
        Fact::CompensationSucceeded { step, .. } | Fact::CompensationSkipped { step, .. } => {
            on_course(state, |course| undone(course, step))
        }
        Fact::SagaPaused { by } => {
            hold(state, |course| State::Paused(Paused { course, by: by.clone(), at, replies: Vec::new() }))
        }
        Fact::SagaStuck { step, reason, .. } => {
            let (step, reason) = (step.clone(), reason.clone());
            hold(state, |course| State::Stuck(Stuck { course, step, reason, at, replies: Vec::new() }))
        }
        Fact::SagaResumed { .. } | Fact::SagaUnstuck { .. } => release(state, at),
        Fact::ReplyKept { reply } => keep_reply(state, reply),
        // Which definition a saga is under is not in its state: whoever holds it looks into its journal.
        Fact::DefinitionMoved { .. } | Fact::MoveRefused { .. } => state,
        Fact::CancelRefused { .. } | Fact::ParentTold { .. } => state,
        Fact::SagaDeadlinePassed {} => on_course(state, |course| course.saga_mut().deadline = None),
        Fact::SagaCompleted {} => complete(state, at),
        Fact::SagaRolledBack { reason } => end(state, Some(reason.clone()), at, State::RolledBack),
        Fact::SagaAbandoned { by } => end(state, Some(format!("abandoned by {by}")), at, State::Abandoned),
    }
}

fn begin(state: State, started: &SagaStarted, at: Timestamp) -> State {
    let (State::NotStarted | State::Refused(_)) = state else { return state };
    let saga = Saga {
        id: started.saga,
        key: started.key.clone(),
        data: started.data.clone(),
        results: serde_json::Map::new(),
        started_at: at,
        deadline: started.deadline,
        started_by: started.started_by.clone(),
        causation_id: started.causation_id,
        correlation_id: started.correlation_id,
        user_id: started.user_id.clone(),
        parent: started.parent.clone(),
        observed: started.observed,
        passed: Vec::new(),
        chosen: BTreeMap::new(),
        items: BTreeMap::new(),
        early: BTreeMap::new(),
    };
    State::Advancing(Advancing { saga: Box::new(saga), open: Vec::new() })
}

fn refuse(state: State, refusal: Refusal) -> State {
    match state {
        State::NotStarted => State::Refused(refusal),
        other => other,
    }
}

/// Changes the course of a living saga, moving or standing still.
fn on_course(state: State, change: impl FnOnce(&mut Course)) -> State {
    let changed = |mut course: Course| {
        change(&mut course);
        course
    };
    match state {
        State::Advancing(advancing) => changed(Course::Advancing(advancing)).into(),
        State::RollingBack(rolling_back) => changed(Course::RollingBack(rolling_back)).into(),
        State::Paused(paused) => State::Paused(Paused { course: changed(paused.course), ..paused }),
        State::Stuck(stuck) => State::Stuck(Stuck { course: changed(stuck.course), ..stuck }),
        other @ (State::NotStarted
        | State::Refused(_)
        | State::Completed(_)
        | State::RolledBack(_)
        | State::Abandoned(_)) => other,
    }
}

fn on_open(state: State, step: &StepName, change: impl FnOnce(&mut Open)) -> State {
    on_course(state, |course| {
        if let Some(open) = course.open_mut().iter_mut().find(|open| open.step == *step) {
            change(open);
        }
    })
}

fn ask(course: &mut Course, request: &Request, at: Timestamp) {
    let waiting = Waiting::Answer { until: request.deadline };
    let Some(open) = course.open_mut().iter_mut().find(|open| open.step == request.step) else {
        course.open_mut().push(Open::new(&request.step, waiting, at));
        return;
    };
    if matches!(open.waiting, Waiting::AfterRefusal | Waiting::AfterSilence) {
        open.attempts_before = request.attempt.saturating_sub(1);
        open.since = at;
    }
    open.attempt = request.attempt;
    open.try_number = request.try_number;
    open.waiting = waiting;
}

fn queue(course: &mut Course, queued: &Fact, at: Timestamp) {
    let Fact::StepQueued { step, participant, raises_try, until, causation_id, .. } = queued else { return };
    let (participant, raises_try, until) = (participant.clone(), *raises_try, *until);
    let turn = Waiting::Turn { participant, queued_at: at, until, raises_try, causation_id: *causation_id };
    match course.open_mut().iter_mut().find(|open| open.step == *step) {
        Some(open) => open.queue(turn, at),
        None => course.open_mut().push(Open::queued(step, turn, at)),
    }
}

fn opened(state: State, step: &StepName, waiting: Waiting, at: Timestamp) -> State {
    on_course(state, |course| course.open_mut().push(Open::new(step, waiting, at)))
}

/// Every item has its place among the results, so that none shifts when one of them brings nothing.
fn fan_out(course: &mut Course, step: &StepName, items: &[Value], collected: &[String]) {
    let saga = course.saga_mut();
    for identifier in collected {
        saga.results.insert(identifier.clone(), Value::Array(vec![Value::Null; items.len()]));
    }
    saga.items.insert(step.clone(), items.to_vec());
}

fn succeed(course: &mut Course, step: &StepName, result: &Value) {
    if !result.is_null() {
        keep_result(course.saga_mut(), step, result);
    }
    pass(course, step, How::Done);
}

fn keep_result(saga: &mut Saga, step: &StepName, result: &Value) {
    let Some(item) = step.item().and_then(|item| usize::try_from(item).ok()) else {
        saga.results.insert(step.identifier(), result.clone());
        return;
    };
    let of_items = saga.results.get_mut(&step.identifier()).and_then(Value::as_array_mut);
    if let Some(place) = of_items.and_then(|list| list.get_mut(item)) {
        *place = result.clone();
    }
}

fn pass(course: &mut Course, step: &StepName, how: How) {
    course.open_mut().retain(|open| open.step != *step);
    let saga = course.saga_mut();
    saga.early.remove(step);
    if saga.passed.iter().all(|passed| passed.step != *step) {
        saga.passed.push(Passed { step: step.clone(), how });
    }
}

fn keep_early(course: &mut Course, step: &StepName, early: Early) {
    course.saga_mut().early.entry(step.clone()).or_insert(early);
}

fn take_back(course: &mut Course, step: &StepName) {
    let passed = course.saga_mut().passed.iter_mut();
    passed.filter(|passed| passed.step == *step).for_each(|passed| passed.how = How::Undone);
}

fn undone(course: &mut Course, step: &StepName) {
    course.open_mut().retain(|open| open.step != *step);
    if let Course::RollingBack(rolling_back) = course {
        rolling_back.stages.iter_mut().for_each(|stage| stage.retain(|waiting| waiting != step));
        rolling_back.stages.retain(|stage| !stage.is_empty());
    }
}

fn turn_back(state: State, back: impl FnOnce(Box<Saga>) -> RollingBack) -> State {
    match state {
        State::Advancing(Advancing { saga, .. })
        | State::Paused(Paused { course: Course::Advancing(Advancing { saga, .. }), .. })
        | State::Stuck(Stuck { course: Course::Advancing(Advancing { saga, .. }), .. }) => {
            State::RollingBack(back(saga))
        }
        State::Completed(Ended { held: Some(saga), .. }) => State::RollingBack(back(saga)),
        other => other,
    }
}

fn hold(state: State, stand: impl FnOnce(Course) -> State) -> State {
    match state {
        State::Advancing(advancing) => stand(Course::Advancing(advancing)),
        State::RollingBack(rolling_back) => stand(Course::RollingBack(rolling_back)),
        other => other,
    }
}

/// Lets a saga go on, with as much time left as it had.
fn release(state: State, at: Timestamp) -> State {
    let (mut course, held_at) = match state {
        State::Paused(paused) => (paused.course, paused.at),
        State::Stuck(stuck) => (stuck.course, stuck.at),
        other => return other,
    };
    let stood = at.since(held_at);
    course.open_mut().iter_mut().for_each(|open| open.move_by(stood));
    let saga = course.saga_mut();
    saga.deadline = saga.deadline.map(|deadline| deadline.plus(stood));
    course.into()
}

fn keep_reply(state: State, reply: &Reply) -> State {
    match state {
        State::Paused(mut paused) => {
            paused.replies.push(reply.clone());
            State::Paused(paused)
        }
        State::Stuck(mut stuck) => {
            stuck.replies.push(reply.clone());
            State::Stuck(stuck)
        }
        other => other,
    }
}

/// What another saga waits for is kept whole: that one may have to roll it back. So is what is only observed: what undoes
/// it may be on its way.
fn complete(state: State, at: Timestamp) -> State {
    let held = state.saga().filter(|saga| saga.parent.is_some() || saga.observed).map(|saga| Box::new(saga.clone()));
    end(state, None, at, |ended| State::Completed(Ended { held, ..ended }))
}

fn end(state: State, reason: Option<String>, at: Timestamp, ended: impl FnOnce(Ended) -> State) -> State {
    match state.saga() {
        None => state,
        Some(saga) => ended(Ended {
            parent: saga.parent.clone(),
            held: None,
            id: saga.id,
            key: saga.key.clone(),
            correlation_id: saga.correlation_id,
            started_at: saga.started_at,
            finished_at: at,
            reason,
        }),
    }
}
