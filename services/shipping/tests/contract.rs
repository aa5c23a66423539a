//! The shipping service keeps the contract of participants.

use std::sync::Arc;

use async_trait::async_trait;
use backstitch_contracts::Catalog;
use backstitch_participant::CallsOf;
use backstitch_participant::contract::{Ask, Trial, keeps_the_contract};
use backstitch_shipping::carrier::{Carrier, InstantCarrier};
use backstitch_shipping::domain::{CallBack, Parcel, ParcelOutcome};
use backstitch_shipping::handlers::{CarrierCalls, Shipments};
use chrono::{DateTime, Utc};
use serde_json::json;

const ORDER: &str = "6f1a4d1e-51b2-4a58-9d1f-0c2f6f3c9d10";

/// Takes every parcel, and always says so in the same words.
struct SteadyCarrier;

#[async_trait]
impl Carrier for SteadyCarrier {
    async fn ship(&self, _parcel: &Parcel) -> ParcelOutcome {
        let (tracking_number, carrier) = ("s-1".to_owned(), "steady".to_owned());
        ParcelOutcome::Taken { tracking_number, carrier, shipped_at: DateTime::UNIX_EPOCH }
    }

    async fn call_back(&self, _call: &CallBack) {}

    async fn delivered_at(&self, _key: &str) -> Option<DateTime<Utc>> {
        None
    }
}

#[test]
fn a_shipment_and_its_cancellation_keep_the_contract() -> anyhow::Result<()> {
    let address = json!({ "line1": "1 Main St", "city": "Springfield", "postal_code": "12345", "country": "US" });
    let items = json!([{ "product_id": "lamp", "quantity": 2 }]);
    let ship = json!({ "order_id": ORDER, "shipping_address": address, "items": items });
    let ship = Ask::new("shipping.commands", "ShipOrder", ORDER, ship);
    let cancel = json!({ "order_id": ORDER, "reason": "no longer wanted" });
    for instant in [None, Some(InstantCarrier)] {
        let shipments = Shipments { instant, ..Shipments::default() };
        let trial = Trial::of(shipments, &Catalog::embedded()?, "shipping.events", ship.clone())
            .undone_by(Ask::new("shipping.commands", "CancelShipment", ORDER, cancel.clone()))
            .calling(CallsOf(CarrierCalls(Arc::new(SteadyCarrier))));
        keeps_the_contract(&trial);
    }
    Ok(())
}
