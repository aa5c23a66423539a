//! What a service says about itself; all that its author writes. Separate from the machinery, so that it reads alone.

use std::collections::BTreeMap;
use std::fmt::Debug;

use backstitch_contracts::Envelope;
use backstitch_event_store::StreamId;
use backstitch_processor::{Message, Rejection, Use};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Answer, Changes, DomainEvent, View};

/// A service's part in sagas: pure functions over its own event-sourced state.
///
/// Each flow (an order, say) has one *own stream*, written by the one lane that is the flow's home. Rows that many flows
/// want (the stock of a product) are *shared streams*: they are locked while a batch is decided.
///
/// Types that a service has no use for are `()`, or [`crate::Nothing`] where no value may exist.
pub trait Participant: Send + Sync + 'static {
    /// What its own stream's events amount to. Kept in snapshots.
    type State: Default + Clone + Send + Sync + Serialize + DeserializeOwned + 'static;
    /// What a shared stream's events amount to. Kept in snapshots.
    type Shared: Default + Clone + Send + Sync + Serialize + DeserializeOwned + 'static;
    /// Everything that can happen in its streams.
    type Event: DomainEvent;
    /// Commands, forward ones and compensations alike. Stored with open calls, so keep old ones readable.
    type Command: Clone + Debug + Send + Sync + Serialize + DeserializeOwned + 'static;
    /// Events of other services that matter here.
    type Heard: Debug + Send + Sync;
    /// What it wakes up for.
    type Timer: Debug + Send + Sync + Serialize + DeserializeOwned;
    /// External calls.
    type Call: Debug + Serialize;
    /// What an external call found out.
    type Outcome: Send + Sync + DeserializeOwned;

    /// Whether it has shared streams at all. If so, batches run in explicit transactions.
    const SHARES: bool = false;

    /// The form of [`Participant::State`], 1 to 999,999. To be raised whenever the state or its fold changes: snapshots
    /// of other forms are then ignored, and taken anew.
    const STATE_VERSION: u32 = 1;

    /// The form of [`Participant::Shared`], as [`Participant::STATE_VERSION`].
    const SHARED_VERSION: u32 = 1;

    /// What kind of aggregate a stream is about, for the envelope and for people.
    fn aggregate_type(&self, stream: &StreamId) -> &'static str;

    /// What use a message of this topic may be, going by its envelope, of which everything but `data` is read. Spares the
    /// work of reading what nobody here looks at, and a transaction where nobody waits; [`Participant::route`] has the
    /// last word.
    fn use_for(&self, _topic: &str, _heading: &Envelope) -> Use {
        Use::Now
    }

    /// What a message is to this service. Called several times for each message: parse, do not think.
    ///
    /// # Errors
    /// [`Rejection`]: a command that nobody here handles, or content that breaks the contract: a dead letter.
    fn route(&self, message: &Message) -> Result<Route<Self>, Rejection>;

    /// Adds an event of the own stream to its state. Total: it happened.
    fn evolve(&self, state: &mut Self::State, event: &Self::Event);

    /// Adds an event of a shared stream to its state. Total: it happened.
    fn evolve_shared(&self, _shared: &mut Self::Shared, _event: &Self::Event) {}

    /// Further words for the envelope's metadata of a published event; `state` is as it was before the event. For what
    /// all events of a flow have to say, such as who drives it, so that whoever reads them need not look it up.
    fn metadata(&self, _state: &Self::State, _event: &Self::Event) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// Which shared streams this will read or write; only these can be. Told by the input or by what the own stream
    /// remembers of earlier inputs.
    fn shared_streams(&self, _intent: Intent<'_, Self>, _state: &Self::State) -> Vec<StreamId> {
        Vec::new()
    }

    /// Decides a forward command that has not been answered for good.
    fn decide(&self, command: &Self::Command, view: &View<'_, Self>) -> Answer<Self>;

    /// Decides a compensation, its forward command having been done and not undone.
    fn compensate(&self, command: &Self::Command, view: &View<'_, Self>) -> Answer<Self>;

    /// What a compensation answers when there is nothing to undo: success all the same.
    fn nothing_to_undo(&self, command: &Self::Command, view: &View<'_, Self>) -> Changes<Self>;

    /// What a forward command is refused with, its compensation having come first.
    fn refuse_late(&self, command: &Self::Command, view: &View<'_, Self>) -> Changes<Self>;

    /// Goes on after an external call that `command` (forward or compensation) had asked for.
    fn answered(&self, command: &Self::Command, outcome: &Self::Outcome, view: &View<'_, Self>) -> Answer<Self>;

    /// What the outcome of a call means that [`Changes::and_call`] had asked for. Shows the own stream only.
    fn called(&self, _outcome: &Self::Outcome, _view: &View<'_, Self>) -> Changes<Self> {
        Changes::none()
    }

    /// What another service's event means here. Events that were reacted to are not shown twice.
    fn react(&self, _event: &Self::Heard, _view: &View<'_, Self>) -> Changes<Self> {
        Changes::none()
    }

    /// What to do now that a timer's time has come. It may have been overtaken: look at the state.
    fn wake(&self, _timer: &Self::Timer, _view: &View<'_, Self>) -> Changes<Self> {
        Changes::none()
    }
}

/// What a message is to a service.
#[derive(Debug)]
pub enum Route<P: Participant + ?Sized> {
    /// Do something.
    Command {
        /// What.
        command: P::Command,
        /// The flow's own stream.
        stream: StreamId,
    },
    /// Undo something.
    Compensation {
        /// What to do for it.
        command: P::Command,
        /// The flow's own stream.
        stream: StreamId,
        /// The type of the forward command that it undoes: senders without our headers are matched by it.
        undoes: &'static str,
    },
    /// Something happened elsewhere.
    Event {
        /// What.
        event: P::Heard,
        /// The flow's own stream.
        stream: StreamId,
    },
    /// A valid message that does not matter here: skipped and counted.
    Ignored,
}

impl<P: Participant + ?Sized> Route<P> {
    /// The own stream that the message is about.
    #[must_use]
    pub fn stream(&self) -> Option<&StreamId> {
        match self {
            Self::Command { stream, .. } | Self::Compensation { stream, .. } | Self::Event { stream, .. } => {
                Some(stream)
            }
            Self::Ignored => None,
        }
    }
}

/// What is about to be decided.
#[derive(Debug)]
pub enum Intent<'a, P: Participant + ?Sized> {
    /// [`Participant::decide`].
    Command(&'a P::Command),
    /// [`Participant::compensate`].
    Compensation(&'a P::Command),
    /// [`Participant::answered`], of this command.
    Answered(&'a P::Command),
    /// [`Participant::react`].
    Event(&'a P::Heard),
    /// [`Participant::wake`].
    Timer(&'a P::Timer),
}
