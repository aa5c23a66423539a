//! What the simulators remember, as facts. Their own file format, one JSON line a fact: read back after a restart and
//! by people who check sums with a text tool.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One fact. Every fact of a charge or shipment names the idempotency key that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// Money was taken.
    Charged {
        /// Idempotency key of the charge.
        key: String,
        /// For which order.
        order_id: String,
        /// Minor units.
        amount: i64,
        /// ISO 4217.
        currency: String,
    },
    /// The gateway said no; nothing was taken.
    Declined {
        /// Idempotency key of the charge.
        key: String,
        /// For which order.
        order_id: String,
        /// Minor units asked for.
        amount: i64,
        /// ISO 4217.
        currency: String,
        /// Whether another key may be approved.
        retryable: bool,
    },
    /// A charge was given back.
    Refunded {
        /// Idempotency key of the charge.
        key: String,
    },
    /// A key was made unusable before anything was charged under it.
    Voided {
        /// Idempotency key of the charge that will not be.
        key: String,
    },
    /// A parcel was taken.
    Shipped {
        /// Idempotency key of the shipment.
        key: String,
        /// Of which order.
        order_id: String,
        /// Given to the customer.
        tracking_number: String,
        /// When it was taken.
        shipped_at: DateTime<Utc>,
    },
    /// The carrier said no.
    Refused {
        /// Idempotency key of the shipment.
        key: String,
        /// Of which order.
        order_id: String,
    },
    /// A parcel was called back.
    Cancelled {
        /// Idempotency key of the shipment.
        key: String,
    },
    /// A key was made unusable before anything was shipped under it.
    Barred {
        /// Idempotency key of the shipment that will not be.
        key: String,
    },
}
