//! The ids of orders, customers and payments. Newtypes over UUIDs, so that one is never passed where another is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {kind} id: a uuid is expected")]
pub struct IdError {
    /// What the id was meant to name.
    pub kind: &'static str,
    /// The text, cut at 64 characters.
    pub text: String,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The id made of this UUID.
            #[must_use]
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text)
                    .map(Self)
                    .map_err(|_| IdError { kind: $kind, text: text.chars().take(64).collect() })
            }
        }
    };
}

uuid_id!(
    /// Names an order; also the key of its flow on every topic.
    OrderId,
    "order"
);
uuid_id!(
    /// Names a customer.
    CustomerId,
    "customer"
);
uuid_id!(
    /// Names a payment.
    PaymentId,
    "payment"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_id_is_written_as_it_is_read() {
        let text = "6f1a4d1e-51b2-4a58-9d1f-0c2f6f3c9d10";
        let id: OrderId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(serde_json::to_value(id).unwrap(), serde_json::json!(text));
        assert_eq!(serde_json::from_value::<OrderId>(serde_json::json!(text)).unwrap(), id);
    }

    #[test]
    fn a_text_that_is_no_uuid_is_refused_by_name() {
        let error = "order-7".parse::<PaymentId>().unwrap_err();
        assert_eq!(error.to_string(), "`order-7` is no payment id: a uuid is expected");
        assert!(serde_json::from_value::<CustomerId>(serde_json::json!("order-7")).is_err());
    }
}
