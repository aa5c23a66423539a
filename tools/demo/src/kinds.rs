//! The kinds of orders that the demo places, and how each must end. Separate from placing them, so that the table reads
//! as one.

use backstitch_saga::Outcome;

/// What happens to an order on its way. The gateway's and carrier's simulators read it from the order itself:
/// `docs/simulators.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    AllGood,
    OutOfStock,
    PaymentDeclined,
    PaymentDeclinedOnce,
    PaymentSilent,
    ShippingFails,
}

/// What makes an order of its kind.
pub(crate) struct Order {
    /// Whether the product ordered is one that is in stock.
    pub(crate) in_stock: bool,
    /// Price of the one item, minor units; its last two digits steer the gateway.
    pub(crate) unit_price: i64,
    /// Steers the carrier.
    pub(crate) postal_code: &'static str,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::AllGood,
        Self::OutOfStock,
        Self::PaymentDeclined,
        Self::PaymentDeclinedOnce,
        Self::PaymentSilent,
        Self::ShippingFails,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AllGood => "all good",
            Self::OutOfStock => "out of stock",
            Self::PaymentDeclined => "payment declined",
            Self::PaymentDeclinedOnce => "payment declined once, then good",
            Self::PaymentSilent => "payment silent past its timeout",
            Self::ShippingFails => "shipping fails",
        }
    }

    /// How its saga has to end.
    pub(crate) const fn outcome(self) -> Outcome {
        match self {
            Self::AllGood | Self::PaymentDeclinedOnce => Outcome::Completed,
            Self::OutOfStock | Self::PaymentDeclined | Self::PaymentSilent | Self::ShippingFails => Outcome::RolledBack,
        }
    }

    pub(crate) const fn order(self) -> Order {
        let (in_stock, unit_price, postal_code) = match self {
            Self::AllGood => (true, 2_500, "10115"),
            Self::OutOfStock => (false, 2_500, "10115"),
            Self::PaymentDeclined => (true, 2_501, "10115"),
            Self::PaymentDeclinedOnce => (true, 2_502, "10115"),
            Self::PaymentSilent => (true, 2_506, "10115"),
            Self::ShippingFails => (true, 2_500, "00001"),
        };
        Order { in_stock, unit_price, postal_code }
    }
}
