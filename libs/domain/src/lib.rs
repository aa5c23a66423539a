//! Ids, money, quantities and addresses that cannot be wrong once they exist. Separate and lowest, so that messages,
//! services and tools mean the same by them.
//!
//! Every type checks itself where it is made, deserialised included; what holds one need not check again.

mod address;
mod ids;
mod money;
mod product;
mod quantity;
mod text;

pub use address::{Address, AddressError, AddressParts};
pub use ids::{CustomerId, IdError, OrderId, PaymentId};
pub use money::{Currency, CurrencyError, Money, MoneyError};
pub use product::{ProductId, ProductIdError};
pub use quantity::{Quantity, QuantityError};
