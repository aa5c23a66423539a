//! The event that all stores are given: of the size of a domain event, as our own store gets it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Some 200 bytes as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) order_id: Uuid,
    pub(crate) payment_id: Uuid,
    pub(crate) amount: Amount,
    pub(crate) payment_method: String,
    pub(crate) reference: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Amount {
    pub(crate) minor: u64,
    pub(crate) currency: String,
}

impl Note {
    pub(crate) const TYPE: &str = "PaymentProcessed";

    pub(crate) fn new() -> Self {
        Self {
            order_id: Uuid::new_v4(),
            payment_id: Uuid::new_v4(),
            amount: Amount { minor: 129_900, currency: "EUR".to_owned() },
            payment_method: "card".to_owned(),
            reference: "invoice 2026-11-0042".to_owned(),
        }
    }
}

/// What recovery computes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sum {
    pub(crate) events: u64,
    pub(crate) minor: u64,
}

impl Sum {
    pub(crate) fn add(&mut self, note: &Note) {
        self.events += 1;
        self.minor += note.amount.minor;
    }
}
