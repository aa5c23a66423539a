//! What becomes of an order that no saga drives: once it is confirmed it is shipped, and its cancelling calls the parcel
//! back. Separate from sending and calling back, which are the same whoever asks.

use backstitch_contracts::shipping::{CancelShipment, ShipOrder, ShipmentCancelled};
use backstitch_domain::OrderId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    CallBack, CancelShipmentRefusal, Cancelling, ConfirmationHeard, FlowLeft, Parcel, ParcelOutcome, Sending, Shipment,
    ShippingEvent, cancel, settle_parcel, ship,
};

/// How far an order is followed without being asked by a saga.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Following {
    /// It is not, as far as is known.
    #[default]
    No,
    /// It was placed, and is not confirmed yet.
    Placed(ShipOrder),
    /// It is confirmed; where it goes is not known yet.
    Confirmed,
    /// It is to be shipped, or was.
    Due,
    /// It cannot be shipped.
    Refused,
    /// It was cancelled, maybe before it was heard of.
    Left {
        /// For people.
        reason: String,
    },
}

impl Following {
    /// Takes one event in. Total: what does not fit changes nothing.
    pub fn evolve(&mut self, event: &ShippingEvent) {
        match (&mut *self, event) {
            (Self::No, ShippingEvent::ShipmentWanted(wanted)) => *self = Self::Placed(wanted.clone()),
            (Self::No, ShippingEvent::ConfirmationHeard(_)) => *self = Self::Confirmed,
            (Self::Confirmed, ShippingEvent::ShipmentWanted(_))
            | (Self::Placed(_), ShippingEvent::ConfirmationHeard(_)) => {
                *self = Self::Due;
            }
            (Self::Due, ShippingEvent::ShipmentFailed(_)) => *self = Self::Refused,
            (_, ShippingEvent::FlowLeft(left)) => *self = Self::Left { reason: left.reason.clone() },
            _ => {}
        }
    }
}

/// The order was placed. Heard of again, or after it was cancelled, it is not shipped.
#[must_use]
pub fn hear_placed(following: &Following, shipment: &Shipment, wanted: &ShipOrder) -> Vec<ShippingEvent> {
    let noted = ShippingEvent::ShipmentWanted(wanted.clone());
    match following {
        Following::No => vec![noted],
        Following::Confirmed => vec![noted, send(shipment, wanted)],
        Following::Placed(_) | Following::Due | Following::Refused | Following::Left { .. } => Vec::new(),
    }
}

/// It is paid for and binding.
#[must_use]
pub fn hear_confirmed(following: &Following, shipment: &Shipment, order_id: OrderId) -> Vec<ShippingEvent> {
    let noted = ShippingEvent::ConfirmationHeard(ConfirmationHeard { order_id });
    match following {
        Following::No => vec![noted],
        Following::Placed(wanted) => vec![noted, send(shipment, wanted)],
        Following::Confirmed | Following::Due | Following::Refused | Following::Left { .. } => Vec::new(),
    }
}

/// The order was cancelled: a parcel on its way is to be called back. Everybody in the flow answers a cancellation, once:
/// with what was undone, even if that is nothing. Whoever has said no has answered; a parcel that the carrier is asked to
/// take answers when that is known.
///
/// # Errors
/// [`CancelShipmentRefusal`] once it arrived: only a person can help.
pub fn leave(
    following: &Following,
    shipment: &Shipment,
    off: &CancelShipment,
) -> Result<Option<Leaving>, CancelShipmentRefusal> {
    let left = ShippingEvent::FlowLeft(FlowLeft { order_id: off.order_id, reason: off.reason.clone() });
    Ok(match (following, shipment) {
        (Following::Left { .. }, _) => None,
        (Following::Refused, _) | (_, Shipment::Requested(_)) => Some(Leaving { events: vec![left], call: None }),
        (_, shipment) => Some(match cancel(shipment, off)? {
            Cancelling::Ask(call) => Leaving { events: vec![left], call: Some(call) },
            Cancelling::Known(event) => Leaving { events: vec![left, event], call: None },
        }),
    })
}

/// What a cancelled order comes to here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// In the own stream.
    pub events: Vec<ShippingEvent>,
    /// What the carrier is to be asked.
    pub call: Option<CallBack>,
}

/// What a certain outcome means to an order that is followed: what was taken after the order was cancelled is to be called
/// back.
#[must_use]
pub fn settle_followed(
    following: &Following,
    parcel: &Parcel,
    outcome: &ParcelOutcome,
) -> (Vec<ShippingEvent>, Option<CallBack>) {
    let events = settle_parcel(parcel, outcome);
    let is_unwanted = matches!((following, outcome), (Following::Left { .. }, ParcelOutcome::Taken { .. }));
    let call = is_unwanted.then(|| CallBack { key: parcel.key.clone(), order_id: parcel.order_id });
    (events, call)
}

/// The parcel is called back.
#[must_use]
pub fn called_back(following: &Following, shipment: &Shipment) -> Option<ShippingEvent> {
    match (following, shipment) {
        (Following::Left { reason }, Shipment::Shipped { shipped, .. }) => {
            let (order_id, reason) = (shipped.order_id, reason.clone());
            Some(ShippingEvent::ShipmentCancelled(ShipmentCancelled { order_id, reason }))
        }
        _ => None,
    }
}

// Derived from the order, so that it is one parcel whatever is heard, and however often.
fn send(shipment: &Shipment, wanted: &ShipOrder) -> ShippingEvent {
    let id = Uuid::new_v5(&wanted.order_id.uuid(), b"choreographed shipment");
    match ship(shipment, wanted, id, 1) {
        Sending::Ask(parcel) => ShippingEvent::ParcelRequested(parcel),
        Sending::Known(event) => event,
    }
}
