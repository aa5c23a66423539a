//! What a decision says: its answer and what that changes. Separate, because services build these and only these.

use backstitch_event_store::StreamId;
use chrono::{DateTime, Utc};

use crate::Participant;

/// The answer to a command.
#[derive(Debug)]
pub enum Answer<P: Participant + ?Sized> {
    /// It is done, for good: a repeat is told the same, a compensation has something to undo.
    Done(Changes<P>),
    /// A definite no, for good: nothing happened and there is nothing to undo.
    Refused(Changes<P>),
    /// No, but a higher try may be asked.
    Retryable(Changes<P>),
    /// Not yet: a call must be made first, and [`Participant::answered`] goes on from its outcome.
    Call {
        /// The call; made until its outcome is certain, always under the same idempotency key.
        call: P::Call,
        /// What is to be remembered meanwhile.
        changes: Changes<P>,
    },
}

impl<P: Participant + ?Sized> Answer<P> {
    /// A call, with nothing to be remembered meanwhile.
    #[must_use]
    pub fn call(call: P::Call) -> Self {
        Self::Call { call, changes: Changes::none() }
    }
}

/// A timer's name, and when and what for; `None` takes it back.
pub(crate) type TimerChange<T> = (String, Option<(DateTime<Utc>, T)>);

/// What changes with a decision.
#[derive(Debug)]
pub struct Changes<P: Participant + ?Sized> {
    pub(crate) events: Vec<P::Event>,
    pub(crate) shared: Vec<(StreamId, P::Event)>,
    pub(crate) timers: Vec<TimerChange<P::Timer>>,
    pub(crate) calls: Vec<P::Call>,
}

impl<P: Participant + ?Sized> Changes<P> {
    /// Nothing changes.
    #[must_use]
    pub fn none() -> Self {
        Self { events: Vec::new(), shared: Vec::new(), timers: Vec::new(), calls: Vec::new() }
    }

    /// An event in the own stream; published if its [`crate::Visibility`] says so.
    #[must_use]
    pub fn of(event: P::Event) -> Self {
        Self::none().and(event)
    }

    /// One more event in the own stream.
    #[must_use]
    pub fn and(mut self, event: P::Event) -> Self {
        self.events.push(event);
        self
    }

    /// An event in a shared stream, one that [`Participant::shared_streams`] named. Never published.
    #[must_use]
    pub fn on(mut self, stream: StreamId, event: P::Event) -> Self {
        self.shared.push((stream, event));
        self
    }

    /// Wakes the flow at `due_at`; setting the same name again moves it.
    #[must_use]
    pub fn timer(mut self, name: &str, due_at: DateTime<Utc>, timer: P::Timer) -> Self {
        self.timers.push((name.to_owned(), Some((due_at, timer))));
        self
    }

    /// Takes a timer of the flow back; one that is not set is fine.
    #[must_use]
    pub fn cancel_timer(mut self, name: &str) -> Self {
        self.timers.push((name.to_owned(), None));
        self
    }

    /// Makes an external call that no command waits for; its outcome goes to [`Participant::called`]. Where a command's
    /// answer depends on the call, [`Answer::Call`] is what is meant.
    #[must_use]
    pub fn and_call(mut self, call: P::Call) -> Self {
        self.calls.push(call);
        self
    }

    /// And whatever else changes, after this.
    #[must_use]
    pub fn also(mut self, other: Self) -> Self {
        self.events.extend(other.events);
        self.shared.extend(other.shared);
        self.timers.extend(other.timers);
        self.calls.extend(other.calls);
        self
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.events.is_empty() && self.shared.is_empty() && self.timers.is_empty() && self.calls.is_empty()
    }
}
