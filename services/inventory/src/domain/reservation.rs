//! An order's claim on stock: all of its items or none, until it is confirmed, given back, or expired.

use std::collections::BTreeMap;

use backstitch_contracts::inventory::{
    InventoryReleased, InventoryReservationFailed, InventoryReserved, Item, ReserveInventory, Shortage,
};
use backstitch_domain::{OrderId, ProductId, Quantity};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Decision, InventoryEvent, ReservationConfirmed, StockClaim, Stocks};

/// A reservation, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reservation {
    /// Nobody asked for one, or none could be had.
    #[default]
    None,
    /// Held for the order, for a time.
    Held(InventoryReserved),
    /// The order's, for good.
    Confirmed(InventoryReserved),
    /// Given back.
    Released,
}

impl Reservation {
    /// What it claims.
    #[must_use]
    pub fn claim(&self) -> Option<&InventoryReserved> {
        match self {
            Self::Held(claim) | Self::Confirmed(claim) => Some(claim),
            Self::None | Self::Released => None,
        }
    }

    /// Takes one event in. Total: what does not fit changes nothing.
    pub fn evolve(&mut self, event: &InventoryEvent) {
        match (&*self, event) {
            // The same claim told again must not make a confirmed one expire.
            (Self::None | Self::Released, InventoryEvent::InventoryReserved(claim)) => {
                *self = Self::Held(claim.clone())
            }
            // "Nothing was given back" answers a command that had nothing to undo; the claim is another command's.
            (Self::Held(_) | Self::Confirmed(_), InventoryEvent::InventoryReleased(released))
                if !released.items.is_empty() =>
            {
                *self = Self::Released;
            }
            (Self::Held(claim), InventoryEvent::ReservationConfirmed(_)) => *self = Self::Confirmed(claim.clone()),
            _ => {}
        }
    }
}

/// Claims every item, or nothing. The same product on several lines is one claim. An order that has a claim is answered
/// by that claim if it asks for the same, and refused otherwise.
#[must_use]
pub fn reserve(
    reservation: &Reservation,
    stocks: &Stocks,
    command: &ReserveInventory,
    now: DateTime<Utc>,
    hold: TimeDelta,
) -> Decision {
    let order_id = command.order_id;
    let asked = asked(&command.items);
    if let Some(claim) = reservation.claim() {
        return repeated(claim, &asked, order_id);
    }
    let short = shortages(&asked, stocks);
    if !short.is_empty() {
        return failed(order_id, short, "out of stock");
    }
    let Some(items) = countable(&asked) else {
        return failed(order_id, Vec::new(), "nothing to reserve");
    };
    let claims = items.iter().map(|Item { product_id, quantity }| {
        (product_id.clone(), InventoryEvent::StockReserved(StockClaim { order_id, quantity: *quantity }))
    });
    let stock = claims.collect();
    let reserved_until = now + hold;
    Decision { event: InventoryEvent::InventoryReserved(InventoryReserved { order_id, items, reserved_until }), stock }
}

/// Gives back what the order has a claim on, confirmed or not. An order without a claim gives back nothing, which is an
/// answer too.
#[must_use]
pub fn release(reservation: &Reservation, order_id: OrderId) -> Decision {
    let items = reservation.claim().map(|claim| claim.items.clone()).unwrap_or_default();
    let returns = items.iter().map(|Item { product_id, quantity }| {
        (product_id.clone(), InventoryEvent::StockReturned(StockClaim { order_id, quantity: *quantity }))
    });
    let stock = returns.collect();
    Decision { event: InventoryEvent::InventoryReleased(InventoryReleased { order_id, items }), stock }
}

/// Gives back a claim whose time is over, if it is still only held.
#[must_use]
pub fn expire(reservation: &Reservation, now: DateTime<Utc>) -> Option<Decision> {
    match reservation {
        Reservation::Held(claim) if claim.reserved_until <= now => Some(release(reservation, claim.order_id)),
        Reservation::Held(_) | Reservation::None | Reservation::Confirmed(_) | Reservation::Released => None,
    }
}

/// Makes a held claim permanent.
#[must_use]
pub fn confirm(reservation: &Reservation) -> Option<InventoryEvent> {
    match reservation {
        Reservation::Held(claim) => {
            Some(InventoryEvent::ReservationConfirmed(ReservationConfirmed { order_id: claim.order_id }))
        }
        Reservation::None | Reservation::Confirmed(_) | Reservation::Released => None,
    }
}

fn asked(items: &[Item]) -> BTreeMap<ProductId, u64> {
    let mut asked = BTreeMap::<ProductId, u64>::new();
    for item in items {
        let sum = asked.entry(item.product_id.clone()).or_default();
        *sum = sum.saturating_add(item.quantity.units().into());
    }
    asked
}

fn shortages(asked: &BTreeMap<ProductId, u64>, stocks: &Stocks) -> Vec<Shortage> {
    let available = |product| stocks.get(product).copied().unwrap_or_default().available();
    let short = asked.iter().filter(|(product, units)| {
        // One claim cannot be larger than a quantity, however much there is.
        **units > available(product) || **units > u64::from(Quantity::UNITS_MAX)
    });
    short
        .map(|(product_id, units)| Shortage {
            product_id: product_id.clone(),
            asked: i64::try_from(*units).unwrap_or(i64::MAX),
            available: i64::try_from(available(product_id)).unwrap_or(i64::MAX),
        })
        .collect()
}

/// The sums as items; `None` if there are none.
fn countable(asked: &BTreeMap<ProductId, u64>) -> Option<Vec<Item>> {
    let items = asked.iter().map(|(product_id, units)| {
        let quantity = i64::try_from(*units).ok().and_then(|units| Quantity::new(units).ok())?;
        Some(Item { product_id: product_id.clone(), quantity })
    });
    items.collect::<Option<Vec<_>>>().filter(|items| !items.is_empty())
}

fn repeated(claim: &InventoryReserved, asked: &BTreeMap<ProductId, u64>, order_id: OrderId) -> Decision {
    if countable(asked).as_ref() == Some(&claim.items) {
        Decision::only(InventoryEvent::InventoryReserved(claim.clone()))
    } else {
        failed(order_id, Vec::new(), "the order has another reservation")
    }
}

fn failed(order_id: OrderId, items: Vec<Shortage>, reason: &str) -> Decision {
    let reason = reason.to_owned();
    Decision::only(InventoryEvent::InventoryReservationFailed(InventoryReservationFailed { order_id, items, reason }))
}
