//! What commands and the carrier's answers mean for a shipment: the domain's decisions in the participant's words. The
//! library around it sees to repeats, tombstones, and cancellations that overtake their shipment.

use std::sync::Arc;

use async_trait::async_trait;
use backstitch_contracts::Payload;
use backstitch_contracts::shipping::{COMMANDS, CancelShipment, ShipOrder};
use backstitch_domain::OrderId;
use backstitch_event_store::StreamId;
use backstitch_participant::{Answer, Calls, Changes, DomainEvent, Nothing, Participant, Route, View, Visibility};
use backstitch_processor::{Message, Rejection};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::carrier::Carrier;
use crate::domain::{
    CallBack, Cancelling, Parcel, ParcelOutcome, Sending, Shipment, ShippingEvent, cancel, cancelled, note_delivery,
    pause, refused, settle_parcel, ship,
};

/// The shipping service's part in sagas.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shipments {
    /// How long after shipping the carrier is first asked whether the parcel arrived, if ever.
    pub ask_after: Option<TimeDelta>,
}

/// What it is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Command {
    /// Ship.
    Ship(ShipOrder),
    /// Stop or call back.
    Cancel(CancelShipment),
}

/// What it asks the carrier for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Call {
    /// Take a parcel.
    Ship(Parcel),
    /// Call it back.
    CallBack(CallBack),
    /// Tell whether it arrived.
    AskDelivery {
        /// The parcel's idempotency key.
        key: String,
        /// How often it was asked before.
        asked: u32,
    },
}

/// What the carrier answered, and to what.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Outcome {
    /// Of a parcel.
    Ship(Box<Parcel>, ParcelOutcome),
    /// It is called back.
    CalledBack,
    /// Of a delivery.
    Delivery {
        /// How often it was asked before this time.
        asked: u32,
        /// When it arrived, if it did.
        delivered_at: Option<DateTime<Utc>>,
    },
}

/// What it wakes up for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Timer {
    /// The carrier may know of a delivery.
    AskDelivery {
        /// How often it was asked before.
        asked: u32,
    },
}

const DELIVERY: &str = "delivery";

/// The stream of an order's shipment.
#[must_use]
pub fn stream(order_id: OrderId) -> StreamId {
    StreamId::of("shipment", order_id)
}

impl DomainEvent for ShippingEvent {
    fn visibility(&self) -> Visibility {
        match self {
            Self::ParcelRequested(_) | Self::ParcelRefused(_) => Visibility::Private,
            Self::OrderShipped(_)
            | Self::ShipmentFailed(_)
            | Self::ShipmentCancelled(_)
            | Self::ShipmentDelivered(_) => Visibility::Published,
        }
    }
}

impl Participant for Shipments {
    type State = Shipment;
    type Shared = ();
    type Event = ShippingEvent;
    type Command = Command;
    type Heard = Nothing;
    type Timer = Timer;
    type Call = Call;
    type Outcome = Outcome;

    fn aggregate_type(&self, _stream: &StreamId) -> &'static str {
        "Shipment"
    }

    fn route(&self, message: &Message) -> Result<Route<Self>, Rejection> {
        if message.topic != COMMANDS {
            return Ok(Route::Ignored);
        }
        match message.envelope.event_type.as_str() {
            ShipOrder::EVENT_TYPE => {
                let command: ShipOrder = read(message)?;
                Ok(Route::Command { stream: stream(command.order_id), command: Command::Ship(command) })
            }
            CancelShipment::EVENT_TYPE => {
                let command: CancelShipment = read(message)?;
                let (stream, undoes) = (stream(command.order_id), ShipOrder::EVENT_TYPE);
                Ok(Route::Compensation { command: Command::Cancel(command), stream, undoes })
            }
            other => Err(Rejection::unknown_command(other)),
        }
    }

    fn evolve(&self, state: &mut Shipment, event: &ShippingEvent) {
        state.evolve(event);
    }

    fn decide(&self, command: &Command, view: &View<'_, Self>) -> Answer<Self> {
        match command {
            Command::Ship(command) => match ship(view.state, command, view.id, view.attempt) {
                Sending::Ask(parcel) => Answer::Call {
                    call: Call::Ship(parcel.clone()),
                    changes: Changes::of(ShippingEvent::ParcelRequested(parcel)),
                },
                Sending::Known(event) => settled(vec![event]),
            },
            Command::Cancel(_) => self.compensate(command, view),
        }
    }

    fn compensate(&self, command: &Command, view: &View<'_, Self>) -> Answer<Self> {
        let Command::Cancel(command) = command else { return self.decide(command, view) };
        match cancel(view.state, command) {
            Ok(Cancelling::Ask(call)) => Answer::call(Call::CallBack(call)),
            Ok(Cancelling::Known(event)) => settled(vec![event]),
            // No event says so: the saga hears nothing, becomes stuck, and asks for a person, who is needed here.
            Err(refusal) => {
                tracing::error!(order_id = %command.order_id, %refusal, "a shipment cannot be called back");
                Answer::Refused(Changes::none())
            }
        }
    }

    fn nothing_to_undo(&self, command: &Command, _view: &View<'_, Self>) -> Changes<Self> {
        match command {
            Command::Cancel(command) => Changes::of(cancelled(command)),
            Command::Ship(_) => Changes::none(),
        }
    }

    fn refuse_late(&self, command: &Command, _view: &View<'_, Self>) -> Changes<Self> {
        match command {
            Command::Ship(command) => {
                Changes::of(refused(command.order_id, "the shipment was cancelled before it was asked for"))
            }
            Command::Cancel(_) => Changes::none(),
        }
    }

    fn answered(&self, command: &Command, outcome: &Outcome, view: &View<'_, Self>) -> Answer<Self> {
        match (command, outcome) {
            (_, Outcome::Ship(parcel, outcome)) => match settled(settle_parcel(parcel, outcome)) {
                Answer::Done(changes) => Answer::Done(self.ask_later(changes, 0, view)),
                other => other,
            },
            (Command::Cancel(command), Outcome::CalledBack) => {
                Answer::Done(Changes::of(cancelled(command)).cancel_timer(DELIVERY))
            }
            (Command::Ship(command), Outcome::CalledBack | Outcome::Delivery { .. }) => {
                settled(vec![refused(command.order_id, "the parcel was called back")])
            }
            (Command::Cancel(_), Outcome::Delivery { .. }) => self.compensate(command, view),
        }
    }

    fn wake(&self, timer: &Timer, view: &View<'_, Self>) -> Changes<Self> {
        let Timer::AskDelivery { asked } = *timer;
        match view.state {
            Shipment::Shipped { key, .. } => Changes::none().and_call(Call::AskDelivery { key: key.clone(), asked }),
            Shipment::None | Shipment::Requested(_) | Shipment::Delivered { .. } | Shipment::Cancelled(_) => {
                Changes::none()
            }
        }
    }

    fn called(&self, outcome: &Outcome, view: &View<'_, Self>) -> Changes<Self> {
        match (outcome, view.state) {
            (Outcome::Delivery { delivered_at: Some(delivered_at), .. }, shipment) => {
                note_delivery(shipment, *delivered_at).map_or_else(Changes::none, Changes::of)
            }
            (Outcome::Delivery { delivered_at: None, asked }, Shipment::Shipped { .. }) => {
                self.ask_later(Changes::none(), asked.saturating_add(1), view)
            }
            _ => Changes::none(),
        }
    }
}

impl Shipments {
    fn ask_later(&self, changes: Changes<Self>, asked: u32, view: &View<'_, Self>) -> Changes<Self> {
        match self.ask_after {
            Some(first) => changes.timer(DELIVERY, view.now + pause(first, asked), Timer::AskDelivery { asked }),
            None => changes,
        }
    }
}

/// Events as an answer: a failure is a refusal.
fn settled(events: Vec<ShippingEvent>) -> Answer<Shipments> {
    let has_failed = events.iter().any(|event| matches!(event, ShippingEvent::ShipmentFailed(_)));
    let changes = events.into_iter().fold(Changes::none(), Changes::and);
    if has_failed { Answer::Refused(changes) } else { Answer::Done(changes) }
}

fn read<T: Payload>(message: &Message) -> Result<T, Rejection> {
    message.envelope.typed().map_err(|error| Rejection::invalid(format!("{:#}", anyhow::Error::new(error))))
}

/// The participant's calls, made at a carrier.
pub struct CarrierCalls(pub Arc<dyn Carrier>);

#[async_trait]
impl Calls for CarrierCalls {
    type Call = Call;
    type Outcome = Outcome;

    // The library's key and the parcel's say the same; the parcel's own is also known to the one who calls it back.
    async fn call(&self, _key: &str, call: Call) -> Outcome {
        match call {
            Call::Ship(parcel) => {
                let outcome = self.0.ship(&parcel).await;
                Outcome::Ship(Box::new(parcel), outcome)
            }
            Call::CallBack(call) => {
                self.0.call_back(&call).await;
                Outcome::CalledBack
            }
            Call::AskDelivery { key, asked } => {
                let delivered_at = self.0.delivered_at(&key).await;
                Outcome::Delivery { asked, delivered_at }
            }
        }
    }
}
