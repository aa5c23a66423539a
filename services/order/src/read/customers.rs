//! Customers in the order view: what they are called, and what their orders come to. Separate from the orders, whose rows
//! take a name and give an amount.

use backstitch_domain::CustomerId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::orders::OrderRow;

/// A customer as last told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerRow {
    /// The customer.
    pub customer_id: Uuid,
    /// What they are called; absent while nobody has told.
    pub name: Option<String>,
    /// Where they get mail.
    pub email: Option<String>,
    /// When that was told.
    pub known_at: Option<DateTime<Utc>>,
}

/// What a customer's orders in one currency come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerTotal {
    /// The customer.
    pub customer_id: Uuid,
    /// ISO 4217.
    pub currency: String,
    /// Orders placed.
    pub orders: i64,
    /// Of those, cancelled.
    pub cancelled: i64,
    /// Sum of those that were not cancelled, minor units.
    pub amount: i64,
}

/// Which sums.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct TotalKey {
    pub(super) customer_id: Uuid,
    pub(super) currency: String,
}

pub(super) const TOTAL_COLUMNS: [&str; 3] = ["orders", "cancelled", "amount"];

impl CustomerRow {
    pub(super) fn known(customer_id: CustomerId, name: String, email: String, at: DateTime<Utc>) -> Self {
        Self { customer_id: customer_id.uuid(), name: Some(name), email: Some(email), known_at: Some(at) }
    }

    /// Takes news in; whether anything changed. Old news is none.
    pub(super) fn fold(&mut self, news: &Self) -> bool {
        if news.known_at < self.known_at || news == self {
            return false;
        }
        self.clone_from(news);
        true
    }
}

/// Gives the order its customer's name, as far as it is known.
pub(super) fn greet(row: &mut OrderRow, customer: Option<&CustomerRow>) {
    row.customer_name = customer.and_then(|customer| customer.name.clone());
    row.customer_email = customer.and_then(|customer| customer.email.clone());
}

/// What an order counts for among its customer's; nothing before it was placed.
pub(super) fn total_of(row: &OrderRow) -> Option<(TotalKey, [i64; 3])> {
    let key = TotalKey::of(row)?;
    let counts = if row.cancelled_at.is_some() { [1, 1, 0] } else { [1, 0, row.total_amount] };
    Some((key, counts))
}
