//! The shop itself on the simulated broker and databases: its four services as they ship, a gateway and a carrier that do
//! as the order says, and orders of both flows. Separate from the runs with players, which know every definition and no
//! money: here the sums are looked at, and both flows have to come to the same.

mod books;
mod outside;
mod run;
mod service;

pub use books::Kept;
pub use run::{Fates, ShopReport, Trouble, run_shop};

pub(crate) use service::Service;

/// What the world outside has in store for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// Nothing stands against it.
    Good,
    /// Its product is not there.
    OutOfStock,
    /// The customer has no money.
    Declined,
    /// The gateway says "not now" once.
    NotNow,
    /// The gateway says "not now" for ever.
    NeverNow,
    /// The gateway takes the money so late that nobody waits for it any more.
    SlowGateway,
    /// The carrier does not take it.
    NoCarrier,
    /// The carrier takes it so late that nobody waits for it any more.
    SlowCarrier,
}

impl Fate {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Good,
        Self::OutOfStock,
        Self::Declined,
        Self::NotNow,
        Self::NeverNow,
        Self::SlowGateway,
        Self::NoCarrier,
        Self::SlowCarrier,
    ];
}
