//! What the outside world has seen: charges, refunds and parcels, as the simulated gateway and carrier counted them.
//!
//! Apart from the services' own records, because an effect that happened twice shows only where it happened.

use std::ops::Sub;

use anyhow::Result;
use serde_json::Value;

use crate::system::System;

/// Counts and amounts (minor units of EUR).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sums {
    pub(crate) charges: i64,
    pub(crate) charged: i64,
    pub(crate) refunds: i64,
    pub(crate) refunded: i64,
    pub(crate) shipped: i64,
    pub(crate) cancelled: i64,
}

impl Sums {
    /// What the totals of a test that only completes and undoes orders must be.
    pub(crate) const NOTHING: Self = Self { charges: 0, charged: 0, refunds: 0, refunded: 0, shipped: 0, cancelled: 0 };

    fn of(totals: &Value) -> Self {
        let number = |pointer: &str| totals.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
        Self {
            charges: number("/charged/count"),
            charged: number("/charged/amounts/EUR"),
            refunds: number("/refunded/count"),
            refunded: number("/refunded/amounts/EUR"),
            shipped: number("/shipped"),
            cancelled: number("/cancelled"),
        }
    }
}

impl Sub for Sums {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            charges: self.charges - before.charges,
            charged: self.charged - before.charged,
            refunds: self.refunds - before.refunds,
            refunded: self.refunded - before.refunded,
            shipped: self.shipped - before.shipped,
            cancelled: self.cancelled - before.cancelled,
        }
    }
}

impl System {
    /// The sums of all time; a test compares two of them.
    pub(crate) fn sums(&self) -> Result<Sums> {
        Ok(Sums::of(&self.block_on(self.get("simulators", "/totals"))?))
    }
}
