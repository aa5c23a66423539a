//! The order service keeps the contract of participants. Its sagas take back the event that started them, not a step; so
//! no compensation is tried here.

use backstitch_contracts::Catalog;
use backstitch_order::handlers::Orders;
use backstitch_participant::contract::{Ask, Trial, keeps_the_contract};
use serde_json::json;

const ORDER: &str = "6f1a4d1e-51b2-4a58-9d1f-0c2f6f3c9d10";

fn place() -> Ask {
    let address = json!({ "line1": "1 Main St", "city": "Springfield", "postal_code": "12345", "country": "US" });
    let items = json!([{ "product_id": "lamp", "quantity": 2, "unit_price": 1_050 }]);
    let order = json!({
        "order_id": ORDER, "customer_id": ORDER, "order_items": items, "currency": "EUR", "shipping_address": address,
    });
    Ask::new("orders.commands", "PlaceOrder", ORDER, order)
}

#[test]
fn placing_an_order_keeps_the_contract() -> anyhow::Result<()> {
    keeps_the_contract(&Trial::of(Orders::default(), &Catalog::embedded()?, "orders.events", place()));
    Ok(())
}

#[test]
fn confirming_an_order_keeps_the_contract() -> anyhow::Result<()> {
    let confirm = json!({ "order_id": ORDER, "payment_id": ORDER });
    let confirm = Ask::new("orders.commands", "ConfirmOrder", ORDER, confirm);
    let items = json!([{ "product_id": "lamp", "quantity": 2 }]);
    let reserved = json!({ "order_id": ORDER, "items": items, "reserved_until": "2027-02-01T08:00:00.000000Z" });
    let reserved = Ask::new("inventory.events", "InventoryReserved", ORDER, reserved);
    let trial =
        Trial::of(Orders::default(), &Catalog::embedded()?, "orders.events", confirm).before(place()).before(reserved);
    keeps_the_contract(&trial);
    Ok(())
}
