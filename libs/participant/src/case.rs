//! An input as a participant understands it. Separate from what is decided about it, and done once for each input of a
//! batch.

use std::sync::Arc;

use backstitch_contracts::headers;
use backstitch_event_store::StreamId;
use backstitch_processor::{Input, Message, Rejection};
use serde::Deserialize as _;
use uuid::Uuid;

use crate::cause::{Cause, CauseKind, Undoes};
use crate::draft::concerned;
use crate::note::{AskedBy, CallOfCommand, CallTicket, TimerTicket};
use crate::record::RecordOf;
use crate::{Intent, Participant, Route};

/// Names an input within a batch.
#[derive(PartialEq, Eq, Hash)]
pub(crate) enum InputId {
    Message(Arc<str>, i32, i64),
    Timer(String),
    Answered(String),
}

impl InputId {
    pub(crate) fn of(input: &Input) -> Self {
        match input {
            Input::Message(message) => {
                let source = &message.delivery.source;
                Self::Message(Arc::clone(&source.topic), source.partition, message.delivery.offset)
            }
            Input::Timer(timer) => Self::Timer(timer.id.clone()),
            Input::Answered(answered) => Self::Answered(answered.job.id.clone()),
        }
    }
}

/// An input, understood.
pub(crate) enum Case<P: Participant> {
    Message {
        route: Route<P>,
        cause: Cause,
    },
    Timer {
        ticket: TimerTicket,
        timer: P::Timer,
    },
    /// Of a call that a command waits for.
    Answered {
        stream: StreamId,
        call: CallOfCommand,
        outcome: P::Outcome,
    },
    /// Of any other call.
    Called {
        stream: StreamId,
        cause: Cause,
        outcome: P::Outcome,
    },
}

impl<P: Participant> Case<P> {
    /// Understands it.
    pub(crate) fn of(input: &Input, participant: &P) -> Result<Self, Rejection> {
        match input {
            Input::Message(message) => {
                let route = participant.route(message)?;
                let cause = cause_of(message, &route);
                Ok(Self::Message { route, cause })
            }
            Input::Timer(timer) => {
                let ticket = TimerTicket::deserialize(&timer.payload).map_err(Rejection::invalid)?;
                let timer = P::Timer::deserialize(&ticket.timer).map_err(Rejection::invalid)?;
                Ok(Self::Timer { ticket, timer })
            }
            Input::Answered(answered) => {
                let ticket = CallTicket::of(&answered.job).map_err(Rejection::invalid)?;
                let outcome = P::Outcome::deserialize(&answered.outcome).map_err(Rejection::invalid)?;
                let stream = ticket.stream;
                Ok(match ticket.asked_by {
                    AskedBy::Command(call) => Self::Answered { stream, call, outcome },
                    AskedBy::Flow { correlation_id } => {
                        Self::Called { stream, cause: Cause::outcome(&answered.job.id, correlation_id), outcome }
                    }
                })
            }
        }
    }

    /// The own stream it is about.
    pub(crate) fn stream(&self) -> Option<&StreamId> {
        match self {
            Self::Message { route, .. } => route.stream(),
            Self::Timer { ticket, .. } => Some(&ticket.stream),
            Self::Answered { stream, .. } | Self::Called { stream, .. } => Some(stream),
        }
    }

    /// Whether the flow most likely begins here.
    pub(crate) fn is_likely_first(&self) -> bool {
        matches!(self, Self::Message { route: Route::Command { .. }, cause } if cause.attempt() == 1)
    }

    /// What is about to be decided, the record being as it was loaded.
    pub(crate) fn intents<'a>(&'a self, record: &'a RecordOf<P>) -> Vec<Intent<'a, P>> {
        match self {
            Self::Message { route: Route::Command { command, .. }, .. } => vec![Intent::Command(command)],
            Self::Message { route: Route::Compensation { command, .. }, .. } => vec![Intent::Compensation(command)],
            Self::Message { route: Route::Event { event, .. }, .. } => vec![Intent::Event(event)],
            Self::Message { route: Route::Ignored, .. } | Self::Called { .. } => Vec::new(),
            Self::Timer { timer, .. } => vec![Intent::Timer(timer)],
            Self::Answered { call, .. } => {
                let (answered, deferred) = concerned(record, *call);
                let answered = answered.into_iter().map(Intent::Answered);
                answered.chain(deferred.into_iter().map(Intent::Compensation)).collect()
            }
        }
    }
}

fn cause_of<P: Participant>(message: &Message, route: &Route<P>) -> Cause {
    let envelope = &message.envelope;
    let number = |name| message.delivery.header_text(name).and_then(|text| text.parse::<u32>().ok());
    let command = |undoes| CauseKind::Command {
        name: envelope.event_type.clone(),
        attempt: number(headers::SAGA_TRY).unwrap_or(1).max(1),
        undoes,
    };
    let kind = match route {
        Route::Command { .. } => command(None),
        Route::Compensation { undoes, .. } => {
            let id = message.delivery.header_text(headers::SAGA_UNDOES).and_then(|text| Uuid::parse_str(text).ok());
            command(Some(Undoes { id, command: (*undoes).to_owned() }))
        }
        Route::Event { .. } | Route::Ignored => CauseKind::Event,
    };
    Cause { id: envelope.event_id, correlation_id: envelope.correlation_id, user_id: envelope.user_id.clone(), kind }
}
