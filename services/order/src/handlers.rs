//! What commands and the other contexts' events mean for an order: the domain's decisions in the participant's words. The
//! library around it sees to repeats.

use backstitch_contracts::inventory::{self, InventoryReserved};
use backstitch_contracts::orders::{
    COMMANDS, CancelOrder, ConfirmOrder, OrderConfirmationRefused, OrderPlacedV3, PlaceOrder,
};
use backstitch_contracts::shipping::{self, OrderShipped, ShipmentCancelled, ShipmentDelivered};
use backstitch_contracts::upcast::UPCASTERS;
use backstitch_contracts::{Payload, headers};
use backstitch_domain::OrderId;
use backstitch_event_store::StreamId;
use backstitch_participant::{Answer, Changes, DomainEvent, Nothing, Participant, Route, View, Visibility};
use backstitch_processor::{Message, Rejection};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{
    DraftOrder, Order, OrderEvent, PlaceOrderRefusal, ShipmentKnown, cancel, check, confirm, note_delivery,
    note_reservation, note_shipment, note_shipment_cancelled, place,
};

/// The order service's part in sagas.
#[derive(Debug, Clone, Copy, Default)]
pub struct Orders;

/// What it is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Command {
    /// Place an order that was checked.
    Place(OrderPlacedV3),
    /// Make it binding.
    Confirm(ConfirmOrder),
    /// Call it off. Not a compensation in the library's sense: an order may have been placed by a message that this
    /// service never saw as a command, and is cancelled by its state alone.
    Cancel(CancelOrder, ShipmentKnown),
}

/// What it hears of the other contexts.
#[derive(Debug, Clone)]
pub enum Heard {
    /// Its items are reserved.
    Reserved(InventoryReserved),
    /// A carrier has it.
    Shipped(OrderShipped),
    /// Its shipment was called back.
    ShipmentCancelled(ShipmentCancelled),
    /// It arrived.
    Delivered(ShipmentDelivered),
}

/// The stream of an order.
#[must_use]
pub fn stream(order_id: OrderId) -> StreamId {
    StreamId::of("order", order_id)
}

impl DomainEvent for OrderEvent {
    fn visibility(&self) -> Visibility {
        match self {
            Self::OrderPlaced(_)
            | Self::OrderConfirmed(_)
            | Self::OrderConfirmationRefused(_)
            | Self::OrderCancelled(_) => Visibility::Published,
            Self::ReservationNoted(_)
            | Self::ShipmentNoted(_)
            | Self::ShipmentCancellationNoted(_)
            | Self::DeliveryNoted(_) => Visibility::Private,
        }
    }

    fn event_version(&self) -> i32 {
        match self {
            Self::OrderPlaced(_) => OrderPlacedV3::EVENT_VERSION,
            _ => 1,
        }
    }

    // A stream may mix versions: the contracts know the way from each to the newest.
    fn upcast(event_type: &str, event_version: i32, data: Value) -> Value {
        UPCASTERS.upcast(event_type, event_version, data, "").data
    }
}

impl Participant for Orders {
    type State = Order;
    type Shared = ();
    type Event = OrderEvent;
    type Command = Command;
    type Heard = Heard;
    type Timer = Nothing;
    type Call = Nothing;
    type Outcome = Nothing;

    fn aggregate_type(&self, _stream: &StreamId) -> &'static str {
        "Order"
    }

    fn route(&self, message: &Message) -> Result<Route<Self>, Rejection> {
        match message.topic.as_str() {
            COMMANDS => route_command(message),
            inventory::EVENTS | shipping::EVENTS => route_event(message),
            _ => Ok(Route::Ignored),
        }
    }

    fn evolve(&self, state: &mut Order, event: &OrderEvent) {
        state.evolve(event);
    }

    fn decide(&self, command: &Command, view: &View<'_, Self>) -> Answer<Self> {
        match command {
            Command::Place(placed) => decide_place(placed, view),
            Command::Confirm(command) => match confirm(view.state, command, view.now) {
                Ok(events) => Answer::Done(changes(events)),
                Err(refusal) => {
                    let (order_id, reason) = (command.order_id, refusal.to_string());
                    let refused = OrderConfirmationRefused { order_id, reason };
                    Answer::Refused(Changes::of(OrderEvent::OrderConfirmationRefused(refused)))
                }
            },
            Command::Cancel(command, shipment) => match cancel(view.state, command, *shipment, view.now) {
                Ok(events) => Answer::Done(changes(events)),
                Err(refusal) => {
                    // No event says so: whoever asked sees that the order is under way.
                    tracing::warn!(order_id = %command.order_id, %refusal, "an order was not cancelled");
                    Answer::Refused(Changes::none())
                }
            },
        }
    }

    fn compensate(&self, command: &Command, view: &View<'_, Self>) -> Answer<Self> {
        self.decide(command, view)
    }

    fn nothing_to_undo(&self, _command: &Command, _view: &View<'_, Self>) -> Changes<Self> {
        Changes::none()
    }

    fn refuse_late(&self, _command: &Command, _view: &View<'_, Self>) -> Changes<Self> {
        Changes::none()
    }

    fn answered(&self, _command: &Command, outcome: &Nothing, _view: &View<'_, Self>) -> Answer<Self> {
        match *outcome {}
    }

    fn react(&self, event: &Heard, view: &View<'_, Self>) -> Changes<Self> {
        let noted = match event {
            Heard::Reserved(event) => note_reservation(view.state, event),
            Heard::Shipped(event) => note_shipment(view.state, event),
            Heard::ShipmentCancelled(event) => note_shipment_cancelled(view.state, event),
            Heard::Delivered(event) => note_delivery(view.state, event),
        };
        noted.map_or_else(Changes::none, Changes::of)
    }
}

fn decide_place(placed: &OrderPlacedV3, view: &View<'_, Orders>) -> Answer<Orders> {
    match (place(view.state, placed), view.state) {
        (Ok(event), _) => Answer::Done(Changes::of(event)),
        (Err(_), Order::NeverToBePlaced(cancelled)) => {
            Answer::Refused(Changes::of(OrderEvent::OrderCancelled(cancelled.clone())))
        }
        (Err(refusal), _) => {
            tracing::warn!(order_id = %placed.order_id, %refusal, "an order was not placed");
            Answer::Refused(Changes::none())
        }
    }
}

fn changes(events: Vec<OrderEvent>) -> Changes<Orders> {
    events.into_iter().fold(Changes::none(), Changes::and)
}

fn route_command(message: &Message) -> Result<Route<Orders>, Rejection> {
    match message.envelope.event_type.as_str() {
        PlaceOrder::EVENT_TYPE => {
            let command: PlaceOrder = read(message)?;
            let placed = check(&DraftOrder::from(command)).map_err(against_rule)?;
            Ok(Route::Command { stream: stream(placed.order_id), command: Command::Place(placed) })
        }
        ConfirmOrder::EVENT_TYPE => {
            let command: ConfirmOrder = read(message)?;
            Ok(Route::Command { stream: stream(command.order_id), command: Command::Confirm(command) })
        }
        CancelOrder::EVENT_TYPE => {
            let command: CancelOrder = read(message)?;
            let stream = stream(command.order_id);
            Ok(Route::Command { stream, command: Command::Cancel(command, shipment_known(message)) })
        }
        other => Err(Rejection::unknown_command(other)),
    }
}

/// A saga that rolls back has undone the shipment before it cancels the order.
fn shipment_known(message: &Message) -> ShipmentKnown {
    match message.delivery.header_text(headers::SAGA_DIRECTION) {
        Some(headers::COMPENSATE) => ShipmentKnown::CalledBack,
        Some(_) | None => ShipmentKnown::Nothing,
    }
}

fn route_event(message: &Message) -> Result<Route<Orders>, Rejection> {
    let (event, order_id) = match message.envelope.event_type.as_str() {
        InventoryReserved::EVENT_TYPE => {
            let event: InventoryReserved = read(message)?;
            let order_id = event.order_id;
            (Heard::Reserved(event), order_id)
        }
        OrderShipped::EVENT_TYPE => {
            let event: OrderShipped = read(message)?;
            let order_id = event.order_id;
            (Heard::Shipped(event), order_id)
        }
        ShipmentCancelled::EVENT_TYPE => {
            let event: ShipmentCancelled = read(message)?;
            let order_id = event.order_id;
            (Heard::ShipmentCancelled(event), order_id)
        }
        ShipmentDelivered::EVENT_TYPE => {
            let event: ShipmentDelivered = read(message)?;
            let order_id = event.order_id;
            (Heard::Delivered(event), order_id)
        }
        _ => return Ok(Route::Ignored),
    };
    Ok(Route::Event { event, stream: stream(order_id) })
}

/// An order against the rules is a dead letter: no event tells its sender, who can ask the same rules over HTTP first.
fn against_rule(refusal: PlaceOrderRefusal) -> Rejection {
    Rejection::invalid(format!("{}: {refusal}", refusal.code()))
}

fn read<T: Payload>(message: &Message) -> Result<T, Rejection> {
    message.envelope.typed().map_err(|error| Rejection::invalid(format!("{:#}", anyhow::Error::new(error))))
}
