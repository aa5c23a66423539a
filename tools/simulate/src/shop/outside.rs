//! The gateway and the carrier: they outlive every process, keep their own books, and do one thing once for a key.
//! Separate, because they are what the shop's sums are compared with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use backstitch_domain::OrderId;
use backstitch_participant::Calls;
use backstitch_payment::domain::{Charge, ChargeOutcome, Refund, RefundOutcome};
use backstitch_payment::gateway::Gateway;
use backstitch_shipping::carrier::Carrier;
use backstitch_shipping::domain::{CallBack, Parcel, ParcelOutcome};
use chrono::{DateTime, Utc};

use super::Fate;
use crate::life::Life;
use crate::world::{World, lock};

/// Longer than both flows wait for a payment or a parcel.
const LATE: Duration = Duration::from_secs(400);

/// The world outside of the shop.
pub(super) struct Outside {
    world: Arc<World>,
    fates: BTreeMap<OrderId, Fate>,
    charges: Mutex<BTreeMap<String, Booked<ChargeOutcome>>>,
    parcels: Mutex<BTreeMap<String, Booked<ParcelOutcome>>>,
}

/// What was done under a key.
struct Booked<T> {
    order_id: OrderId,
    outcome: T,
    /// What it is worth: minor units, or parcels.
    worth: i64,
    is_taken_back: bool,
}

impl Outside {
    pub(super) fn new(world: &Arc<World>, fates: BTreeMap<OrderId, Fate>) -> Arc<Self> {
        Arc::new(Self { world: world.clone(), fates, charges: Mutex::default(), parcels: Mutex::default() })
    }

    /// What customers have paid for an order and not got back, minor units.
    pub(super) fn money_kept(&self, order_id: OrderId) -> i64 {
        let kept = |charge: &&Booked<ChargeOutcome>| matches!(charge.outcome, ChargeOutcome::Approved { .. });
        worth(&lock(&self.charges), order_id, kept)
    }

    /// Parcels of an order that are on their way.
    pub(super) fn parcels_kept(&self, order_id: OrderId) -> i64 {
        let kept = |parcel: &&Booked<ParcelOutcome>| matches!(parcel.outcome, ParcelOutcome::Taken { .. });
        worth(&lock(&self.parcels), order_id, kept)
    }

    /// How often the gateway took money for an order, given back or not.
    pub(super) fn charges(&self, order_id: OrderId) -> usize {
        let charges = lock(&self.charges);
        let approved = |charge: &&Booked<ChargeOutcome>| matches!(charge.outcome, ChargeOutcome::Approved { .. });
        charges.values().filter(|charge| charge.order_id == order_id).filter(approved).count()
    }

    fn fate(&self, order_id: OrderId) -> Fate {
        self.fates.get(&order_id).copied().unwrap_or(Fate::Good)
    }

    async fn take_time(&self, key: &str) {
        let mut dice = self.world.dice(key);
        let millis = if dice.falls(800) { dice.between(1, 500) } else { dice.between(500, 20_000) };
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

fn worth<T>(booked: &BTreeMap<String, Booked<T>>, order_id: OrderId, kept: impl Fn(&&Booked<T>) -> bool) -> i64 {
    let of_order = booked.values().filter(|one| one.order_id == order_id && !one.is_taken_back);
    of_order.filter(kept).map(|one| one.worth).sum()
}

#[async_trait]
impl Gateway for Outside {
    async fn charge(&self, charge: &Charge) -> ChargeOutcome {
        self.take_time(&charge.key).await;
        let fate = self.fate(charge.order_id);
        if fate == Fate::SlowGateway {
            tokio::time::sleep(LATE).await;
        }
        let outcome = match fate {
            Fate::Declined => ChargeOutcome::Declined { reason: "no money".to_owned() },
            Fate::NotNow if charge.attempt == 1 => ChargeOutcome::NotNow { reason: "not now".to_owned() },
            Fate::NeverNow => ChargeOutcome::NotNow { reason: "not now".to_owned() },
            _ => ChargeOutcome::Approved { payment_method: "card".to_owned() },
        };
        let (order_id, worth) = (charge.order_id, charge.money.minor_units);
        let mut charges = lock(&self.charges);
        let first = || Booked { order_id, outcome, worth, is_taken_back: false };
        charges.entry(charge.key.clone()).or_insert_with(first).outcome.clone()
    }

    async fn refund(&self, refund: &Refund) -> RefundOutcome {
        self.take_time(&refund.charge_key).await;
        match lock(&self.charges).get_mut(&refund.charge_key) {
            Some(charge) => {
                charge.is_taken_back = true;
                RefundOutcome::Refunded { money: refund.money }
            }
            None => RefundOutcome::NothingCharged,
        }
    }
}

#[async_trait]
impl Carrier for Outside {
    async fn ship(&self, parcel: &Parcel) -> ParcelOutcome {
        self.take_time(&parcel.key).await;
        let fate = self.fate(parcel.order_id);
        if fate == Fate::SlowCarrier {
            tokio::time::sleep(LATE).await;
        }
        let outcome = match fate {
            Fate::NoCarrier => ParcelOutcome::Refused { reason: "too far".to_owned() },
            _ => ParcelOutcome::Taken {
                tracking_number: format!("t-{}", parcel.order_id),
                carrier: "post".to_owned(),
                shipped_at: self.world.now(),
            },
        };
        let mut parcels = lock(&self.parcels);
        let first = || Booked { order_id: parcel.order_id, outcome, worth: 1, is_taken_back: false };
        parcels.entry(parcel.key.clone()).or_insert_with(first).outcome.clone()
    }

    async fn call_back(&self, call: &CallBack) {
        self.take_time(&call.key).await;
        if let Some(parcel) = lock(&self.parcels).get_mut(&call.key) {
            parcel.is_taken_back = true;
        }
    }

    async fn delivered_at(&self, _key: &str) -> Option<DateTime<Utc>> {
        None
    }
}

/// A service's calls, which end where its process ends.
pub(super) struct Through<C> {
    pub(super) calls: C,
    pub(super) life: Arc<Life>,
}

#[async_trait]
impl<C: Calls> Calls for Through<C> {
    type Call = C::Call;
    type Outcome = C::Outcome;

    async fn call(&self, key: &str, call: C::Call) -> C::Outcome {
        self.life.point("call").await;
        let outcome = self.calls.call(key, call).await;
        self.life.point("called").await;
        outcome
    }
}
