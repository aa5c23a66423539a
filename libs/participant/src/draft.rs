//! One input decided, on copies: the rules applied, the service asked, its answer turned into events. Separate from the
//! logic that stages it, so that an input that fails half-way leaves nothing behind.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use backstitch_contracts::Envelope;
use backstitch_event_store::{NewEvent, StreamId, StreamVersion};
use backstitch_processor::Rejection;
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::answer::TimerChange;
use crate::cause::{Cause, CauseKind, Undoes, call_id, later_call_id};
use crate::event::{UnreadableEvent, untag};
use crate::note::{AskedBy, CallOfCommand, CallTicket, CommandMark, Marks, Note, Standing, TimerTicket};
use crate::record::{Entry, EntryOf, Record, RecordOf};
use crate::rules::{Ruling, on_compensation, on_forward, settle};
use crate::shared::{Shared, SharedStreams};
use crate::view::Glimpse;
use crate::{Answer, Changes, DomainEvent, Participant, Settings, View, Visibility};

/// What a draft is made in.
pub(crate) struct Setting<'a, P: Participant> {
    pub(crate) participant: &'a P,
    pub(crate) settings: &'a Settings,
    pub(crate) stream: &'a StreamId,
    pub(crate) now: DateTime<Utc>,
    pub(crate) shared: &'a SharedStreams<P::Shared>,
}

/// An event with its place.
pub type Placed = (StreamId, StreamVersion, NewEvent);

/// A call to be made.
pub(crate) struct CallOrder {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) ticket: CallTicket,
}

/// A timer of the flow, with what it carries.
pub(crate) type TimerOrder = TimerChange<Value>;

/// One input while it is decided.
pub(crate) struct Draft<'a, P: Participant> {
    at: Setting<'a, P>,
    undeclared: RefCell<Option<StreamId>>,
    pub(crate) drafted: Drafted<P>,
    pub(crate) timers: Vec<TimerOrder>,
    pub(crate) calls: Vec<CallOrder>,
}

/// What it left so far: copies, not yet staged.
pub(crate) struct Drafted<P: Participant> {
    pub(crate) record: RecordOf<P>,
    pub(crate) changed: BTreeMap<StreamId, Shared<P::Shared>>,
    pub(crate) appended: Vec<Placed>,
    pub(crate) published: Vec<Arc<Envelope>>,
}

impl<'a, P: Participant> Draft<'a, P> {
    pub(crate) fn new(at: Setting<'a, P>, record: RecordOf<P>) -> Self {
        Self {
            at,
            undeclared: RefCell::new(None),
            drafted: Drafted { record, changed: BTreeMap::new(), appended: Vec::new(), published: Vec::new() },
            timers: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// A forward command or a compensation.
    pub(crate) fn command(&mut self, cause: &Cause, command: &P::Command) -> Result<(), Rejection> {
        let CauseKind::Command { name, attempt, undoes } = &cause.kind else { return Ok(()) };
        let ruling = match undoes {
            None => on_forward(&self.drafted.record, cause.id, name, *attempt),
            Some(undoes) => on_compensation(&self.drafted.record, cause.id, undoes, *attempt),
        };
        self.follow(ruling, cause, command)
    }

    /// Another service's event.
    pub(crate) fn heard(&mut self, cause: &Cause, event: &P::Heard) -> Result<(), Rejection> {
        if self.drafted.record.has_heard(cause.id) {
            return Ok(());
        }
        let changes = self.asked(cause, |participant, view| participant.react(event, view))?;
        self.change(cause, changes, None)
    }

    /// A timer's time has come.
    pub(crate) fn woken(&mut self, cause: &Cause, timer: &P::Timer) -> Result<(), Rejection> {
        let changes = self.asked(cause, |participant, view| participant.wake(timer, view))?;
        self.change(cause, changes, None)
    }

    /// The outcome of a call that no command waits for.
    pub(crate) fn called(&mut self, cause: &Cause, outcome: &P::Outcome) -> Result<(), Rejection> {
        let changes = self.asked(cause, |participant, view| participant.called(outcome, view))?;
        self.change(cause, changes, None)
    }

    /// A call's outcome. Answers that nobody waits for any more are passed over.
    pub(crate) fn answered(&mut self, call: CallOfCommand, outcome: &P::Outcome) -> Result<(), Rejection> {
        let Some((told, pending)) = self.drafted.record.awaiting(call) else { return Ok(()) };
        let (cause, command) = (pending.cause(call.command_id, told), pending.command.clone());
        let answer = self.asked(&cause, |participant, view| participant.answered(&command, outcome, view))?;
        self.answer(&cause, &command, answer)?;
        self.settle_deferred()
    }

    // Each one settled is deferred no more, so this ends.
    fn settle_deferred(&mut self) -> Result<(), Rejection> {
        while let Some((ruling, cause, command)) = self.next_deferred() {
            self.follow(ruling, &cause, &command)?;
        }
        Ok(())
    }

    fn next_deferred(&self) -> Option<(Ruling, Cause, P::Command)> {
        self.drafted.record.deferred().find_map(|(id, told, pending)| {
            let ruling = settle(&self.drafted.record, told.undoes.as_ref()?);
            (ruling != Ruling::Defer).then(|| (ruling, pending.cause(id, told), pending.command.clone()))
        })
    }

    fn follow(&mut self, ruling: Ruling, cause: &Cause, command: &P::Command) -> Result<(), Rejection> {
        match ruling {
            Ruling::Repeat => {
                metrics::counter!("participant_repeats_total").increment(1);
                let told = self.drafted.record.commands.get(&cause.id);
                self.drafted.published.extend(told.iter().flat_map(|told| told.published.clone()));
                Ok(())
            }
            Ruling::Wait => Ok(()),
            Ruling::Decide => {
                let answer = self.asked(cause, |participant, view| participant.decide(command, view))?;
                self.answer(cause, command, answer)
            }
            Ruling::Compensate => {
                let answer = self.asked(cause, |participant, view| participant.compensate(command, view))?;
                self.answer(cause, command, answer)
            }
            Ruling::RefuseLate => {
                let changes = self.asked(cause, |participant, view| participant.refuse_late(command, view))?;
                self.change(cause, changes, Some(Standing::Refused))
            }
            Ruling::NothingToUndo { tombstone } => {
                if tombstone && let Some(undoes) = undoes_of(cause) {
                    self.note(cause, Note::CommandTombstoned { undoes: undoes.clone() }, Some(Standing::Done))?;
                }
                let changes = self.asked(cause, |participant, view| participant.nothing_to_undo(command, view))?;
                self.change(cause, changes, Some(Standing::Done))
            }
            Ruling::Defer => {
                self.note(cause, Note::CompensationDeferred { command: command.clone() }, Some(Standing::Pending))
            }
        }
    }

    /// Asks the service, with what it may look at.
    fn asked<T>(&self, cause: &Cause, ask: impl FnOnce(&P, &View<'_, P>) -> T) -> Result<T, Rejection> {
        let shared = Glimpse { changed: &self.drafted.changed, streams: self.at.shared, undeclared: &self.undeclared };
        let (id, attempt) = (cause.id, cause.attempt());
        let view = View { state: &self.drafted.record.state, now: self.at.now, id, attempt, shared };
        let answer = ask(self.at.participant, &view);
        match self.undeclared.borrow_mut().take() {
            Some(stream) => Err(undeclared(&stream)),
            None => Ok(answer),
        }
    }

    fn answer(&mut self, cause: &Cause, command: &P::Command, answer: Answer<P>) -> Result<(), Rejection> {
        match answer {
            Answer::Done(changes) => self.change(cause, changes, Some(Standing::Done)),
            Answer::Refused(changes) => self.change(cause, changes, Some(Standing::Refused)),
            Answer::Retryable(changes) => self.change(cause, changes, Some(Standing::Retryable)),
            Answer::Call { call, changes } => {
                self.call(cause, command, &call)?;
                self.change(cause, changes, Some(Standing::Pending))
            }
        }
    }

    fn call(&mut self, cause: &Cause, command: &P::Command, call: &P::Call) -> Result<(), Rejection> {
        let kind = kind_of(call);
        let number = self.drafted.record.next_call(cause);
        let note = Note::CallRequested { command: command.clone(), call: number, kind: kind.clone() };
        self.note(cause, note, Some(Standing::Pending))?;
        let asked = CallOfCommand { command_id: cause.id, attempt: cause.attempt(), number };
        let id = call_id(cause.id, asked.attempt, number);
        self.order(id, kind, AskedBy::Command(asked), call)
    }

    fn order(&mut self, id: String, kind: String, asked_by: AskedBy, call: &P::Call) -> Result<(), Rejection> {
        let call = serde_json::to_value(call).map_err(Rejection::invalid)?;
        let ticket = CallTicket { stream: self.at.stream.clone(), asked_by, call };
        self.calls.push(CallOrder { id, kind, ticket });
        Ok(())
    }

    // Shared streams and calls first: the own stream's last event then has the highest number of all, which is what a
    // record rebuilt from the own stream goes on from.
    fn change(&mut self, cause: &Cause, changes: Changes<P>, standing: Option<Standing>) -> Result<(), Rejection> {
        let had_effect = !changes.is_none();
        let mut index = self.drafted.record.next_index(cause);
        for (stream, event) in changes.shared {
            self.append_shared(cause, stream, &event, index, standing)?;
            index += 1;
        }
        for call in &changes.calls {
            let asked_by = AskedBy::Flow { correlation_id: cause.correlation_id };
            self.order(later_call_id(cause, index), kind_of(call), asked_by, call)?;
            index += 1;
        }
        let is_silent = changes.events.is_empty();
        for event in changes.events {
            self.append_own(cause, &Entry::Domain(event), index, standing)?;
            index += 1;
        }
        for (name, timer) in changes.timers {
            let order = timer.map(|(due_at, timer)| Ok((due_at, self.timer_payload(cause, &name, &timer)?)));
            self.timers.push((name, order.transpose()?));
        }
        let note = match standing {
            Some(Standing::Done | Standing::Refused | Standing::Retryable) if is_silent => Some(Note::CommandAnswered),
            Some(Standing::Pending) | None if is_silent && had_effect => Some(Note::Reacted),
            _ => None,
        };
        if let Some(standing) = standing {
            metrics::counter!("participant_answers_total", "answer" => standing.label()).increment(1);
        }
        note.map_or(Ok(()), |note| self.append_own(cause, &Entry::Note(note), index, standing))
    }

    fn timer_payload(&self, cause: &Cause, name: &str, timer: &P::Timer) -> Result<Value, Rejection> {
        let ticket = TimerTicket {
            stream: self.at.stream.clone(),
            name: name.to_owned(),
            correlation_id: cause.correlation_id,
            timer: serde_json::to_value(timer).map_err(Rejection::invalid)?,
        };
        serde_json::to_value(ticket).map_err(Rejection::invalid)
    }

    fn note(&mut self, cause: &Cause, note: Note<P::Command>, standing: Option<Standing>) -> Result<(), Rejection> {
        let index = self.drafted.record.next_index(cause);
        self.append_own(cause, &Entry::Note(note), index, standing)
    }

    fn append_own(
        &mut self,
        cause: &Cause,
        entry: &EntryOf<P>,
        index: u32,
        standing: Option<Standing>,
    ) -> Result<(), Rejection> {
        let said = match entry {
            Entry::Domain(event) => {
                Said { tagged: untag(event), version: event.event_version(), metadata: self.metadata(event) }
            }
            Entry::Note(note) => Said { tagged: note.untag(), version: 1, metadata: BTreeMap::new() },
        };
        let stream = self.at.stream.clone();
        let event = self.event(cause, &stream, said, index, standing)?;
        let envelope = self.drafted.record.apply(self.at.participant, &stream, entry, &event);
        self.drafted.published.extend(envelope);
        self.drafted.appended.push((stream, self.drafted.record.at.version, event));
        Ok(())
    }

    // Only what is published has readers.
    fn metadata(&self, event: &P::Event) -> BTreeMap<String, String> {
        match event.visibility() {
            Visibility::Published => self.at.participant.metadata(&self.drafted.record.state, event),
            Visibility::Private => BTreeMap::new(),
        }
    }

    fn append_shared(
        &mut self,
        cause: &Cause,
        stream: StreamId,
        event: &P::Event,
        index: u32,
        standing: Option<Standing>,
    ) -> Result<(), Rejection> {
        if !self.drafted.changed.contains_key(&stream) {
            let locked = self.at.shared.get(&stream).ok_or_else(|| undeclared(&stream))?;
            self.drafted.changed.insert(stream.clone(), locked.clone());
        }
        let said = Said { tagged: untag(event), version: event.event_version(), metadata: BTreeMap::new() };
        let stored = self.event(cause, &stream, said, index, standing)?;
        if let Some(shared) = self.drafted.changed.get_mut(&stream) {
            self.at.participant.evolve_shared(&mut shared.state, event);
            shared.at.pass(stored.event_id);
            self.drafted.appended.push((stream, shared.at.version, stored));
        }
        Ok(())
    }

    fn event(
        &self,
        cause: &Cause,
        stream: &StreamId,
        said: Said,
        index: u32,
        standing: Option<Standing>,
    ) -> Result<NewEvent, Rejection> {
        let (event_type, data) = said.tagged.map_err(Rejection::invalid)?;
        let source = self.at.settings.source.clone();
        let command = standing.and_then(|standing| mark(cause, index, standing));
        let marks = Marks { source, command, metadata: said.metadata };
        Ok(NewEvent {
            event_id: cause.event_id(&self.at.settings.source, index),
            event_type,
            event_version: said.version,
            aggregate_type: self.at.participant.aggregate_type(stream).to_owned(),
            occurred_at: self.at.now,
            correlation_id: cause.correlation_id,
            causation_id: cause.causation_id(),
            user_id: cause.user_id.clone(),
            data,
            metadata: serde_json::to_value(marks).map_err(Rejection::invalid)?,
        })
    }
}

/// What an event says, before it has its place.
struct Said {
    tagged: Result<(String, Value), UnreadableEvent>,
    version: i32,
    metadata: BTreeMap<String, String>,
}

// For logs and metrics; a call that is no enum has no better name.
fn kind_of(call: &impl serde::Serialize) -> String {
    untag(call).map_or_else(|_| "call".to_owned(), |(kind, _)| kind)
}

fn mark(cause: &Cause, index: u32, standing: Standing) -> Option<CommandMark> {
    match &cause.kind {
        CauseKind::Command { name, attempt, undoes } => {
            Some(CommandMark { name: name.clone(), attempt: *attempt, index, standing, undoes: undoes.clone() })
        }
        CauseKind::Event | CauseKind::Itself => None,
    }
}

fn undoes_of(cause: &Cause) -> Option<&Undoes> {
    match &cause.kind {
        CauseKind::Command { undoes, .. } => undoes.as_ref(),
        CauseKind::Event | CauseKind::Itself => None,
    }
}

fn undeclared(stream: &StreamId) -> Rejection {
    Rejection {
        reason: "undeclared-stream",
        detail: format!("the shared stream `{stream}` is used, but was not named by `shared_streams`"),
    }
}

/// The commands whose shared streams a call's outcome may need: the one answered, and the compensations it settles.
pub(crate) fn concerned<S, C: Clone>(record: &Record<S, C>, call: CallOfCommand) -> (Option<&C>, Vec<&C>) {
    let answered = record.awaiting(call).map(|(_, pending)| &pending.command);
    (answered, record.deferred().map(|(_, _, pending)| &pending.command).collect())
}
