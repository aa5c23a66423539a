//! What commands and the gateway's answers mean for a payment: the domain's decisions in the participant's words. The
//! library around it sees to repeats, tombstones, and refunds that overtake their charge.

use std::sync::Arc;

use async_trait::async_trait;
use backstitch_contracts::Payload;
use backstitch_contracts::payments::{COMMANDS, PaymentFailed, ProcessPayment, RefundPayment};
use backstitch_domain::OrderId;
use backstitch_event_store::StreamId;
use backstitch_participant::{Answer, Calls, Changes, DomainEvent, Nothing, Participant, Route, View, Visibility};
use backstitch_processor::{Message, Rejection};
use serde::{Deserialize, Serialize};

use crate::domain::{
    Charge, ChargeOutcome, Payment, PaymentEvent, Processing, Refund, RefundOutcome, Refunding, nothing_refunded,
    process, refund, settle_charge, settle_refund,
};
use crate::gateway::Gateway;

/// The payment service's part in sagas.
#[derive(Debug, Clone, Copy, Default)]
pub struct Payments;

/// What it is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Command {
    /// Charge.
    Process(ProcessPayment),
    /// Give back.
    Refund(RefundPayment),
}

/// What it asks the gateway for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Call {
    /// Charge.
    Charge(Charge),
    /// Give back.
    Refund(Refund),
}

/// What the gateway answered, and to what.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Outcome {
    /// Of a charge.
    Charge(Charge, ChargeOutcome),
    /// Of a refund.
    Refund(Refund, RefundOutcome),
}

/// The stream of an order's payment.
#[must_use]
pub fn stream(order_id: OrderId) -> StreamId {
    StreamId::of("payment", order_id)
}

impl DomainEvent for PaymentEvent {
    fn visibility(&self) -> Visibility {
        match self {
            Self::ChargeRequested(_) | Self::ChargeFailed(_) => Visibility::Private,
            Self::PaymentProcessed(_) | Self::PaymentFailed(_) | Self::PaymentRefunded(_) => Visibility::Published,
        }
    }
}

impl Participant for Payments {
    type State = Payment;
    type Shared = ();
    type Event = PaymentEvent;
    type Command = Command;
    type Heard = Nothing;
    type Timer = Nothing;
    type Call = Call;
    type Outcome = Outcome;

    fn aggregate_type(&self, _stream: &StreamId) -> &'static str {
        "Payment"
    }

    fn route(&self, message: &Message) -> Result<Route<Self>, Rejection> {
        if message.topic != COMMANDS {
            return Ok(Route::Ignored);
        }
        match message.envelope.event_type.as_str() {
            ProcessPayment::EVENT_TYPE => {
                let command: ProcessPayment = read(message)?;
                Ok(Route::Command { stream: stream(command.order_id), command: Command::Process(command) })
            }
            RefundPayment::EVENT_TYPE => {
                let command: RefundPayment = read(message)?;
                let (stream, undoes) = (stream(command.order_id), ProcessPayment::EVENT_TYPE);
                Ok(Route::Compensation { command: Command::Refund(command), stream, undoes })
            }
            other => Err(Rejection::unknown_command(other)),
        }
    }

    fn evolve(&self, state: &mut Payment, event: &PaymentEvent) {
        state.evolve(event);
    }

    fn decide(&self, command: &Command, view: &View<'_, Self>) -> Answer<Self> {
        match command {
            Command::Process(command) => match process(view.state, command, view.id, view.attempt) {
                Processing::Ask(charge) => Answer::Call {
                    call: Call::Charge(charge.clone()),
                    changes: Changes::of(PaymentEvent::ChargeRequested(charge)),
                },
                Processing::Known(event) => settled(vec![event]),
            },
            Command::Refund(_) => self.compensate(command, view),
        }
    }

    fn compensate(&self, command: &Command, view: &View<'_, Self>) -> Answer<Self> {
        match refund(view.state, command.order_id()) {
            Refunding::Ask(refund) => Answer::call(Call::Refund(refund)),
            Refunding::Known(event) => settled(vec![event]),
        }
    }

    fn nothing_to_undo(&self, command: &Command, _view: &View<'_, Self>) -> Changes<Self> {
        Changes::of(nothing_refunded(command.order_id()))
    }

    fn refuse_late(&self, command: &Command, _view: &View<'_, Self>) -> Changes<Self> {
        let reason = "the payment was refunded before it was made".to_owned();
        let failed = PaymentFailed { order_id: command.order_id(), reason, retry_possible: false };
        Changes::of(PaymentEvent::PaymentFailed(failed))
    }

    fn answered(&self, _command: &Command, outcome: &Outcome, _view: &View<'_, Self>) -> Answer<Self> {
        match outcome {
            Outcome::Charge(charge, outcome) => settled(settle_charge(charge, outcome)),
            Outcome::Refund(refund, outcome) => settled(vec![settle_refund(refund, outcome)]),
        }
    }
}

impl Command {
    const fn order_id(&self) -> OrderId {
        match self {
            Self::Process(command) => command.order_id,
            Self::Refund(command) => command.order_id,
        }
    }
}

/// Events as an answer: a failure is a refusal, or asks for another try.
fn settled(events: Vec<PaymentEvent>) -> Answer<Payments> {
    let failed = events.iter().find_map(|event| match event {
        PaymentEvent::PaymentFailed(failed) => Some(failed.retry_possible),
        _ => None,
    });
    let changes = events.into_iter().fold(Changes::none(), Changes::and);
    match failed {
        None => Answer::Done(changes),
        Some(true) => Answer::Retryable(changes),
        Some(false) => Answer::Refused(changes),
    }
}

fn read<T: Payload>(message: &Message) -> Result<T, Rejection> {
    message.envelope.typed().map_err(|error| Rejection::invalid(format!("{:#}", anyhow::Error::new(error))))
}

/// The participant's calls, made at a gateway.
pub struct GatewayCalls(pub Arc<dyn Gateway>);

#[async_trait]
impl Calls for GatewayCalls {
    type Call = Call;
    type Outcome = Outcome;

    // The library's key and the charge's say the same; the charge's own is also known to the refund.
    async fn call(&self, _key: &str, call: Call) -> Outcome {
        match call {
            Call::Charge(charge) => {
                let outcome = self.0.charge(&charge).await;
                Outcome::Charge(charge, outcome)
            }
            Call::Refund(refund) => {
                let outcome = self.0.refund(&refund).await;
                Outcome::Refund(refund, outcome)
            }
        }
    }
}
