//! Goods coming in. Apart from reservations: a delivery belongs to no order.

use backstitch_contracts::inventory::{ReceiveStock, StockReceived};
use serde::{Deserialize, Serialize};

use super::{Decision, InventoryEvent, StockAdded};

/// A delivery, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Receipt {
    /// Not here yet.
    #[default]
    Awaited,
    /// Counted.
    Counted(StockReceived),
}

impl Receipt {
    /// Takes one event in. Total: what is not about deliveries changes nothing.
    pub fn evolve(&mut self, event: &InventoryEvent) {
        if let InventoryEvent::StockReceived(received) = event {
            *self = Self::Counted(received.clone());
        }
    }
}

/// Takes goods in. A delivery is counted once: its second report answers what the first did.
#[must_use]
pub fn receive(receipt: &Receipt, command: &ReceiveStock) -> Decision {
    let ReceiveStock { receipt_id, product_id, quantity } = command.clone();
    match receipt {
        Receipt::Counted(known) => Decision::only(InventoryEvent::StockReceived(known.clone())),
        Receipt::Awaited => {
            let added = InventoryEvent::StockAdded(StockAdded { receipt_id: receipt_id.clone(), quantity });
            let stock = vec![(product_id.clone(), added)];
            let event = InventoryEvent::StockReceived(StockReceived { receipt_id, product_id, quantity });
            Decision { event, stock }
        }
    }
}
