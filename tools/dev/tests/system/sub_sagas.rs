//! Sagas that start a saga for each entry of a list, on the real servers: what they say to each other goes over Kafka,
//! between lanes, and outlives whoever says it.

use anyhow::Result;
use backstitch_saga::SagaId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::definitions::Timeouts;
use crate::orders::Saga;
use crate::sums::Sums;
use crate::system::{System, system_with};
use crate::wire::Wire;

/// A saga that charges for several orders, one sub-saga each, and then reserves so many pieces of a product.
fn start(system: &'static System, orders: &[Uuid], product: &str, pieces: usize) -> Result<Uuid> {
    let whole = Uuid::new_v4();
    let order = |order: &Uuid| json!({ "order_id": order, "amount": 2_500, "currency": "EUR", "customer_id": order });
    let orders: Vec<Value> = orders.iter().map(order).collect();
    let data = json!({ "orders": orders, "items": [{ "product_id": product, "quantity": pieces }] });
    let start = json!({ "definition": "collective-order", "key": whole, "data": data.to_string() });
    Wire::open(system)?.command("saga.commands", "StartSaga", whole, &start)?;
    Ok(whole)
}

fn end_of(system: &System, definition: &str, key: Uuid) -> Result<Saga> {
    let id = SagaId::derive(definition, &key.to_string());
    system.until_some(&format!("{definition} {key} has ended"), || {
        let found = system.block_on(system.find("orchestrator", &format!("/sagas/{id}")))?;
        Ok(found.map(Saga).filter(Saga::is_at_rest))
    })
}

fn some_orders(count: usize) -> Vec<Uuid> {
    (0..count).map(|_| Uuid::new_v4()).collect()
}

#[test]
fn a_saga_for_each_order_completes_and_so_does_the_one_that_started_them() -> Result<()> {
    let system = system_with(Timeouts::ShippedWithCollectiveOrders)?;
    let product = system.product_with(7)?;
    let before = system.sums()?;
    let orders = some_orders(7);
    let whole = start(system, &orders, &product, 7)?;
    let saga = end_of(system, "collective-order", whole)?;
    assert_eq!(saga.status(), "completed", "{:#?}", saga.journal());
    assert_eq!(saga.0["search"], json!({ "orders": "7" }));
    for order in orders {
        assert_eq!(end_of(system, "charge-for-order", order)?.status(), "completed");
    }
    assert_eq!(system.sums()? - before, Sums { charges: 7, charged: 7 * 2_500, ..Sums::NOTHING });
    let found =
        system.block_on(system.get("orchestrator", &format!("/sagas?key={whole}&where={{\"orders\":\"7\"}}")))?;
    assert_eq!(found["sagas"][0]["key"], json!(whole));
    Ok(())
}

#[test]
fn when_the_whole_is_refused_completed_sub_sagas_are_rolled_back_too() -> Result<()> {
    let system = system_with(Timeouts::ShippedWithCollectiveOrders)?;
    let product = system.product_with(1)?;
    let before = system.sums()?;
    let orders = some_orders(5);
    let whole = start(system, &orders, &product, 5)?;
    let saga = end_of(system, "collective-order", whole)?;
    assert_eq!(saga.status(), "rolled_back", "{:#?}", saga.journal());
    for order in orders {
        let child = end_of(system, "charge-for-order", order)?;
        assert_eq!(child.status(), "rolled_back", "{:#?}", child.journal());
        assert_eq!((child.count("SagaCompleted"), child.count("SagaRolledBack")), (1, 1), "{:#?}", child.journal());
    }
    let seen = system.sums()? - before;
    let expected = Sums { charges: 5, charged: 5 * 2_500, refunds: 5, refunded: 5 * 2_500, ..Sums::NOTHING };
    assert_eq!(seen, expected);
    assert_eq!(system.in_stock(&product)?, 1);
    Ok(())
}

#[test]
fn sagas_and_their_sub_sagas_end_well_though_the_orchestrator_is_killed() -> Result<()> {
    let system = system_with(Timeouts::ShippedWithCollectiveOrders)?;
    let product = system.product_with(1_000)?;
    let before = system.sums()?;
    // Every second one asks for more than there is, and is rolled back.
    let mut wholes = Vec::new();
    for number in 0..20 {
        let orders = some_orders(4);
        let pieces = if number % 2 == 0 { 4 } else { 2_000 };
        wholes.push((start(system, &orders, &product, pieces)?, orders, number % 2 == 0));
        if number == 7 || number == 14 {
            system.kill("orchestrator")?;
            system.start("orchestrator")?;
        }
    }
    for (whole, orders, completes) in wholes {
        let expected = if completes { "completed" } else { "rolled_back" };
        let saga = end_of(system, "collective-order", whole)?;
        assert_eq!(saga.status(), expected, "{:#?}", saga.journal());
        for order in orders {
            let child = end_of(system, "charge-for-order", order)?;
            assert_eq!(child.status(), expected, "{:#?}", child.journal());
        }
    }
    let seen = system.sums()? - before;
    let expected = Sums { charges: 80, charged: 80 * 2_500, refunds: 40, refunded: 40 * 2_500, ..Sums::NOTHING };
    assert_eq!(seen, expected);
    Ok(())
}
