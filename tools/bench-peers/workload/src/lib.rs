//! The workload, as all peers see it: an order, its commands, and what a participant answers. Its own crate, so that no peer
//! can be asked for more or less than another.

use serde::{Deserialize, Serialize};

/// What orders and answers carry: about 200 bytes with their frame.
pub const CONTENT: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\
                           0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01234567";

/// One saga of ten has its payment declined.
const DECLINED_EVERY: u64 = 10;

/// The command that may be declined.
pub const PAYMENT: &str = "process";

/// An order, and with it the whole data of its saga.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    /// Names order and saga.
    pub id: String,
    /// Whether the payment is to be declined.
    pub decline: bool,
    /// Ballast.
    pub data: String,
}

impl Order {
    /// The order with this number, of the run with this name.
    #[must_use]
    pub fn numbered(run: &str, number: u64) -> Self {
        let decline = number.is_multiple_of(DECLINED_EVERY);
        Self { id: format!("{run}-{number}"), decline, data: CONTENT.to_owned() }
    }

    /// What a participant answers to `command`.
    #[must_use]
    pub fn answer(&self, command: &str) -> Reply {
        Reply { ok: !(self.decline && command == PAYMENT), data: CONTENT.to_owned() }
    }
}

/// A participant's answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reply {
    /// Whether it was done; a payment that was declined was not.
    pub ok: bool,
    /// Ballast.
    pub data: String,
}

#[cfg(test)]
mod tests {
    use super::Order;

    #[test]
    fn one_payment_of_ten_is_declined_and_nothing_else() {
        let orders: Vec<_> = (0..100).map(|number| Order::numbered("run", number)).collect();
        let declined = |command: &str| orders.iter().filter(|order| !order.answer(command).ok).count();
        assert_eq!((declined("process"), declined("reserve")), (10, 0));
    }
}
