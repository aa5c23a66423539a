//! An own stream, folded: the service's state, and how every command stands. Separate from the rules that read it,
//! because it is rebuilt from the stream's events alone, by the same code that first wrote them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use backstitch_contracts::Envelope;
use backstitch_event_store::{NewEvent, StreamId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::cause::{Cause, CauseKind, Undoes};
use crate::event::{UnreadableEvent, tag};
use crate::note::{CallOfCommand, CommandMark, Marks, Note, Standing};
use crate::place::{Folded, Place};
use crate::publish::envelope_of;
use crate::{DomainEvent, Participant, Visibility};

/// The record of a participant's own stream.
pub(crate) type RecordOf<P> = Record<<P as Participant>::State, <P as Participant>::Command>;
/// An event of a participant's own stream.
pub(crate) type EntryOf<P> = Entry<<P as Participant>::Event, <P as Participant>::Command>;

/// The form of what is this library's in a record. To be raised whenever that or its fold changes, as a service raises
/// its own.
pub(crate) const RECORD_VERSION: i32 = 1;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record<S, C> {
    pub(crate) at: Place,
    pub(crate) state: S,
    pub(crate) commands: BTreeMap<Uuid, Told<C>>,
    tombstones: Vec<Undoes>,
    heard: BTreeSet<Uuid>,
}

/// How one command stands, and what was published for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Told<C> {
    pub(crate) name: String,
    pub(crate) attempt: u32,
    pub(crate) undoes: Option<Undoes>,
    pub(crate) status: Status<C>,
    pub(crate) published: Vec<Arc<Envelope>>,
    next_index: u32,
    calls: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Status<C> {
    Pending(Pending<C>),
    Done { undone: bool },
    Refused,
    Retryable,
}

/// A command that will be answered later.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pending<C> {
    pub(crate) command: C,
    /// The number of the call that is waited for; `None`: the outcome of what it undoes is.
    pub(crate) call: Option<u32>,
    pub(crate) correlation_id: Uuid,
    pub(crate) user_id: Option<String>,
}

impl<C> Pending<C> {
    /// The command behind it, as a cause.
    pub(crate) fn cause(&self, id: Uuid, told: &Told<C>) -> Cause {
        Cause {
            id,
            correlation_id: self.correlation_id,
            user_id: self.user_id.clone(),
            kind: CauseKind::Command { name: told.name.clone(), attempt: told.attempt, undoes: told.undoes.clone() },
        }
    }
}

/// An event of an own stream: the service's or the library's.
#[derive(Debug, Clone)]
pub(crate) enum Entry<E, C> {
    Domain(E),
    Note(Note<C>),
}

impl<S: Default, C> Default for Record<S, C> {
    fn default() -> Self {
        Self {
            at: Place::default(),
            state: S::default(),
            commands: BTreeMap::new(),
            tombstones: Vec::new(),
            heard: BTreeSet::new(),
        }
    }
}

impl<S, C> Folded for Record<S, C>
where
    S: Default + Clone + Serialize + DeserializeOwned + Send + 'static,
    C: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    fn place(&self) -> &Place {
        &self.at
    }

    fn place_mut(&mut self) -> &mut Place {
        &mut self.at
    }
}

impl<S, C: Clone> Record<S, C> {
    /// Whether the forward command came after its compensation.
    pub(crate) fn is_tombstoned(&self, id: Uuid, command: &str) -> bool {
        self.tombstones.iter().any(|undoes| undoes.names(id, command))
    }

    /// Whether the event was reacted to before.
    pub(crate) fn has_heard(&self, event: Uuid) -> bool {
        self.heard.contains(&event)
    }

    /// The number of the cause's next event.
    pub(crate) fn next_index(&self, cause: &Cause) -> u32 {
        self.told_in_this_try(cause).map_or(0, |told| told.next_index)
    }

    /// The number of the cause's next call.
    pub(crate) fn next_call(&self, cause: &Cause) -> u32 {
        self.told_in_this_try(cause).map_or(0, |told| told.calls)
    }

    /// What waits for the outcome of this very call.
    pub(crate) fn awaiting(&self, call: CallOfCommand) -> Option<(&Told<C>, &Pending<C>)> {
        let told = self.commands.get(&call.command_id).filter(|told| told.attempt == call.attempt)?;
        match &told.status {
            Status::Pending(pending) if pending.call == Some(call.number) => Some((told, pending)),
            _ => None,
        }
    }

    /// Compensations that wait for the outcome of what they undo.
    pub(crate) fn deferred(&self) -> impl Iterator<Item = (Uuid, &Told<C>, &Pending<C>)> {
        self.commands.iter().filter_map(|(id, told)| match &told.status {
            Status::Pending(pending) if pending.call.is_none() => Some((*id, told, pending)),
            _ => None,
        })
    }

    fn told_in_this_try(&self, cause: &Cause) -> Option<&Told<C>> {
        self.commands.get(&cause.id).filter(|told| told.attempt == cause.attempt())
    }

    /// Adds an event; answers its envelope if it is published.
    pub(crate) fn apply<P>(
        &mut self,
        participant: &P,
        stream: &StreamId,
        entry: &EntryOf<P>,
        event: &NewEvent,
    ) -> Option<Arc<Envelope>>
    where
        P: Participant<State = S, Command = C>,
    {
        let marks = Marks::deserialize(&event.metadata).ok();
        self.at.pass(event.event_id);
        let mut envelope = None;
        if let Entry::Domain(domain) = entry {
            participant.evolve(&mut self.state, domain);
            if domain.visibility() == Visibility::Published {
                envelope = Some(Arc::new(envelope_of(stream, self.at.version, event, marks.as_ref())));
            }
        }
        match (event.causation_id, marks.and_then(|marks| marks.command)) {
            (Some(command), Some(mark)) => self.note_command(command, mark, entry, event, envelope.clone()),
            (Some(heard), None) => {
                self.heard.insert(heard);
            }
            (None, _) => {}
        }
        envelope
    }

    fn note_command<E>(
        &mut self,
        id: Uuid,
        mark: CommandMark,
        entry: &Entry<E, C>,
        event: &NewEvent,
        envelope: Option<Arc<Envelope>>,
    ) {
        let told = self.commands.entry(id).or_insert_with(|| Told::new(&mark));
        if told.attempt != mark.attempt {
            *told = Told::new(&mark);
        }
        told.next_index = mark.index + 1;
        told.published.extend(envelope);
        match mark.standing {
            Standing::Pending => {}
            Standing::Done => told.status = Status::Done { undone: false },
            Standing::Refused => told.status = Status::Refused,
            Standing::Retryable => told.status = Status::Retryable,
        }
        match entry {
            Entry::Note(Note::CallRequested { command, call, .. }) => {
                told.calls = call + 1;
                told.status = Status::Pending(Pending::new(command, Some(*call), event));
            }
            Entry::Note(Note::CompensationDeferred { command }) => {
                told.status = Status::Pending(Pending::new(command, None, event));
            }
            Entry::Note(Note::CommandTombstoned { undoes }) => self.tombstones.push(undoes.clone()),
            Entry::Note(Note::CommandAnswered | Note::Reacted) | Entry::Domain(_) => {}
        }
        if let (Standing::Done, Some(undoes)) = (mark.standing, &mark.undoes) {
            self.mark_undone(undoes);
        }
    }

    fn mark_undone(&mut self, undoes: &Undoes) {
        for (id, told) in &mut self.commands {
            if let Status::Done { undone } = &mut told.status
                && undoes.names(*id, &told.name)
            {
                *undone = true;
            }
        }
    }
}

impl<C> Told<C> {
    fn new(mark: &CommandMark) -> Self {
        Self {
            name: mark.name.clone(),
            attempt: mark.attempt,
            undoes: mark.undoes.clone(),
            // Until the event's standing says otherwise, a moment later.
            status: Status::Retryable,
            published: Vec::new(),
            next_index: 0,
            calls: 0,
        }
    }
}

impl<C: Clone> Pending<C> {
    fn new(command: &C, call: Option<u32>, event: &NewEvent) -> Self {
        Self { command: command.clone(), call, correlation_id: event.correlation_id, user_id: event.user_id.clone() }
    }
}

impl<E: DomainEvent, C> Entry<E, C>
where
    C: Serialize + DeserializeOwned,
{
    /// Understands a stored event.
    pub(crate) fn read(event: &NewEvent) -> Result<Self, UnreadableEvent> {
        match Note::tag(&event.event_type, &event.data) {
            Some(note) => note.map(Self::Note),
            None => read_domain(event).map(Self::Domain),
        }
    }
}

/// Understands a stored event of the service.
pub(crate) fn read_domain<E: DomainEvent>(event: &NewEvent) -> Result<E, UnreadableEvent> {
    tag(&event.event_type, E::upcast(&event.event_type, event.event_version, event.data.clone()))
}
