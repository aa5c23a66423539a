//! May this order be confirmed? Its own file, because the proof of the reservation may arrive with the command, ahead of
//! inventory's own event.

use backstitch_contracts::orders::{ConfirmOrder, OrderConfirmed};
use backstitch_domain::{OrderId, PaymentId};
use chrono::{DateTime, Utc};

use super::{Order, OrderEvent, PlacedOrder, ReservationNoted, Stage};

/// Why an order cannot be confirmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfirmOrderRefusal {
    /// Nobody placed it.
    #[error("no order `{order_id}` is placed")]
    NotPlaced {
        /// The order.
        order_id: OrderId,
    },
    /// Neither inventory nor the command says that its items are reserved.
    #[error("the items of order `{order_id}` are not reserved")]
    NotReserved {
        /// The order.
        order_id: OrderId,
    },
    /// Its items may be somebody else's by now.
    #[error("the reservation for order `{order_id}` ended at {reserved_until}")]
    ReservationEnded {
        /// The order.
        order_id: OrderId,
        /// When.
        reserved_until: DateTime<Utc>,
    },
    /// It is confirmed, by another payment.
    #[error("order `{order_id}` is already confirmed by payment `{payment_id}`")]
    PaidOtherwise {
        /// The order.
        order_id: OrderId,
        /// The other payment.
        payment_id: PaymentId,
    },
    /// It is past that, or off.
    #[error("order `{order_id}` is {status}")]
    NotPending {
        /// The order.
        order_id: OrderId,
        /// Where it stands.
        status: &'static str,
    },
}

/// Confirms the order. An order whose reservation is not noted yet is moved through it by the proof in the command, in
/// one decision. Confirming again by the same payment answers the same.
///
/// # Errors
/// [`ConfirmOrderRefusal`], one for each rule.
pub fn confirm(
    order: &Order,
    command: &ConfirmOrder,
    now: DateTime<Utc>,
) -> Result<Vec<OrderEvent>, ConfirmOrderRefusal> {
    let order_id = command.order_id;
    let Some(placed) = order.placed() else {
        return Err(match order {
            Order::NeverToBePlaced(_) => ConfirmOrderRefusal::NotPending { order_id, status: order.status() },
            Order::Draft | Order::Placed(_) => ConfirmOrderRefusal::NotPlaced { order_id },
        });
    };
    let confirmed =
        OrderEvent::OrderConfirmed(OrderConfirmed { order_id, payment_id: command.payment_id, confirmed_at: now });
    match &placed.stage {
        Stage::PendingInventory => {
            let reserved_until = command.reserved_until.ok_or(ConfirmOrderRefusal::NotReserved { order_id })?;
            still_reserved(order_id, reserved_until, now)?;
            Ok(vec![OrderEvent::ReservationNoted(ReservationNoted { reserved_until }), confirmed])
        }
        Stage::PendingPayment { reserved_until } => {
            still_reserved(order_id, *reserved_until, now)?;
            Ok(vec![confirmed])
        }
        Stage::Confirmed => again(placed, command).map(|event| vec![event]),
        Stage::Shipped | Stage::Delivered { .. } | Stage::Cancelled { .. } => {
            Err(ConfirmOrderRefusal::NotPending { order_id, status: order.status() })
        }
    }
}

fn still_reserved(
    order_id: OrderId,
    reserved_until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), ConfirmOrderRefusal> {
    if now < reserved_until { Ok(()) } else { Err(ConfirmOrderRefusal::ReservationEnded { order_id, reserved_until }) }
}

fn again(placed: &PlacedOrder, command: &ConfirmOrder) -> Result<OrderEvent, ConfirmOrderRefusal> {
    let order_id = command.order_id;
    match placed.confirmation {
        Some(known) if known.payment_id == command.payment_id => Ok(OrderEvent::OrderConfirmed(OrderConfirmed {
            order_id,
            payment_id: known.payment_id,
            confirmed_at: known.confirmed_at,
        })),
        Some(known) => Err(ConfirmOrderRefusal::PaidOtherwise { order_id, payment_id: known.payment_id }),
        None => Err(ConfirmOrderRefusal::NotReserved { order_id }),
    }
}
