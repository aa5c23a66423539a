//! May this order be cancelled? Its own file, because an order that does not exist yet may be.

use backstitch_contracts::orders::{CancelOrder, OrderCancelled};
use backstitch_domain::OrderId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Order, OrderEvent, ShipmentCancellationNoted, Stage};

/// Why an order cannot be cancelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CancelOrderRefusal {
    /// A carrier has it. The shipment can be cancelled, and then the order.
    #[error("order `{order_id}` is shipped")]
    Shipped {
        /// The order.
        order_id: OrderId,
    },
    /// It arrived.
    #[error("order `{order_id}` is delivered")]
    Delivered {
        /// The order.
        order_id: OrderId,
    },
}

/// What the one who cancels knows about the shipment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShipmentKnown {
    /// Nothing: a shipped order is not cancelled.
    Nothing,
    /// It is off: a saga that rolls back undoes the shipment before the order, and its command may overtake the news.
    CalledBack,
}

/// Cancels the order; cancelling it again answers the same. An order that is not placed can be cancelled too: the command
/// may have overtaken the order, which then cannot be placed any more.
///
/// # Errors
/// [`CancelOrderRefusal`] once a carrier has it.
pub fn cancel(
    order: &Order,
    command: &CancelOrder,
    shipment: ShipmentKnown,
    now: DateTime<Utc>,
) -> Result<Vec<OrderEvent>, CancelOrderRefusal> {
    let order_id = command.order_id;
    let event = |reason: &str, cancelled_at| {
        OrderEvent::OrderCancelled(OrderCancelled { order_id, reason: reason.to_owned(), cancelled_at })
    };
    let cancelled = |reason: &str, cancelled_at| Ok(vec![event(reason, cancelled_at)]);
    match order {
        Order::Draft => cancelled(&command.reason, now),
        Order::NeverToBePlaced(known) => cancelled(&known.reason, known.cancelled_at),
        Order::Placed(placed) => match &placed.stage {
            Stage::PendingInventory | Stage::PendingPayment { .. } | Stage::Confirmed => {
                cancelled(&command.reason, now)
            }
            Stage::Cancelled { reason, cancelled_at } => cancelled(reason, *cancelled_at),
            Stage::Shipped if shipment == ShipmentKnown::CalledBack => {
                let noted = ShipmentCancellationNoted { reason: command.reason.clone() };
                Ok(vec![OrderEvent::ShipmentCancellationNoted(noted), event(&command.reason, now)])
            }
            Stage::Shipped => Err(CancelOrderRefusal::Shipped { order_id }),
            Stage::Delivered { .. } => Err(CancelOrderRefusal::Delivered { order_id }),
        },
    }
}
