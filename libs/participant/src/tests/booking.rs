//! A participant small enough to be seen at once: it books seats, some of them by asking someone else first.

use backstitch_event_store::StreamId;
use backstitch_processor::{Message, Rejection};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Answer, Changes, DomainEvent, Intent, Participant, Route, View, Visibility};

/// The booking desk.
#[derive(Debug)]
pub(crate) struct Booking;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    Booked { seat: String },
    BookingFailed { reason: String },
    Unbooked { seat: String },
    Noticed { word: String },
    SeatTaken { flow: String },
    SeatFreed,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Command {
    Book { flow: String, seat: String, how: How },
    Unbook { flow: String, how: How },
}

/// How the desk is to deal with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum How {
    /// At once.
    Now,
    /// Busy at the first try.
    OnSecondTry,
    /// After asking someone else.
    ByCall,
    /// Without any event in the own stream.
    Silently,
    /// Looking at a seat that it did not name.
    Peeking,
    /// With an event that the schema does not know.
    Unencodable,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Heard {
    Shout { word: String },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Timer {
    HoldEnds,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Call {
    Ask { seat: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    Yes,
    No,
    Busy,
    AskAgain,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) seat: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seat {
    pub(crate) taken_by: Option<String>,
}

pub(crate) fn flow_stream(flow: &str) -> StreamId {
    StreamId::of("booking", flow)
}

pub(crate) fn seat_stream(seat: &str) -> StreamId {
    StreamId::of("seat", seat)
}

impl DomainEvent for Event {
    fn visibility(&self) -> Visibility {
        match self {
            Self::Booked { .. } | Self::BookingFailed { .. } | Self::Unbooked { .. } => Visibility::Published,
            Self::Noticed { .. } | Self::SeatTaken { .. } | Self::SeatFreed => Visibility::Private,
        }
    }

    fn event_version(&self) -> i32 {
        // The schema has no second version of it.
        if matches!(self, Self::Booked { seat } if seat == "unencodable") { 2 } else { 1 }
    }
}

impl Participant for Booking {
    type State = State;
    type Shared = Seat;
    type Event = Event;
    type Command = Command;
    type Heard = Heard;
    type Timer = Timer;
    type Call = Call;
    type Outcome = Outcome;

    const SHARES: bool = true;

    fn aggregate_type(&self, stream: &StreamId) -> &'static str {
        if stream.category() == "seat" { "Seat" } else { "Booking" }
    }

    fn route(&self, message: &Message) -> Result<Route<Self>, Rejection> {
        let envelope = &message.envelope;
        let tagged = Value::Object(Map::from_iter([(envelope.event_type.clone(), envelope.data.clone())]));
        let stream = flow_stream(message.key_text().unwrap_or_default());
        match envelope.event_type.as_str() {
            "Book" => {
                let command = serde_json::from_value(tagged).map_err(Rejection::invalid)?;
                Ok(Route::Command { command, stream })
            }
            "Unbook" => {
                let command = serde_json::from_value(tagged).map_err(Rejection::invalid)?;
                Ok(Route::Compensation { command, stream, undoes: "Book" })
            }
            "Shout" => {
                let event = serde_json::from_value(tagged).map_err(Rejection::invalid)?;
                Ok(Route::Event { event, stream })
            }
            _ if message.topic == "bookings.commands" => Err(Rejection::unknown_command(&envelope.event_type)),
            _ => Ok(Route::Ignored),
        }
    }

    fn evolve(&self, state: &mut State, event: &Event) {
        match event {
            Event::Booked { seat } => state.seat = Some(seat.clone()),
            Event::Unbooked { .. } => state.seat = None,
            Event::BookingFailed { .. } | Event::Noticed { .. } | Event::SeatTaken { .. } | Event::SeatFreed => {}
        }
    }

    fn evolve_shared(&self, seat: &mut Seat, event: &Event) {
        match event {
            Event::SeatTaken { flow } => seat.taken_by = Some(flow.clone()),
            Event::SeatFreed => seat.taken_by = None,
            _ => {}
        }
    }

    fn shared_streams(&self, intent: Intent<'_, Self>, state: &State) -> Vec<StreamId> {
        match intent {
            Intent::Command(Command::Book { seat, .. }) | Intent::Answered(Command::Book { seat, .. }) => {
                vec![seat_stream(seat)]
            }
            _ => state.seat.iter().map(|seat| seat_stream(seat)).collect(),
        }
    }

    fn decide(&self, command: &Command, view: &View<'_, Self>) -> Answer<Self> {
        let Command::Book { flow, seat, how } = command else { return Answer::Refused(Changes::none()) };
        match how {
            How::Now | How::Unencodable => book(flow, seat, view),
            How::OnSecondTry if view.attempt == 1 => Answer::Retryable(failed("busy")),
            How::OnSecondTry => book(flow, seat, view),
            How::ByCall => Answer::call(Call::Ask { seat: seat.clone() }),
            How::Silently => {
                Answer::Done(Changes::none().on(seat_stream(seat), Event::SeatTaken { flow: flow.clone() }))
            }
            How::Peeking => {
                let other = view.shared(&seat_stream("elsewhere"));
                if other.taken_by.is_some() {
                    Answer::Refused(failed("elsewhere is taken"))
                } else {
                    book(flow, seat, view)
                }
            }
        }
    }

    fn compensate(&self, command: &Command, view: &View<'_, Self>) -> Answer<Self> {
        match command {
            Command::Unbook { how: How::ByCall, .. } => Answer::call(Call::Ask { seat: "back".to_owned() }),
            _ => Answer::Done(unbook(view.state)),
        }
    }

    fn nothing_to_undo(&self, _command: &Command, _view: &View<'_, Self>) -> Changes<Self> {
        Changes::of(Event::Unbooked { seat: "none".to_owned() })
    }

    fn refuse_late(&self, _command: &Command, _view: &View<'_, Self>) -> Changes<Self> {
        failed("too late")
    }

    fn answered(&self, command: &Command, outcome: &Outcome, view: &View<'_, Self>) -> Answer<Self> {
        match (command, outcome) {
            (Command::Book { flow, seat, .. }, Outcome::Yes) => book(flow, seat, view),
            (Command::Unbook { .. }, Outcome::Yes) => Answer::Done(unbook(view.state)),
            (_, Outcome::No) => Answer::Refused(failed("no")),
            (_, Outcome::Busy) => Answer::Retryable(failed("busy")),
            (_, Outcome::AskAgain) => Answer::call(Call::Ask { seat: "again".to_owned() }),
        }
    }

    fn called(&self, outcome: &Outcome, _view: &View<'_, Self>) -> Changes<Self> {
        match outcome {
            Outcome::Yes => Changes::of(Event::BookingFailed { reason: "rumour".to_owned() }),
            Outcome::No | Outcome::Busy => Changes::none(),
            Outcome::AskAgain => Changes::none().and_call(Call::Ask { seat: "again".to_owned() }),
        }
    }

    fn react(&self, event: &Heard, view: &View<'_, Self>) -> Changes<Self> {
        let Heard::Shout { word } = event;
        match word.as_str() {
            "fire" if view.state.seat.is_some() => unbook(view.state),
            "ask" => Changes::none().and_call(Call::Ask { seat: "rumour".to_owned() }),
            "wake me" => Changes::none().timer("hold", view.now + TimeDelta::seconds(1), Timer::HoldEnds),
            "listen" => Changes::of(Event::Noticed { word: word.clone() }),
            _ => Changes::none(),
        }
    }

    fn wake(&self, Timer::HoldEnds: &Timer, view: &View<'_, Self>) -> Changes<Self> {
        if view.state.seat.is_some() { unbook(view.state) } else { Changes::none() }
    }
}

fn book(flow: &str, seat: &str, view: &View<'_, Booking>) -> Answer<Booking> {
    let stream = seat_stream(seat);
    if view.shared(&stream).taken_by.is_some() {
        return Answer::Refused(failed("taken"));
    }
    let changes = Changes::of(Event::Booked { seat: seat.to_owned() })
        .on(stream, Event::SeatTaken { flow: flow.to_owned() })
        .timer("hold", view.now + TimeDelta::seconds(60), Timer::HoldEnds);
    Answer::Done(changes)
}

fn unbook(state: &State) -> Changes<Booking> {
    let changes = Changes::none().cancel_timer("hold");
    match &state.seat {
        Some(seat) => changes.and(Event::Unbooked { seat: seat.clone() }).on(seat_stream(seat), Event::SeatFreed),
        None => changes.and(Event::Unbooked { seat: "none".to_owned() }),
    }
}

fn failed(reason: &str) -> Changes<Booking> {
    Changes::of(Event::BookingFailed { reason: reason.to_owned() })
}
