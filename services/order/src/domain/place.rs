//! May this order be placed? Separate from the state machine, because the HTTP door asks the same question before
//! anything is sent.

use backstitch_contracts::orders::{Flow, OrderLine, OrderPlacedV3, PlaceOrder};
use backstitch_domain::{Address, Currency, CustomerId, Money, OrderId, ProductId, Quantity};

use super::{Order, OrderEvent};

/// An order as a customer wrote it down: nothing is checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftOrder {
    /// The order.
    pub order_id: OrderId,
    /// Who orders.
    pub customer_id: CustomerId,
    /// What is wanted.
    pub lines: Vec<DraftLine>,
    /// Of all prices.
    pub currency: Currency,
    /// Where it goes.
    pub shipping_address: Option<Address>,
    /// Who drives it.
    pub flow: Flow,
}

/// A line of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftLine {
    /// Which product.
    pub product_id: ProductId,
    /// How many.
    pub quantity: i64,
    /// Price of one, minor units.
    pub unit_price: i64,
}

impl From<PlaceOrder> for DraftOrder {
    fn from(command: PlaceOrder) -> Self {
        let PlaceOrder { order_id, customer_id, order_items, currency, shipping_address, flow } = command;
        let lines = order_items
            .into_iter()
            .map(|line| DraftLine {
                product_id: line.product_id,
                quantity: line.quantity.into(),
                unit_price: line.unit_price,
            })
            .collect();
        Self { order_id, customer_id, lines, currency, shipping_address: Some(shipping_address), flow }
    }
}

/// Why an order cannot be placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceOrderRefusal {
    /// Nothing is ordered.
    #[error("an order needs at least one item")]
    NoItems,
    /// None, or fewer, or more than can be counted.
    #[error("the quantity {quantity} of `{product_id}` is not between 1 and {}", Quantity::UNITS_MAX)]
    Quantity {
        /// Of which product.
        product_id: ProductId,
        /// As written.
        quantity: i64,
    },
    /// Free, or less.
    #[error("the price {unit_price} of `{product_id}` is not positive")]
    Price {
        /// Of which product.
        product_id: ProductId,
        /// As written, minor units.
        unit_price: i64,
    },
    /// Nowhere to go.
    #[error("an order needs a shipping address")]
    NoShippingAddress,
    /// No amount holds the total.
    #[error("the total of the order is more than can be counted")]
    Total,
    /// No saga would drive it, and this deployment has sagas only.
    #[error("orders are driven by sagas here: `choreography.enabled` is off")]
    NotChoreographed,
    /// It is placed already, and differently.
    #[error("order `{order_id}` is already placed with other content")]
    AlreadyPlaced {
        /// The order.
        order_id: OrderId,
    },
    /// It was called off before it was placed.
    #[error("order `{order_id}` is cancelled")]
    Cancelled {
        /// The order.
        order_id: OrderId,
    },
}

impl PlaceOrderRefusal {
    /// The rule's stable name, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoItems => "order_needs_items",
            Self::Quantity { .. } => "order_quantity_not_positive",
            Self::Price { .. } => "order_price_not_positive",
            Self::NoShippingAddress => "order_needs_shipping_address",
            Self::Total => "order_total_too_large",
            Self::NotChoreographed => "order_not_choreographed",
            Self::AlreadyPlaced { .. } => "order_already_placed",
            Self::Cancelled { .. } => "order_cancelled",
        }
    }
}

/// Places a checked order. The same order placed again answers the same.
///
/// # Errors
/// [`PlaceOrderRefusal`] if the id is taken or burnt.
pub fn place(order: &Order, placed: &OrderPlacedV3) -> Result<OrderEvent, PlaceOrderRefusal> {
    let order_id = placed.order_id;
    match order {
        Order::Draft => Ok(OrderEvent::OrderPlaced(placed.clone())),
        Order::Placed(existing) if existing.placed == *placed => Ok(OrderEvent::OrderPlaced(placed.clone())),
        Order::Placed(_) => Err(PlaceOrderRefusal::AlreadyPlaced { order_id }),
        Order::NeverToBePlaced(_) => Err(PlaceOrderRefusal::Cancelled { order_id }),
    }
}

/// Checks a draft by the rules that need no history, and computes its total from its lines.
///
/// # Errors
/// [`PlaceOrderRefusal`], one for each rule.
pub fn check(draft: &DraftOrder) -> Result<OrderPlacedV3, PlaceOrderRefusal> {
    if draft.lines.is_empty() {
        return Err(PlaceOrderRefusal::NoItems);
    }
    let order_items = draft.lines.iter().map(|line| priced(line, draft.currency)).collect::<Result<Vec<_>, _>>()?;
    let shipping_address = draft.shipping_address.clone().ok_or(PlaceOrderRefusal::NoShippingAddress)?;
    let total_amount = order_items
        .iter()
        .try_fold(0_i64, |sum, line| sum.checked_add(line.line_total))
        .ok_or(PlaceOrderRefusal::Total)?;
    Ok(OrderPlacedV3 {
        order_id: draft.order_id,
        customer_id: draft.customer_id,
        order_items,
        total_amount,
        currency: draft.currency,
        shipping_address: Some(shipping_address),
        flow: draft.flow,
    })
}

fn priced(line: &DraftLine, currency: Currency) -> Result<OrderLine, PlaceOrderRefusal> {
    let DraftLine { product_id, quantity, unit_price } = line.clone();
    let Ok(units) = Quantity::new(quantity) else {
        return Err(PlaceOrderRefusal::Quantity { product_id, quantity });
    };
    let price = Money::new(unit_price, currency);
    if !price.is_positive() {
        return Err(PlaceOrderRefusal::Price { product_id, unit_price });
    }
    let line_total = price.checked_mul(units).map_err(|_| PlaceOrderRefusal::Total)?.minor_units;
    Ok(OrderLine { product_id, quantity: units, unit_price, line_total })
}
