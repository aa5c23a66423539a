//! The stock of one product: the number of units that nobody has a claim on. Apart from reservations,
//! because many orders share it.

use serde::{Deserialize, Serialize};

use super::InventoryEvent;

/// A product's stock, folded from its events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stock {
    received: u64,
    claimed: u64,
}

impl Stock {
    /// Units that ever came in.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Units that orders have a claim on.
    #[must_use]
    pub const fn claimed(&self) -> u64 {
        self.claimed
    }

    /// Units that nobody has a claim on. Never less than none, which the decisions see to.
    #[must_use]
    pub const fn available(&self) -> u64 {
        self.received.saturating_sub(self.claimed)
    }

    /// Takes one event in. Total: what is not about stock changes nothing.
    pub fn evolve(&mut self, event: &InventoryEvent) {
        match event {
            InventoryEvent::StockAdded(added) => {
                self.received = self.received.saturating_add(added.quantity.units().into());
            }
            InventoryEvent::StockReserved(claim) => {
                self.claimed = self.claimed.saturating_add(claim.quantity.units().into());
            }
            InventoryEvent::StockReturned(claim) => {
                self.claimed = self.claimed.saturating_sub(claim.quantity.units().into());
            }
            InventoryEvent::InventoryReserved(_)
            | InventoryEvent::InventoryReservationFailed(_)
            | InventoryEvent::InventoryReleased(_)
            | InventoryEvent::ReservationConfirmed(_)
            | InventoryEvent::FlowJoined(_)
            | InventoryEvent::FlowLeft(_)
            | InventoryEvent::StockReceived(_) => {}
        }
    }
}
