//! The inventory service keeps the contract of participants.

use backstitch_contracts::Catalog;
use backstitch_inventory::handlers::Warehouse;
use backstitch_participant::contract::{Ask, Trial, keeps_the_contract};
use chrono::TimeDelta;
use serde_json::json;

const ORDER: &str = "6f1a4d1e-51b2-4a58-9d1f-0c2f6f3c9d10";

#[test]
fn a_reservation_and_its_release_keep_the_contract() -> anyhow::Result<()> {
    let items = json!([{ "product_id": "lamp", "quantity": 2 }]);
    let reserve = json!({ "order_id": ORDER, "items": items });
    let reserve = Ask::new("inventory.commands", "ReserveInventory", ORDER, reserve);
    let release = json!({ "order_id": ORDER, "reason": "no longer wanted" });
    let stock = json!({ "receipt_id": "r-1", "product_id": "lamp", "quantity": 3 });
    let warehouse = Warehouse { hold: TimeDelta::minutes(15) };
    let trial = Trial::of(warehouse, &Catalog::embedded()?, "inventory.events", reserve)
        .undone_by(Ask::new("inventory.commands", "ReleaseInventory", ORDER, release))
        .before(Ask::new("inventory.commands", "ReceiveStock", "lamp", stock));
    keeps_the_contract(&trial);
    Ok(())
}
