//! A carrier without a carrier: answers at once, by the simulator's table of postal codes. For benchmarks and for trying
//! the services without a network; chosen by configuration.

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound as _, Utc};

use super::Carrier;
use crate::domain::{CallBack, Parcel, ParcelOutcome};

/// Answers from the address alone; what it takes arrives as soon as somebody asks.
#[derive(Debug, Clone, Copy, Default)]
pub struct InstantCarrier;

impl InstantCarrier {
    /// What becomes of a parcel that is handed over at `now`.
    #[must_use]
    pub fn taken(self, parcel: &Parcel, now: DateTime<Utc>) -> ParcelOutcome {
        if parcel.address.postal_code() == "00001" {
            return ParcelOutcome::Refused { reason: "the carrier refuses the parcel".to_owned() };
        }
        let tracking_number = format!("I-{}", parcel.key);
        ParcelOutcome::Taken { tracking_number, carrier: "instant".to_owned(), shipped_at: now.trunc_subsecs(6) }
    }
}

#[async_trait]
impl Carrier for InstantCarrier {
    async fn ship(&self, parcel: &Parcel) -> ParcelOutcome {
        self.taken(parcel, Utc::now())
    }

    async fn call_back(&self, _call: &CallBack) {}

    async fn delivered_at(&self, _key: &str) -> Option<DateTime<Utc>> {
        Some(Utc::now())
    }
}

#[cfg(test)]
mod tests {
    use backstitch_domain::{Address, AddressParts, OrderId};
    use uuid::Uuid;

    use super::*;

    fn shipped_to(postal_code: &str) -> ParcelOutcome {
        let parts = AddressParts {
            line1: "1 Main St".into(),
            city: "Springfield".into(),
            postal_code: postal_code.into(),
            country: "US".into(),
            ..AddressParts::default()
        };
        let address = Address::new(parts).unwrap();
        let parcel = Parcel { key: "k".into(), order_id: OrderId::new(Uuid::nil()), address };
        InstantCarrier.taken(&parcel, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn the_postal_code_tells_the_outcome() {
        assert!(matches!(shipped_to("12345"), ParcelOutcome::Taken { .. }));
        assert!(matches!(shipped_to("00001"), ParcelOutcome::Refused { .. }));
    }
}
