//! What commands and the carrier's answers mean for a shipment: the domain's decisions in the participant's words. The
//! library around it sees to repeats, tombstones, and cancellations that overtake their shipment.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use backstitch_contracts::inventory::Item;
use backstitch_contracts::orders::{self, Flow, OrderCancelled, OrderConfirmed, OrderPlacedV3};
use backstitch_contracts::shipping::{COMMANDS, CancelShipment, ShipOrder};
use backstitch_contracts::{Envelope, Payload};
use backstitch_domain::OrderId;
use backstitch_event_store::StreamId;
use backstitch_participant::{Answer, Calls, Changes, DomainEvent, Participant, Route, View, Visibility};
use backstitch_processor::{Message, Rejection, Use};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::carrier::{Carrier, InstantCarrier};
use crate::domain::{
    CallBack, Cancelling, Following, Parcel, ParcelOutcome, Sending, Shipment, ShippingEvent, called_back, cancel,
    cancelled, hear_confirmed, hear_placed, leave, note_delivery, pause, refused, settle_followed, settle_parcel, ship,
};

/// The shipping service's part in sagas.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shipments {
    /// How long after shipping the carrier is first asked whether the parcel arrived, if ever.
    pub ask_after: Option<TimeDelta>,
    /// Set where no carrier has to be asked: a command is then answered in the transaction that it came in.
    pub instant: Option<InstantCarrier>,
}

/// An order's stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnStream {
    /// Its shipment.
    pub shipment: Shipment,
    /// Whether it is followed without being asked by a saga.
    pub following: Following,
}

/// What it hears of an order that no saga drives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Where it goes.
    Placed(ShipOrder),
    /// It may be shipped.
    Confirmed(OrderId),
    /// It is off.
    CalledOff(CancelShipment),
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
            Self::ParcelRequested(_)
            | Self::ParcelRefused(_)
            | Self::ShipmentWanted(_)
            | Self::ConfirmationHeard(_)
            | Self::FlowLeft(_) => Visibility::Private,
            Self::OrderShipped(_)
            | Self::ShipmentFailed(_)
            | Self::ShipmentCancelled(_)
            | Self::ShipmentDelivered(_) => Visibility::Published,
        }
    }
}

impl Participant for Shipments {
    type State = OwnStream;
    type Shared = ();
    type Event = ShippingEvent;
    type Command = Command;
    type Heard = Heard;
    type Timer = Timer;
    type Call = Call;
    type Outcome = Outcome;

    fn aggregate_type(&self, _stream: &StreamId) -> &'static str {
        "Shipment"
    }

    // Of orders that a saga drives, the commands say all.
    fn use_for(&self, topic: &str, heading: &Envelope) -> Use {
        if topic == COMMANDS || Flow::of(heading) == Flow::Choreographed { Use::Now } else { Use::Never }
    }

    fn route(&self, message: &Message) -> Result<Route<Self>, Rejection> {
        match message.topic.as_str() {
            COMMANDS => route_command(message),
            orders::EVENTS if Flow::of(&message.envelope) == Flow::Choreographed => route_event(message),
            _ => Ok(Route::Ignored),
        }
    }

    fn metadata(&self, state: &OwnStream, _event: &ShippingEvent) -> BTreeMap<String, String> {
        match state.following {
            Following::No => Flow::Orchestrated.metadata(),
            _ => Flow::Choreographed.metadata(),
        }
    }

    fn evolve(&self, state: &mut OwnStream, event: &ShippingEvent) {
        state.shipment.evolve(event);
        state.following.evolve(event);
    }

    fn decide(&self, command: &Command, view: &View<'_, Self>) -> Answer<Self> {
        match command {
            Command::Ship(command) => match ship(&view.state.shipment, command, view.id, view.attempt) {
                Sending::Ask(parcel) => self.ask(parcel, view),
                Sending::Known(event) => settled(vec![event]),
            },
            Command::Cancel(_) => self.compensate(command, view),
        }
    }

    fn compensate(&self, command: &Command, view: &View<'_, Self>) -> Answer<Self> {
        let Command::Cancel(command) = command else { return self.decide(command, view) };
        match cancel(&view.state.shipment, command) {
            Ok(Cancelling::Ask(_)) if self.instant.is_some() => stopped(command),
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
            (_, Outcome::Ship(parcel, outcome)) => self.shipped(settled(settle_parcel(parcel, outcome)), view),
            (Command::Cancel(command), Outcome::CalledBack) => stopped(command),
            (Command::Ship(command), Outcome::CalledBack | Outcome::Delivery { .. }) => {
                settled(vec![refused(command.order_id, "the parcel was called back")])
            }
            (Command::Cancel(_), Outcome::Delivery { .. }) => self.compensate(command, view),
        }
    }

    fn wake(&self, timer: &Timer, view: &View<'_, Self>) -> Changes<Self> {
        let Timer::AskDelivery { asked } = *timer;
        match &view.state.shipment {
            Shipment::Shipped { key, .. } => Changes::none().and_call(Call::AskDelivery { key: key.clone(), asked }),
            Shipment::None | Shipment::Requested(_) | Shipment::Delivered { .. } | Shipment::Cancelled(_) => {
                Changes::none()
            }
        }
    }

    fn react(&self, event: &Heard, view: &View<'_, Self>) -> Changes<Self> {
        let OwnStream { shipment, following } = view.state;
        match event {
            Heard::Placed(wanted) => following_up(hear_placed(following, shipment, wanted)),
            Heard::Confirmed(order_id) => following_up(hear_confirmed(following, shipment, *order_id)),
            Heard::CalledOff(off) => match leave(following, shipment, off) {
                Ok(Some(left)) => calling_back(following_up(left.events), left.call),
                Ok(None) => Changes::none(),
                // No event says so: whoever observes the flow hears nothing, and asks for a person, who is needed here.
                Err(refusal) => {
                    tracing::error!(order_id = %off.order_id, %refusal, "a shipment cannot be called back");
                    Changes::none()
                }
            },
        }
    }

    fn called(&self, outcome: &Outcome, view: &View<'_, Self>) -> Changes<Self> {
        let OwnStream { shipment, following } = view.state;
        match (outcome, shipment) {
            (Outcome::Ship(parcel, outcome), _) => {
                let (events, call) = settle_followed(following, parcel, outcome);
                let is_shipped = events.iter().any(|event| matches!(event, ShippingEvent::OrderShipped(_)));
                let changes = following_up(events);
                match call {
                    Some(_) => calling_back(changes, call),
                    None if is_shipped => self.ask_later(changes, 0, view),
                    None => changes,
                }
            }
            (Outcome::CalledBack, shipment) => called_back(following, shipment)
                .map_or_else(Changes::none, |event| Changes::of(event).cancel_timer(DELIVERY)),
            (Outcome::Delivery { delivered_at: Some(delivered_at), .. }, shipment) => {
                note_delivery(shipment, *delivered_at).map_or_else(Changes::none, Changes::of)
            }
            (Outcome::Delivery { delivered_at: None, asked }, Shipment::Shipped { .. }) => {
                self.ask_later(Changes::none(), asked.saturating_add(1), view)
            }
            (Outcome::Delivery { delivered_at: None, .. }, _) => Changes::none(),
        }
    }
}

impl Shipments {
    fn ask(&self, parcel: Parcel, view: &View<'_, Self>) -> Answer<Self> {
        let requested = ShippingEvent::ParcelRequested(parcel.clone());
        match self.instant {
            Some(carrier) => {
                let outcome = carrier.taken(&parcel, view.now);
                let events = std::iter::once(requested).chain(settle_parcel(&parcel, &outcome)).collect();
                self.shipped(settled(events), view)
            }
            None => Answer::Call { call: Call::Ship(parcel), changes: Changes::of(requested) },
        }
    }

    fn shipped(&self, answer: Answer<Self>, view: &View<'_, Self>) -> Answer<Self> {
        match answer {
            Answer::Done(changes) => Answer::Done(self.ask_later(changes, 0, view)),
            other => other,
        }
    }

    fn ask_later(&self, changes: Changes<Self>, asked: u32, view: &View<'_, Self>) -> Changes<Self> {
        match self.ask_after {
            Some(first) => changes.timer(DELIVERY, view.now + pause(first, asked), Timer::AskDelivery { asked }),
            None => changes,
        }
    }
}

/// The parcel is called back.
fn stopped(command: &CancelShipment) -> Answer<Shipments> {
    Answer::Done(Changes::of(cancelled(command)).cancel_timer(DELIVERY))
}

/// Events, and the parcels that they ask for.
fn following_up(events: Vec<ShippingEvent>) -> Changes<Shipments> {
    events.into_iter().fold(Changes::none(), |changes, event| match &event {
        ShippingEvent::ParcelRequested(parcel) => {
            let call = Call::Ship(parcel.clone());
            changes.and(event).and_call(call)
        }
        _ => changes.and(event),
    })
}

fn calling_back(changes: Changes<Shipments>, call: Option<CallBack>) -> Changes<Shipments> {
    call.into_iter().fold(changes, |changes, call| changes.and_call(Call::CallBack(call)))
}

fn route_command(message: &Message) -> Result<Route<Shipments>, Rejection> {
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

fn route_event(message: &Message) -> Result<Route<Shipments>, Rejection> {
    let (event, order_id) = match message.envelope.event_type.as_str() {
        OrderPlacedV3::EVENT_TYPE => {
            let OrderPlacedV3 { order_id, order_items, shipping_address, .. } = read(message)?;
            let items =
                order_items.into_iter().map(|line| Item { product_id: line.product_id, quantity: line.quantity });
            (Heard::Placed(ShipOrder { order_id, shipping_address, items: items.collect() }), order_id)
        }
        OrderConfirmed::EVENT_TYPE => {
            let event: OrderConfirmed = read(message)?;
            (Heard::Confirmed(event.order_id), event.order_id)
        }
        OrderCancelled::EVENT_TYPE => {
            let OrderCancelled { order_id, reason, .. } = read(message)?;
            (Heard::CalledOff(CancelShipment { order_id, reason }), order_id)
        }
        _ => return Ok(Route::Ignored),
    };
    Ok(Route::Event { event, stream: stream(order_id) })
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
