//! Reference data about customers, for read models.

use backstitch_domain::CustomerId;
use serde::{Deserialize, Serialize};

use crate::payload::payload;

/// The topic of the events; compacted, so each says all there is to say.
pub const EVENTS: &str = "customers.events";

/// Somebody became a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerRegistered {
    /// The customer.
    pub customer_id: CustomerId,
    /// What they are called.
    pub name: String,
    /// Where they get mail.
    pub email: String,
}
payload!(CustomerRegistered, EVENTS);

/// A customer's name or mail address changed; both as they are now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerChanged {
    /// The customer.
    pub customer_id: CustomerId,
    /// What they are called.
    pub name: String,
    /// Where they get mail.
    pub email: String,
}
payload!(CustomerChanged, EVENTS);
