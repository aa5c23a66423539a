//! Executing commands: read, find further streams, decide, append, and all of it again after a conflict. Separate from
//! what a command is; the part without a store is shared with the kit for tests.

use std::collections::BTreeMap;

use backon::Retryable as _;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::append::STREAMS_MAX;
use crate::command::{Command, Facts, Streams};
use crate::data::{DataError, EventData as _};
use crate::flow::Flow;
use crate::retry::{RetryPolicy, count_conflict};
use crate::{
    AppendError, AppendRequest, Appended, EventStore, ExpectedVersion, NewEvent, ReadError, StoredEvent, StreamId,
    StreamVersion,
};

/// What executing a command left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// The new versions of the streams written, and where in the global order; empty if nothing was written now.
    pub appended: Appended,
    /// The ids of its events, in order.
    pub event_ids: Vec<Uuid>,
    /// Whether it had been executed before: then nothing changed now.
    pub repeated: bool,
}

/// Why a command was not executed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError<R> {
    /// A rule said no.
    #[error("the command was refused")]
    Refused(#[source] R),
    /// It wrote where it had not declared to: declare the stream with `Streams::write`, or in `discover`.
    #[error("the command writes to stream `{stream}`, which it does not declare as written")]
    Undeclared {
        /// The stream.
        stream: StreamId,
    },
    /// It declares more streams than one append may name.
    #[error("the command declares {streams} streams, of at most {STREAMS_MAX}")]
    TooManyStreams {
        /// How many.
        streams: usize,
    },
    /// An event could not be understood or written.
    #[error("an event in stream `{stream}` is not understood")]
    Data {
        /// The stream.
        stream: StreamId,
        /// What is wrong.
        #[source]
        source: DataError,
    },
    /// The streams could not be read.
    #[error("the command's streams could not be read")]
    Read(#[from] ReadError),
    /// The events could not be appended; a conflict is one that remained after the last try.
    #[error("the command's events could not be written")]
    Append(#[from] AppendError),
}

/// Executes `command` once: a command id that was executed before changes nothing.
///
/// # Errors
/// See [`CommandError`]. Only conflicts are tried again, as `policy` says.
pub async fn execute<C: Command>(
    store: &dyn EventStore,
    command: &C,
    flow: &Flow,
    policy: &RetryPolicy,
) -> Result<Executed, CommandError<C::Refusal>> {
    let attempt = || async {
        match try_once(store, command, flow).await {
            // A repeat finds what it did itself, and may say no to that.
            Err(error) if error.may_be_a_repeat() && store.event(flow.event_id(0)).await?.is_some() => {
                Ok(Executed { appended: Appended::default(), event_ids: Vec::new(), repeated: true })
            }
            other => other,
        }
    };
    attempt.retry(policy.backoff()).when(CommandError::is_conflict).notify(|_, _| count_conflict()).await
}

async fn try_once<C: Command>(
    store: &dyn EventStore,
    command: &C,
    flow: &Flow,
) -> Result<Executed, CommandError<C::Refusal>> {
    let mut draft = Draft::of(command);
    loop {
        let asked = draft.missing()?;
        if asked.is_empty() {
            break;
        }
        draft.take(&store.load_many(&asked).await?)?;
    }
    let (request, event_ids) = draft.request(flow, Utc::now())?;
    if event_ids.is_empty() {
        return Ok(Executed { appended: Appended::default(), event_ids, repeated: false });
    }
    let appended = store.append(request).await?;
    // What it answers for a repeat lies within what was read.
    let repeated =
        appended.heads.iter().any(|(stream, head)| draft.versions.get(stream).is_some_and(|read| head <= read));
    Ok(Executed { appended, event_ids, repeated })
}

impl<R> CommandError<R> {
    fn may_be_a_repeat(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Append(AppendError::DuplicateEvent { .. }))
    }

    /// Whether another writer was faster.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Append(AppendError::Conflict { .. }))
    }
}

/// What a command said, or why it did not.
pub(crate) type Decided<C> = Result<Vec<(StreamId, <C as Command>::Event)>, CommandError<<C as Command>::Refusal>>;

/// A command on its way from streams to facts. Does no I/O: it says what it wants to read.
pub(crate) struct Draft<'a, C: Command> {
    command: &'a C,
    declared: Streams,
    state: C::State,
    versions: BTreeMap<StreamId, StreamVersion>,
}

impl<'a, C: Command> Draft<'a, C> {
    pub(crate) fn of(command: &'a C) -> Self {
        Self { command, declared: command.streams(), state: C::State::default(), versions: BTreeMap::new() }
    }

    /// Streams that are still to be read, after what was discovered; none: it can be decided.
    pub(crate) fn missing(&mut self) -> Result<Vec<(StreamId, StreamVersion)>, CommandError<C::Refusal>> {
        if self.declared.iter().all(|stream| self.versions.contains_key(stream)) {
            self.declared.add(self.command.discover(&self.state));
        }
        let streams = self.declared.iter().count();
        if streams > STREAMS_MAX {
            return Err(CommandError::TooManyStreams { streams });
        }
        let unread = self.declared.iter().filter(|stream| !self.versions.contains_key(stream));
        let asked: Vec<_> = unread.map(|stream| (stream.clone(), StreamVersion::NONE)).collect();
        self.versions.extend(asked.iter().cloned());
        Ok(asked)
    }

    /// What was read.
    pub(crate) fn take(&mut self, events: &[StoredEvent]) -> Result<(), CommandError<C::Refusal>> {
        for stored in events {
            let event = C::Event::of_stored(stored)
                .map_err(|source| CommandError::Data { stream: stored.stream.clone(), source })?;
            self.apply(&stored.stream, stored.version, &event);
        }
        Ok(())
    }

    pub(crate) fn apply(&mut self, stream: &StreamId, version: StreamVersion, event: &C::Event) {
        self.command.apply(&mut self.state, stream, event);
        self.versions.insert(stream.clone(), version);
    }

    /// Decides.
    pub(crate) fn facts(&self) -> Decided<C> {
        let mut facts = Facts::new();
        self.command.handle(&self.state, &mut facts).map_err(CommandError::Refused)?;
        match facts.events.iter().find(|(stream, _)| !self.declared.may_write(stream)) {
            Some((stream, _)) => Err(CommandError::Undeclared { stream: stream.clone() }),
            None => Ok(facts.events),
        }
    }

    fn request(&self, flow: &Flow, now: DateTime<Utc>) -> Result<(AppendRequest, Vec<Uuid>), CommandError<C::Refusal>> {
        let mut written: BTreeMap<StreamId, Vec<NewEvent>> = BTreeMap::new();
        let mut ids = Vec::new();
        for (nth, (stream, event)) in self.facts()?.into_iter().enumerate() {
            let event = flow
                .event(nth, &stream, &event, now)
                .map_err(|source| CommandError::Data { stream: stream.clone(), source })?;
            ids.push(event.event_id);
            written.entry(stream).or_default().push(event);
        }
        let mut request = AppendRequest::new();
        for (stream, version) in &self.versions {
            request = match written.remove(stream) {
                Some(events) => request.write(stream.clone(), ExpectedVersion::Exact(*version), events),
                None => request.read(stream.clone(), *version),
            };
        }
        Ok((request, ids))
    }
}
