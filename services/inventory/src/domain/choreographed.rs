//! What becomes of an order that no saga drives: its placing asks for the claim, its cancelling takes the claim back.
//! Separate from the claim itself, which is the same whoever asks.

use backstitch_contracts::inventory::{InventoryReleased, ReserveInventory};
use backstitch_domain::OrderId;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Decision, FlowJoined, FlowLeft, InventoryEvent, Reservation, Stocks, release, reserve};

/// Whether an order is followed without being asked by a saga.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Following {
    /// It is not, as far as is known.
    #[default]
    No,
    /// It was placed so.
    Joined,
    /// It was cancelled, maybe before it was heard of.
    Left,
}

impl Following {
    /// Takes one event in. Total: what does not fit changes nothing.
    pub const fn evolve(&mut self, event: &InventoryEvent) {
        match (&*self, event) {
            (Self::No, InventoryEvent::FlowJoined(_)) => *self = Self::Joined,
            (_, InventoryEvent::FlowLeft(_)) => *self = Self::Left,
            _ => {}
        }
    }
}

/// The order was placed: claims its items. Heard of again, or after it was cancelled, it claims nothing.
#[must_use]
pub fn join(
    following: Following,
    stocks: &Stocks,
    wanted: &ReserveInventory,
    now: DateTime<Utc>,
    hold: TimeDelta,
) -> Option<(InventoryEvent, Decision)> {
    let joined = InventoryEvent::FlowJoined(FlowJoined { order_id: wanted.order_id });
    match following {
        Following::No => Some((joined, reserve(&Reservation::None, stocks, wanted, now, hold))),
        Following::Joined | Following::Left => None,
    }
}

/// The order was cancelled: gives back what it has a claim on. Everybody in the flow answers a cancellation, once: with
/// what was undone, even if that is nothing. Whoever has said no, or given back already, has answered.
#[must_use]
pub fn leave(
    following: Following,
    reservation: &Reservation,
    order_id: OrderId,
) -> Option<(InventoryEvent, Option<Decision>)> {
    let left = InventoryEvent::FlowLeft(FlowLeft { order_id });
    let nothing = InventoryEvent::InventoryReleased(InventoryReleased { order_id, items: Vec::new() });
    let answer = match (following, reservation) {
        (Following::Left, _) => return None,
        (Following::No, _) => Some(Decision::only(nothing)),
        (Following::Joined, Reservation::Held(_) | Reservation::Confirmed(_)) => Some(release(reservation, order_id)),
        (Following::Joined, Reservation::None | Reservation::Released) => None,
    };
    Some((left, answer))
}
