//! What commands and the other contexts' events mean for an order: the domain's decisions in the participant's words. The
//! library around it sees to repeats.

use std::collections::BTreeMap;

use backstitch_contracts::inventory::{self, InventoryReleased, InventoryReservationFailed, InventoryReserved};
use backstitch_contracts::orders::{
    COMMANDS, CancelOrder, ConfirmOrder, Flow, OrderConfirmationRefused, OrderPlacedV3, PlaceOrder,
};
use backstitch_contracts::payments::{self, PaymentFailed, PaymentProcessed};
use backstitch_contracts::shipping::{self, OrderShipped, ShipmentCancelled, ShipmentDelivered, ShipmentFailed};
use backstitch_contracts::upcast::UPCASTERS;
use backstitch_contracts::{Envelope, Payload, headers};
use backstitch_domain::OrderId;
use backstitch_event_store::StreamId;
use backstitch_participant::{Answer, Changes, DomainEvent, Nothing, Participant, Route, View, Visibility};
use backstitch_processor::{Message, Rejection, Use};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{
    DraftOrder, News, Order, OrderEvent, Patience, PlaceOrderRefusal, ShipmentKnown, Waiting, cancel, check, confirm,
    follow, give_up, note_delivery, note_reservation, note_shipment, note_shipment_cancelled, place, waits_for,
};

/// The order service's part in sagas.
#[derive(Debug, Clone, Copy, Default)]
pub struct Orders {
    /// How long an order that no saga drives waits for the other contexts.
    pub patience: Patience,
    /// Whether an order that no saga would drive is refused.
    pub sagas_only: bool,
}

impl Orders {
    /// Checks a draft by the rules that need no history.
    ///
    /// # Errors
    /// [`PlaceOrderRefusal`], one for each rule.
    pub fn check(&self, draft: &DraftOrder) -> Result<OrderPlacedV3, PlaceOrderRefusal> {
        if self.sagas_only && draft.flow == Flow::Choreographed {
            return Err(PlaceOrderRefusal::NotChoreographed);
        }
        check(draft)
    }
}

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
    /// Its items are reserved, which a saga is told, too.
    Reserved(InventoryReserved),
    /// It is one that no saga drives.
    Followed(News),
    /// A carrier has it.
    Shipped(OrderShipped),
    /// Its shipment was called back.
    ShipmentCancelled(ShipmentCancelled),
    /// It arrived.
    Delivered(ShipmentDelivered),
}

/// What it wakes up for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Timer {
    /// Somebody was silent.
    GiveUp(Waiting),
}

const WAIT: &str = "wait";

/// What the streams of orders begin with.
pub(crate) const CATEGORY: &str = "order";

/// The stream of an order.
#[must_use]
pub fn stream(order_id: OrderId) -> StreamId {
    StreamId::of(CATEGORY, order_id)
}

impl DomainEvent for OrderEvent {
    fn visibility(&self) -> Visibility {
        match self {
            Self::OrderPlaced(_)
            | Self::OrderConfirmed(_)
            | Self::OrderConfirmationRefused(_)
            | Self::OrderCancelled(_) => Visibility::Published,
            Self::ReservationNoted(_)
            | Self::PaymentNoted(_)
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
    type Timer = Timer;
    type Call = Nothing;
    type Outcome = Nothing;

    fn aggregate_type(&self, _stream: &StreamId) -> &'static str {
        "Order"
    }

    // Of orders that a saga drives, payments are not the order's matter, and nobody waits until it has noted that its items
    // are reserved. That it is shipped decides whether it can still be cancelled.
    fn use_for(&self, topic: &str, heading: &Envelope) -> Use {
        match (topic, Flow::of(heading)) {
            (payments::EVENTS, Flow::Orchestrated) => Use::Never,
            (inventory::EVENTS, Flow::Orchestrated) => Use::Soon,
            _ => Use::Now,
        }
    }

    fn route(&self, message: &Message) -> Result<Route<Self>, Rejection> {
        match message.topic.as_str() {
            COMMANDS => route_command(self, message),
            inventory::EVENTS | payments::EVENTS | shipping::EVENTS => match Flow::of(&message.envelope) {
                Flow::Choreographed => route_news(message),
                Flow::Orchestrated => route_event(message),
            },
            _ => Ok(Route::Ignored),
        }
    }

    fn metadata(&self, state: &Order, event: &OrderEvent) -> BTreeMap<String, String> {
        match (state.placed(), event) {
            (Some(known), _) => known.placed.flow.metadata(),
            (None, OrderEvent::OrderPlaced(placed)) => placed.flow.metadata(),
            (None, _) => Flow::Orchestrated.metadata(),
        }
    }

    fn evolve(&self, state: &mut Order, event: &OrderEvent) {
        state.evolve(event);
    }

    fn decide(&self, command: &Command, view: &View<'_, Self>) -> Answer<Self> {
        match command {
            Command::Place(placed) => self.place(placed, view),
            Command::Confirm(command) => match confirm(view.state, command, view.now) {
                Ok(events) => Answer::Done(self.changes(events, view)),
                Err(refusal) => {
                    let (order_id, reason) = (command.order_id, refusal.to_string());
                    let refused = OrderConfirmationRefused { order_id, reason };
                    Answer::Refused(Changes::of(OrderEvent::OrderConfirmationRefused(refused)))
                }
            },
            Command::Cancel(command, shipment) => match cancel(view.state, command, *shipment, view.now) {
                Ok(events) => Answer::Done(self.changes(events, view)),
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
            Heard::Followed(news) => return self.changes(follow(view.state, news, view.now), view),
            Heard::Reserved(event) => note_reservation(view.state, event),
            Heard::Shipped(event) => note_shipment(view.state, event),
            Heard::ShipmentCancelled(event) => note_shipment_cancelled(view.state, event),
            Heard::Delivered(event) => note_delivery(view.state, event),
        };
        self.changes(noted.into_iter().collect(), view)
    }

    fn wake(&self, timer: &Timer, view: &View<'_, Self>) -> Changes<Self> {
        match timer {
            Timer::GiveUp(waiting) => self.changes(give_up(view.state, *waiting, view.now), view),
        }
    }
}

impl Orders {
    fn place(&self, placed: &OrderPlacedV3, view: &View<'_, Self>) -> Answer<Self> {
        match (place(view.state, placed), view.state) {
            (Ok(event), _) => Answer::Done(self.changes(vec![event], view)),
            (Err(_), Order::NeverToBePlaced(cancelled)) => {
                Answer::Refused(Changes::of(OrderEvent::OrderCancelled(cancelled.clone())))
            }
            (Err(refusal), _) => {
                tracing::warn!(order_id = %placed.order_id, %refusal, "an order was not placed");
                Answer::Refused(Changes::none())
            }
        }
    }

    /// Events, and the timer of whoever is waited for after them.
    fn changes(&self, events: Vec<OrderEvent>, view: &View<'_, Self>) -> Changes<Self> {
        let mut after = view.state.clone();
        events.iter().for_each(|event| after.evolve(event));
        let (before, now) = (waits_for(view.state), waits_for(&after));
        let changes = events.into_iter().fold(Changes::none(), Changes::and);
        match now {
            Some(waiting) if before != now => {
                changes.timer(WAIT, view.now + self.patience.with(waiting), Timer::GiveUp(waiting))
            }
            None if before.is_some() => changes.cancel_timer(WAIT),
            Some(_) | None => changes,
        }
    }
}

fn route_command(orders: &Orders, message: &Message) -> Result<Route<Orders>, Rejection> {
    match message.envelope.event_type.as_str() {
        PlaceOrder::EVENT_TYPE => {
            let command: PlaceOrder = read(message)?;
            let placed = orders.check(&DraftOrder::from(command)).map_err(against_rule)?;
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

/// What the other contexts say about an order that no saga drives.
fn route_news(message: &Message) -> Result<Route<Orders>, Rejection> {
    let cannot_be = |reason: String| News::CannotBe { reason };
    let (order_id, news) = match message.envelope.event_type.as_str() {
        InventoryReserved::EVENT_TYPE => {
            let event: InventoryReserved = read(message)?;
            (event.order_id, News::Reserved(event))
        }
        InventoryReservationFailed::EVENT_TYPE => {
            let event: InventoryReservationFailed = read(message)?;
            (event.order_id, cannot_be(event.reason))
        }
        InventoryReleased::EVENT_TYPE => {
            let event: InventoryReleased = read(message)?;
            (event.order_id, cannot_be("its items are not reserved any more".to_owned()))
        }
        PaymentProcessed::EVENT_TYPE => {
            let event: PaymentProcessed = read(message)?;
            (event.order_id, News::Paid(event.payment_id))
        }
        PaymentFailed::EVENT_TYPE => {
            let event: PaymentFailed = read(message)?;
            if event.retry_possible {
                return Ok(Route::Ignored);
            }
            (event.order_id, cannot_be(event.reason))
        }
        ShipmentFailed::EVENT_TYPE => {
            let event: ShipmentFailed = read(message)?;
            (event.order_id, cannot_be(event.reason))
        }
        _ => return route_event(message),
    };
    Ok(Route::Event { event: Heard::Followed(news), stream: stream(order_id) })
}

/// An order against the rules is a dead letter: no event tells its sender, who can ask the same rules over HTTP first.
fn against_rule(refusal: PlaceOrderRefusal) -> Rejection {
    Rejection::invalid(format!("{}: {refusal}", refusal.code()))
}

fn read<T: Payload>(message: &Message) -> Result<T, Rejection> {
    message.envelope.typed().map_err(|error| Rejection::invalid(format!("{:#}", anyhow::Error::new(error))))
}
