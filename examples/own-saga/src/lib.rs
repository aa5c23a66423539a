//! The lockers' part in the saga `sagas/locker-rental.yaml`: an example of what is written by whoever brings a saga and a
//! service of their own, and of how both are tested. `docs/testing.md` walks through it.

use backstitch_event_store::StreamId;
use backstitch_participant::{Answer, Changes, DomainEvent, Nothing, Participant, Route, View, Visibility};
use backstitch_processor::{Message, Rejection};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The service that has the lockers.
#[derive(Debug, Clone, Copy)]
pub struct Lockers {
    /// How many there are of each size.
    pub count: i32,
}

/// Something that happened to a rental. All of it is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A locker is kept for it.
    LockerReserved {
        /// The rental.
        rental: String,
        /// The locker's number.
        locker: i32,
    },
    /// None is.
    NoLockerFree {
        /// The rental.
        rental: String,
        /// For people.
        reason: String,
    },
    /// No locker is kept for it any more.
    LockerFreed {
        /// The rental.
        rental: String,
    },
    /// The locker was handed over.
    LockerOpened {
        /// The rental.
        rental: String,
        /// The locker's number.
        locker: i32,
    },
}

/// What the service is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Keep a locker.
    ReserveLocker {
        /// The rental.
        rental: String,
        /// `small` or `large`.
        size: String,
    },
    /// Keep it no longer.
    FreeLocker {
        /// The rental.
        rental: String,
    },
    /// Hand it over.
    OpenLocker {
        /// The rental.
        rental: String,
        /// The locker's number.
        locker: i32,
    },
}

impl Command {
    fn rental(&self) -> String {
        match self {
            Self::ReserveLocker { rental, .. } | Self::FreeLocker { rental } | Self::OpenLocker { rental, .. } => {
                rental.clone()
            }
        }
    }
}

/// The locker that a rental has, if it has one.
pub type Rental = Option<i32>;

impl DomainEvent for Event {
    fn visibility(&self) -> Visibility {
        Visibility::Published
    }
}

impl Participant for Lockers {
    type State = Rental;
    type Shared = ();
    type Event = Event;
    type Command = Command;
    type Heard = Nothing;
    type Timer = Nothing;
    type Call = Nothing;
    type Outcome = Nothing;

    fn aggregate_type(&self, _stream: &StreamId) -> &'static str {
        "Rental"
    }

    fn route(&self, message: &Message) -> Result<Route<Self>, Rejection> {
        let command: Command = match message.envelope.event_type.as_str() {
            "ReserveLocker" | "FreeLocker" | "OpenLocker" => read(message)?,
            other => return Err(Rejection::unknown_command(other)),
        };
        let stream = StreamId::of("rental", command.rental());
        Ok(match command {
            Command::FreeLocker { .. } => Route::Compensation { command, stream, undoes: "ReserveLocker" },
            Command::ReserveLocker { .. } | Command::OpenLocker { .. } => Route::Command { command, stream },
        })
    }

    fn evolve(&self, rental: &mut Rental, event: &Event) {
        match event {
            Event::LockerReserved { locker, .. } => *rental = Some(*locker),
            Event::LockerFreed { .. } => *rental = None,
            Event::NoLockerFree { .. } | Event::LockerOpened { .. } => {}
        }
    }

    fn decide(&self, command: &Command, _view: &View<'_, Self>) -> Answer<Self> {
        match command {
            Command::ReserveLocker { rental, size } if size == "small" || size == "large" => {
                let locker = rental.bytes().map(i32::from).sum::<i32>() % self.count.max(1) + 1;
                Answer::Done(Changes::of(Event::LockerReserved { rental: rental.clone(), locker }))
            }
            Command::OpenLocker { rental, locker } => {
                Answer::Done(Changes::of(Event::LockerOpened { rental: rental.clone(), locker: *locker }))
            }
            other => Answer::Refused(no_locker(other, "there are no lockers of that size")),
        }
    }

    fn compensate(&self, command: &Command, view: &View<'_, Self>) -> Answer<Self> {
        Answer::Done(self.nothing_to_undo(command, view))
    }

    fn nothing_to_undo(&self, command: &Command, _view: &View<'_, Self>) -> Changes<Self> {
        Changes::of(Event::LockerFreed { rental: command.rental() })
    }

    fn refuse_late(&self, command: &Command, _view: &View<'_, Self>) -> Changes<Self> {
        no_locker(command, "the rental was called off before")
    }

    fn answered(&self, _command: &Command, outcome: &Nothing, _view: &View<'_, Self>) -> Answer<Self> {
        match *outcome {}
    }
}

fn no_locker(command: &Command, reason: &str) -> Changes<Lockers> {
    Changes::of(Event::NoLockerFree { rental: command.rental(), reason: reason.to_owned() })
}

/// An externally tagged enum is made of a message's type and data.
fn read<T: DeserializeOwned>(message: &Message) -> Result<T, Rejection> {
    let envelope = &message.envelope;
    let tagged = serde_json::json!({ envelope.event_type.as_str(): envelope.data });
    serde_json::from_value(tagged).map_err(Rejection::invalid)
}
