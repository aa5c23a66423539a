//! What commands, the order's events and time mean for stock: the domain's decisions in the participant's words. The
//! library around it sees to repeats, tombstones, and the locks on products.

use std::collections::BTreeMap;

use backstitch_contracts::inventory::{
    COMMANDS, InventoryReleased, InventoryReservationFailed, Item, ReceiveStock, ReleaseInventory, ReserveInventory,
};
use backstitch_contracts::orders::{self, Flow, OrderCancelled, OrderConfirmed, OrderPlacedV3};
use backstitch_contracts::{Envelope, Payload};
use backstitch_domain::{OrderId, ProductId};
use backstitch_event_store::StreamId;
use backstitch_participant::{Answer, Changes, DomainEvent, Intent, Nothing, Participant, Route, View, Visibility};
use backstitch_processor::{Message, Rejection, Use};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::domain::{
    Decision, Following, InventoryEvent, Receipt, Reservation, Stock, Stocks, confirm, expire, join, leave, receive,
    release, reserve,
};

/// The inventory service's part in sagas.
#[derive(Debug, Clone, Copy)]
pub struct Warehouse {
    /// How long an order that is not confirmed has its claim.
    pub hold: TimeDelta,
}

/// An own stream: an order's reservation or a delivery's receipt. One of both stays at its beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnStream {
    /// Of an order.
    pub reservation: Reservation,
    /// Of an order that no saga drives.
    pub following: Following,
    /// Of a delivery.
    pub receipt: Receipt,
}

/// What it is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Command {
    /// Claim stock.
    Reserve(ReserveInventory),
    /// Give it back.
    Release(ReleaseInventory),
    /// Take goods in.
    Receive(ReceiveStock),
}

/// What it hears of orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// No saga will ask for its claim.
    Placed(ReserveInventory),
    /// The claim is for good.
    Confirmed,
    /// The claim is over.
    Cancelled(OrderId),
    /// The claim is over, and no saga will say so.
    CalledOff(OrderId),
}

/// What it wakes up for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Timer {
    /// A claim's time is over.
    Expiry,
}

const EXPIRY: &str = "expiry";

/// The stream of an order's reservation.
#[must_use]
pub fn reservation_stream(order_id: OrderId) -> StreamId {
    StreamId::of("reservation", order_id)
}

/// The stream of a delivery's receipt.
#[must_use]
pub fn receipt_stream(receipt_id: &str) -> StreamId {
    StreamId::of("receipt", receipt_id)
}

/// The stream of a product's stock, shared by all who want it.
#[must_use]
pub fn stock_stream(product: &ProductId) -> StreamId {
    StreamId::of("stock", product)
}

impl DomainEvent for InventoryEvent {
    fn visibility(&self) -> Visibility {
        match self {
            Self::InventoryReserved(_)
            | Self::InventoryReservationFailed(_)
            | Self::InventoryReleased(_)
            | Self::StockReceived(_) => Visibility::Published,
            Self::ReservationConfirmed(_)
            | Self::FlowJoined(_)
            | Self::FlowLeft(_)
            | Self::StockAdded(_)
            | Self::StockReserved(_)
            | Self::StockReturned(_) => Visibility::Private,
        }
    }
}

impl Participant for Warehouse {
    type State = OwnStream;
    type Shared = Stock;
    type Event = InventoryEvent;
    type Command = Command;
    type Heard = Heard;
    type Timer = Timer;
    type Call = Nothing;
    type Outcome = Nothing;

    const SHARES: bool = true;

    fn aggregate_type(&self, stream: &StreamId) -> &'static str {
        match stream.category() {
            "stock" => "InventoryItem",
            "receipt" => "Receipt",
            _ => "Reservation",
        }
    }

    // Of orders that a saga drives, a placed one is a command's matter, and nobody waits for what a confirmed one leads to.
    fn use_for(&self, topic: &str, heading: &Envelope) -> Use {
        match (topic, Flow::of(heading), heading.event_type.as_str()) {
            (orders::EVENTS, Flow::Orchestrated, OrderPlacedV3::EVENT_TYPE) => Use::Never,
            (orders::EVENTS, Flow::Orchestrated, OrderConfirmed::EVENT_TYPE) => Use::Soon,
            _ => Use::Now,
        }
    }

    fn route(&self, message: &Message) -> Result<Route<Self>, Rejection> {
        match message.topic.as_str() {
            COMMANDS => route_command(message),
            orders::EVENTS => route_event(message),
            _ => Ok(Route::Ignored),
        }
    }

    fn metadata(&self, state: &OwnStream, _event: &InventoryEvent) -> BTreeMap<String, String> {
        match state.following {
            Following::No => Flow::Orchestrated.metadata(),
            Following::Joined | Following::Left => Flow::Choreographed.metadata(),
        }
    }

    fn evolve(&self, state: &mut OwnStream, event: &InventoryEvent) {
        state.following.evolve(event);
        state.reservation.evolve(event);
        state.receipt.evolve(event);
    }

    fn evolve_shared(&self, stock: &mut Stock, event: &InventoryEvent) {
        stock.evolve(event);
    }

    fn shared_streams(&self, intent: Intent<'_, Self>, state: &OwnStream) -> Vec<StreamId> {
        match intent {
            Intent::Command(Command::Reserve(command)) | Intent::Event(Heard::Placed(command)) => {
                command.items.iter().map(|item| stock_stream(&item.product_id)).collect()
            }
            Intent::Command(Command::Receive(command)) => vec![stock_stream(&command.product_id)],
            Intent::Command(Command::Release(_))
            | Intent::Compensation(_)
            | Intent::Event(Heard::Cancelled(_) | Heard::CalledOff(_))
            | Intent::Timer(Timer::Expiry) => claimed_streams(&state.reservation),
            Intent::Event(Heard::Confirmed) | Intent::Answered(_) => Vec::new(),
        }
    }

    fn decide(&self, command: &Command, view: &View<'_, Self>) -> Answer<Self> {
        match command {
            Command::Reserve(command) => self.reserve(command, view),
            Command::Receive(command) => Answer::Done(changes(receive(&view.state.receipt, command))),
            Command::Release(_) => self.compensate(command, view),
        }
    }

    fn compensate(&self, command: &Command, view: &View<'_, Self>) -> Answer<Self> {
        match command {
            Command::Release(command) => Answer::Done(released(&view.state.reservation, command.order_id)),
            Command::Reserve(_) | Command::Receive(_) => self.decide(command, view),
        }
    }

    fn nothing_to_undo(&self, command: &Command, _view: &View<'_, Self>) -> Changes<Self> {
        match command {
            Command::Release(command) => {
                let nothing = InventoryReleased { order_id: command.order_id, items: Vec::new() };
                Changes::of(InventoryEvent::InventoryReleased(nothing))
            }
            Command::Reserve(_) | Command::Receive(_) => Changes::none(),
        }
    }

    fn refuse_late(&self, command: &Command, _view: &View<'_, Self>) -> Changes<Self> {
        match command {
            Command::Reserve(command) => {
                let reason = "the reservation was released before it was made".to_owned();
                let failed = InventoryReservationFailed { order_id: command.order_id, items: Vec::new(), reason };
                Changes::of(InventoryEvent::InventoryReservationFailed(failed))
            }
            Command::Release(_) | Command::Receive(_) => Changes::none(),
        }
    }

    fn answered(&self, _command: &Command, outcome: &Nothing, _view: &View<'_, Self>) -> Answer<Self> {
        match *outcome {}
    }

    fn react(&self, event: &Heard, view: &View<'_, Self>) -> Changes<Self> {
        let reservation = &view.state.reservation;
        match event {
            Heard::Placed(wanted) => {
                let joined = join(view.state.following, &stocks(wanted, view), wanted, view.now, self.hold);
                joined.map_or_else(Changes::none, |(joined, claim)| Changes::of(joined).also(held(claim)))
            }
            Heard::CalledOff(order_id) => {
                let Some((left, answer)) = leave(view.state.following, reservation, *order_id) else {
                    return Changes::none();
                };
                answer.into_iter().map(changes).fold(Changes::of(left).cancel_timer(EXPIRY), Changes::also)
            }
            Heard::Confirmed => match confirm(reservation) {
                Some(event) => Changes::of(event).cancel_timer(EXPIRY),
                None => Changes::none(),
            },
            Heard::Cancelled(order_id) if reservation.claim().is_some() => released(reservation, *order_id),
            Heard::Cancelled(_) => Changes::none(),
        }
    }

    fn wake(&self, timer: &Timer, view: &View<'_, Self>) -> Changes<Self> {
        match timer {
            Timer::Expiry => expire(&view.state.reservation, view.now).map_or_else(Changes::none, changes),
        }
    }
}

impl Warehouse {
    fn reserve(&self, command: &ReserveInventory, view: &View<'_, Self>) -> Answer<Self> {
        let decision = reserve(&view.state.reservation, &stocks(command, view), command, view.now, self.hold);
        match &decision.event {
            InventoryEvent::InventoryReserved(_) => Answer::Done(held(decision)),
            _ => Answer::Refused(changes(decision)),
        }
    }
}

fn stocks(command: &ReserveInventory, view: &View<'_, Warehouse>) -> Stocks {
    let products = command.items.iter().map(|item| &item.product_id);
    products.map(|product| (product.clone(), *view.shared(&stock_stream(product)))).collect()
}

fn route_command(message: &Message) -> Result<Route<Warehouse>, Rejection> {
    match message.envelope.event_type.as_str() {
        ReserveInventory::EVENT_TYPE => {
            let command: ReserveInventory = read(message)?;
            Ok(Route::Command { stream: reservation_stream(command.order_id), command: Command::Reserve(command) })
        }
        ReleaseInventory::EVENT_TYPE => {
            let command: ReleaseInventory = read(message)?;
            let (stream, undoes) = (reservation_stream(command.order_id), ReserveInventory::EVENT_TYPE);
            Ok(Route::Compensation { command: Command::Release(command), stream, undoes })
        }
        ReceiveStock::EVENT_TYPE => {
            let command: ReceiveStock = read(message)?;
            Ok(Route::Command { stream: receipt_stream(&command.receipt_id), command: Command::Receive(command) })
        }
        other => Err(Rejection::unknown_command(other)),
    }
}

fn route_event(message: &Message) -> Result<Route<Warehouse>, Rejection> {
    match message.envelope.event_type.as_str() {
        OrderPlacedV3::EVENT_TYPE if Flow::of(&message.envelope) == Flow::Choreographed => {
            let OrderPlacedV3 { order_id, order_items, .. } = read(message)?;
            let items =
                order_items.into_iter().map(|line| Item { product_id: line.product_id, quantity: line.quantity });
            let wanted = ReserveInventory { order_id, items: items.collect() };
            Ok(Route::Event { event: Heard::Placed(wanted), stream: reservation_stream(order_id) })
        }
        OrderConfirmed::EVENT_TYPE => {
            let event: OrderConfirmed = read(message)?;
            Ok(Route::Event { event: Heard::Confirmed, stream: reservation_stream(event.order_id) })
        }
        OrderCancelled::EVENT_TYPE => {
            let event: OrderCancelled = read(message)?;
            let stream = reservation_stream(event.order_id);
            let event = match Flow::of(&message.envelope) {
                Flow::Orchestrated => Heard::Cancelled(event.order_id),
                Flow::Choreographed => Heard::CalledOff(event.order_id),
            };
            Ok(Route::Event { event, stream })
        }
        _ => Ok(Route::Ignored),
    }
}

fn claimed_streams(reservation: &Reservation) -> Vec<StreamId> {
    let claim = reservation.claim();
    claim.into_iter().flat_map(|claim| &claim.items).map(|item| stock_stream(&item.product_id)).collect()
}

fn released(reservation: &Reservation, order_id: OrderId) -> Changes<Warehouse> {
    changes(release(reservation, order_id)).cancel_timer(EXPIRY)
}

/// A decision to claim; a new claim ends by itself.
fn held(decision: Decision) -> Changes<Warehouse> {
    match &decision.event {
        InventoryEvent::InventoryReserved(claim) if !decision.stock.is_empty() => {
            let reserved_until = claim.reserved_until;
            changes(decision).timer(EXPIRY, reserved_until, Timer::Expiry)
        }
        _ => changes(decision),
    }
}

fn changes(decision: Decision) -> Changes<Warehouse> {
    let own = Changes::of(decision.event);
    decision.stock.into_iter().fold(own, |changes, (product, event)| changes.on(stock_stream(&product), event))
}

fn read<T: Payload>(message: &Message) -> Result<T, Rejection> {
    message.envelope.typed().map_err(|error| Rejection::invalid(format!("{:#}", anyhow::Error::new(error))))
}
