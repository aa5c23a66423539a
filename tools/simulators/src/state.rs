//! What the facts add up to. Pure, so that a restart and a running server cannot disagree.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::entry::Entry;

/// Where a charge stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeOutcome {
    /// Taken.
    Approved,
    /// Refused for good.
    Declined,
    /// Refused, but another key may do.
    DeclinedRetryable,
    /// Taken and given back.
    Refunded,
    /// Never taken, and never will be.
    Voided,
}

/// One charge by its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// For which order; empty for a key that was voided before it was used.
    pub order_id: String,
    /// Minor units asked for.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// Where it stands.
    pub outcome: ChargeOutcome,
}

/// Where a shipment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShipmentOutcome {
    /// Taken.
    Shipped,
    /// Refused for good.
    Refused,
    /// Taken and called back.
    Cancelled,
    /// Never taken, and never will be.
    NeverShipped,
}

/// One shipment by its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shipment {
    /// Of which order; empty for a key that was barred before it was used.
    pub order_id: String,
    /// Where it stands.
    pub outcome: ShipmentOutcome,
    /// Tracking number and time, once taken.
    pub taken: Option<(String, DateTime<Utc>)>,
}

/// How many, and how much in each currency.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// How many.
    pub count: u64,
    /// Minor units by currency.
    pub amounts: BTreeMap<String, i64>,
}

impl Sum {
    fn add(&mut self, currency: &str, amount: i64) {
        self.count += 1;
        let sum = self.amounts.entry(currency.to_owned()).or_default();
        *sum = sum.saturating_add(amount);
    }
}

/// The sums a demo checks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// All money ever taken.
    pub charged: Sum,
    /// All money given back.
    pub refunded: Sum,
    /// Charges refused, for good or for now.
    pub declined: u64,
    /// Keys made unusable before a charge.
    pub voided: u64,
    /// Parcels ever taken.
    pub shipped: u64,
    /// Parcels called back.
    pub cancelled: u64,
    /// Shipments refused.
    pub refused: u64,
}

/// Everything, folded from the facts.
#[derive(Debug, Default)]
pub struct State {
    charges: HashMap<String, Charge>,
    declined_orders: HashSet<String>,
    shipments: HashMap<String, Shipment>,
    totals: Totals,
}

impl State {
    /// The charge of a key.
    #[must_use]
    pub fn charge(&self, key: &str) -> Option<&Charge> {
        self.charges.get(key)
    }

    /// The shipment of a key.
    #[must_use]
    pub fn shipment(&self, key: &str) -> Option<&Shipment> {
        self.shipments.get(key)
    }

    /// The sums.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Whether any key of this order was refused before.
    #[must_use]
    pub fn was_declined_before(&self, order_id: &str) -> bool {
        self.declined_orders.contains(order_id)
    }

    /// Takes one fact in.
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Charged { key, order_id, amount, currency } => {
                self.totals.charged.add(currency, *amount);
                self.put_charge(key, order_id, *amount, currency, ChargeOutcome::Approved);
            }
            Entry::Declined { key, order_id, amount, currency, retryable } => {
                self.totals.declined += 1;
                self.declined_orders.insert(order_id.clone());
                let outcome = if *retryable { ChargeOutcome::DeclinedRetryable } else { ChargeOutcome::Declined };
                self.put_charge(key, order_id, *amount, currency, outcome);
            }
            Entry::Refunded { key } => self.refund(key),
            Entry::Voided { key } => {
                self.totals.voided += 1;
                self.put_charge(key, "", 0, "", ChargeOutcome::Voided);
            }
            Entry::Shipped { key, order_id, tracking_number, shipped_at } => {
                self.totals.shipped += 1;
                let taken = Some((tracking_number.clone(), *shipped_at));
                self.put_shipment(key, order_id, ShipmentOutcome::Shipped, taken);
            }
            Entry::Refused { key, order_id } => {
                self.totals.refused += 1;
                self.put_shipment(key, order_id, ShipmentOutcome::Refused, None);
            }
            Entry::Cancelled { key } => {
                self.totals.cancelled += 1;
                if let Some(shipment) = self.shipments.get_mut(key) {
                    shipment.outcome = ShipmentOutcome::Cancelled;
                }
            }
            Entry::Barred { key } => self.put_shipment(key, "", ShipmentOutcome::NeverShipped, None),
        }
    }

    fn refund(&mut self, key: &str) {
        if let Some(charge) = self.charges.get_mut(key) {
            charge.outcome = ChargeOutcome::Refunded;
            self.totals.refunded.add(&charge.currency, charge.amount);
        }
    }

    fn put_charge(&mut self, key: &str, order_id: &str, amount: i64, currency: &str, outcome: ChargeOutcome) {
        let charge = Charge { order_id: order_id.to_owned(), amount, currency: currency.to_owned(), outcome };
        self.charges.insert(key.to_owned(), charge);
    }

    fn put_shipment(
        &mut self,
        key: &str,
        order_id: &str,
        outcome: ShipmentOutcome,
        taken: Option<(String, DateTime<Utc>)>,
    ) {
        let shipment = Shipment { order_id: order_id.to_owned(), outcome, taken };
        self.shipments.insert(key.to_owned(), shipment);
    }
}
