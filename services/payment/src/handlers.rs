//! What commands and the gateway's answers mean for a payment: the domain's decisions in the participant's words. The
//! library around it sees to repeats, tombstones, and refunds that overtake their charge.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use backstitch_contracts::inventory::{self, InventoryReserved};
use backstitch_contracts::orders::{self, Flow, OrderCancelled, OrderPlacedV3};
use backstitch_contracts::payments::{COMMANDS, PaymentFailed, ProcessPayment, RefundPayment};
use backstitch_contracts::{Envelope, Payload};
use backstitch_domain::OrderId;
use backstitch_event_store::StreamId;
use backstitch_participant::{Answer, Calls, Changes, DomainEvent, Participant, Route, View, Visibility};
use backstitch_processor::{Message, Rejection, Use};
use serde::{Deserialize, Serialize};

use crate::domain::{
    Charge, ChargeOutcome, Following, Payment, PaymentEvent, Processing, Refund, RefundOutcome, Refunding, Retries,
    hear_placed, hear_reserved, leave, nothing_refunded, process, refund, settle_charge, settle_followed,
    settle_refund, try_again,
};
use crate::gateway::{Gateway, InstantGateway};

/// The payment service's part in sagas.
#[derive(Debug, Clone, Copy, Default)]
pub struct Payments {
    /// How often a gateway is asked that says "not now", for an order that no saga drives.
    pub retries: Retries,
    /// Set where no gateway has to be asked: a command is then answered in the transaction that it came in.
    pub instant: Option<InstantGateway>,
}

/// An order's stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnStream {
    /// Its payment.
    pub payment: Payment,
    /// Whether it is followed without being asked by a saga.
    pub following: Following,
}

/// What it hears of an order that no saga drives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// What it comes to.
    Placed(ProcessPayment),
    /// It may be charged.
    Reserved(OrderId),
    /// It is off.
    CalledOff(OrderId),
}

/// What it wakes up for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Timer {
    /// The gateway may be asked again.
    TryAgain,
}

const RETRY: &str = "retry";

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
            Self::ChargeRequested(_)
            | Self::ChargeFailed(_)
            | Self::PaymentWanted(_)
            | Self::ReservationHeard(_)
            | Self::FlowLeft(_) => Visibility::Private,
            Self::PaymentProcessed(_) | Self::PaymentFailed(_) | Self::PaymentRefunded(_) => Visibility::Published,
        }
    }
}

impl Participant for Payments {
    type State = OwnStream;
    type Shared = ();
    type Event = PaymentEvent;
    type Command = Command;
    type Heard = Heard;
    type Timer = Timer;
    type Call = Call;
    type Outcome = Outcome;

    fn aggregate_type(&self, _stream: &StreamId) -> &'static str {
        "Payment"
    }

    // Of orders that a saga drives, the commands say all.
    fn use_for(&self, topic: &str, heading: &Envelope) -> Use {
        if topic == COMMANDS || Flow::of(heading) == Flow::Choreographed { Use::Now } else { Use::Never }
    }

    fn route(&self, message: &Message) -> Result<Route<Self>, Rejection> {
        match message.topic.as_str() {
            COMMANDS => route_command(message),
            orders::EVENTS | inventory::EVENTS if Flow::of(&message.envelope) == Flow::Choreographed => {
                route_event(message)
            }
            _ => Ok(Route::Ignored),
        }
    }

    fn metadata(&self, state: &OwnStream, _event: &PaymentEvent) -> BTreeMap<String, String> {
        match state.following {
            Following::No => Flow::Orchestrated.metadata(),
            _ => Flow::Choreographed.metadata(),
        }
    }

    fn evolve(&self, state: &mut OwnStream, event: &PaymentEvent) {
        state.payment.evolve(event);
        state.following.evolve(event);
    }

    fn decide(&self, command: &Command, view: &View<'_, Self>) -> Answer<Self> {
        match command {
            Command::Process(command) => match process(&view.state.payment, command, view.id, view.attempt) {
                Processing::Ask(charge) => self.ask(charge),
                Processing::Known(event) => settled(vec![event]),
            },
            Command::Refund(_) => self.compensate(command, view),
        }
    }

    fn compensate(&self, command: &Command, view: &View<'_, Self>) -> Answer<Self> {
        match refund(&view.state.payment, command.order_id()) {
            Refunding::Ask(refund) => match self.instant {
                Some(gateway) => settled(vec![settle_refund(&refund, &gateway.refunded(&refund))]),
                None => Answer::call(Call::Refund(refund)),
            },
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

    fn react(&self, event: &Heard, view: &View<'_, Self>) -> Changes<Self> {
        let OwnStream { payment, following } = view.state;
        match event {
            Heard::Placed(wanted) => following_up(hear_placed(following, payment, wanted)),
            Heard::Reserved(order_id) => following_up(hear_reserved(following, payment, *order_id)),
            Heard::CalledOff(order_id) => leave(following, payment, *order_id).map_or_else(Changes::none, |left| {
                let (events, refund) = left;
                giving_back(following_up(events), refund).cancel_timer(RETRY)
            }),
        }
    }

    fn wake(&self, timer: &Timer, view: &View<'_, Self>) -> Changes<Self> {
        match timer {
            Timer::TryAgain => {
                following_up(try_again(&view.state.following, &view.state.payment).into_iter().collect())
            }
        }
    }

    fn called(&self, outcome: &Outcome, view: &View<'_, Self>) -> Changes<Self> {
        let OwnStream { payment, following } = view.state;
        match outcome {
            Outcome::Charge(charge, outcome) => {
                let (events, refund) = settle_followed(following, payment, charge, outcome, self.retries);
                let may_do = events
                    .iter()
                    .any(|event| matches!(event, PaymentEvent::PaymentFailed(failed) if failed.retry_possible));
                let changes = giving_back(following_up(events), refund);
                let due_at = view.now + self.retries.pause(charge.attempt);
                if may_do { changes.timer(RETRY, due_at, Timer::TryAgain) } else { changes }
            }
            Outcome::Refund(refund, outcome) => Changes::of(settle_refund(refund, outcome)),
        }
    }
}

impl Payments {
    fn ask(&self, charge: Charge) -> Answer<Self> {
        let requested = PaymentEvent::ChargeRequested(charge.clone());
        match self.instant {
            Some(gateway) => {
                let outcome = gateway.charged(&charge);
                settled(std::iter::once(requested).chain(settle_charge(&charge, &outcome)).collect())
            }
            None => Answer::Call { call: Call::Charge(charge), changes: Changes::of(requested) },
        }
    }
}

/// Events, and the charges that they ask for.
fn following_up(events: Vec<PaymentEvent>) -> Changes<Payments> {
    events.into_iter().fold(Changes::none(), |changes, event| match &event {
        PaymentEvent::ChargeRequested(charge) => {
            let call = Call::Charge(charge.clone());
            changes.and(event).and_call(call)
        }
        _ => changes.and(event),
    })
}

fn giving_back(changes: Changes<Payments>, refund: Option<Refund>) -> Changes<Payments> {
    refund.into_iter().fold(changes, |changes, refund| changes.and_call(Call::Refund(refund)))
}

fn route_command(message: &Message) -> Result<Route<Payments>, Rejection> {
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

fn route_event(message: &Message) -> Result<Route<Payments>, Rejection> {
    let (event, order_id) = match message.envelope.event_type.as_str() {
        OrderPlacedV3::EVENT_TYPE => {
            let OrderPlacedV3 { order_id, customer_id, total_amount, currency, .. } = read(message)?;
            (Heard::Placed(ProcessPayment { order_id, amount: total_amount, currency, customer_id }), order_id)
        }
        OrderCancelled::EVENT_TYPE => {
            let event: OrderCancelled = read(message)?;
            (Heard::CalledOff(event.order_id), event.order_id)
        }
        InventoryReserved::EVENT_TYPE => {
            let event: InventoryReserved = read(message)?;
            (Heard::Reserved(event.order_id), event.order_id)
        }
        _ => return Ok(Route::Ignored),
    };
    Ok(Route::Event { event, stream: stream(order_id) })
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
