//! A failure at each step: refused, or silent past the timeout. What came before is undone in reverse, and nothing else.

use anyhow::Result;
use serde_json::json;
use uuid::Uuid;

use crate::definitions::Timeouts;
use crate::orders::{DEFINITION, Saga, Wish};
use crate::sums::Sums;
use crate::system::{System, system, system_with};
use crate::wire::Wire;

/// Places an order for 2 of 5 pieces and tells how it ended, once stock and order are as they were.
fn undone(system: &System, change: impl FnOnce(Wish) -> Wish) -> Result<(Saga, Sums)> {
    let product = system.product_with(5)?;
    let before = system.sums()?;
    let order = system.place(&change(Wish::of(&product).pieces(2)))?;
    let saga = system.end_of(order)?;
    check_undone(system, order, &saga, &product)?;
    Ok((saga, system.sums()? - before))
}

fn check_undone(system: &System, order: Uuid, saga: &Saga, product: &str) -> Result<()> {
    assert_eq!(saga.status(), "rolled_back", "{:#?}", saga.journal());
    system.until_order_is(order, "cancelled")?;
    assert_eq!(system.in_stock(product)?, 5);
    Ok(())
}

#[test]
fn an_order_that_nothing_speaks_against_is_shipped() -> Result<()> {
    let system = system()?;
    let product = system.product_with(5)?;
    let before = system.sums()?;
    let order = system.place(&Wish::of(&product).pieces(2))?;
    let saga = system.end_of(order)?;
    assert_eq!(saga.status(), "completed", "{:#?}", saga.journal());
    system.until_order_is(order, "shipped")?;
    assert_eq!(system.in_stock(&product)?, 3);
    let seen = system.sums()? - before;
    assert_eq!(seen, Sums { charges: 1, charged: 5_000, shipped: 1, ..Sums::NOTHING });
    Ok(())
}

#[test]
fn an_order_of_more_than_there_is_is_cancelled_and_never_charged() -> Result<()> {
    let (saga, seen) = undone(system()?, |wish| wish.pieces(6))?;
    assert_eq!(saga.compensated(), ["start"]);
    assert_eq!(seen, Sums::NOTHING);
    Ok(())
}

#[test]
fn a_declined_payment_gives_the_stock_back() -> Result<()> {
    // 2 × 1250.50 ends in 00; a single piece of 25.01 is declined.
    let (saga, seen) = undone(system()?, |wish| wish.pieces(1).priced(2_501))?;
    assert_eq!(saga.compensated(), ["reserve-inventory", "start"]);
    assert_eq!(seen, Sums::NOTHING);
    Ok(())
}

#[test]
fn an_order_that_nobody_placed_is_refunded_instead_of_confirmed() -> Result<()> {
    let system = system()?;
    let product = system.product_with(5)?;
    let before = system.sums()?;
    let order = Uuid::new_v4();
    let mut data = Wish::of(&product).pieces(2).command(order);
    data["total_amount"] = json!(5_000);
    let start = json!({ "definition": DEFINITION, "key": order, "data": data.to_string() });
    Wire::open(system)?.command("saga.commands", "StartSaga", order, &start)?;
    let saga = system.end_of(order)?;
    assert_eq!(saga.status(), "rolled_back", "{:#?}", saga.journal());
    // Nothing was placed, so nothing is cancelled: it began with a command, not with an event.
    assert_eq!(saga.compensated(), ["process-payment", "reserve-inventory"]);
    assert_eq!(saga.count("StepRefused"), 1, "{:#?}", saga.journal());
    assert_eq!(system.in_stock(&product)?, 5);
    let seen = system.sums()? - before;
    assert_eq!(seen, Sums { charges: 1, charged: 5_000, refunds: 1, refunded: 5_000, ..Sums::NOTHING });
    Ok(())
}

#[test]
fn an_order_called_off_while_it_is_being_paid_for_gets_its_money_back() -> Result<()> {
    let system = system()?;
    let product = system.product_with(5)?;
    let before = system.sums()?;
    system.stop("payment")?;
    let order = system.place(&Wish::of(&product).pieces(2))?;
    system.until_journaled(order, "StepRequested process-payment")?;
    let regret = json!({ "order_id": order, "reason": "regret" });
    Wire::open(system)?.command("orders.commands", "CancelOrder", order, &regret)?;
    // The inventory hears of it and gives the stock back by itself, which takes that step back.
    system.until_journaled(order, "StepUndone reserve-inventory")?;
    system.start("payment")?;
    let saga = system.end_of(order)?;
    check_undone(system, order, &saga, &product)?;
    assert_eq!(saga.compensated(), ["process-payment", "start"]);
    let seen = system.sums()? - before;
    assert_eq!((seen.charged, seen.shipped), (seen.refunded, 0));
    Ok(())
}

#[test]
fn a_refused_parcel_is_refunded_released_and_cancelled_in_that_order() -> Result<()> {
    let (saga, seen) = undone(system()?, |wish| wish.sent_to("00001"))?;
    assert_eq!(saga.compensated(), ["process-payment", "reserve-inventory", "start"]);
    assert_eq!(seen, Sums { charges: 1, charged: 5_000, refunds: 1, refunded: 5_000, ..Sums::NOTHING });
    Ok(())
}

/// The service that a step asks is down until its compensation is asked for.
fn silent(service: &str, step: &str) -> Result<(Saga, Sums)> {
    let system = system_with(Timeouts::Short)?;
    let product = system.product_with(5)?;
    let before = system.sums()?;
    system.stop(service)?;
    let order = system.place(&Wish::of(&product).pieces(2))?;
    system.until_journaled(order, &format!("CompensationRequested {step}"))?;
    system.start(service)?;
    let saga = system.end_of(order)?;
    check_undone(system, order, &saga, &product)?;
    Ok((saga, system.sums()? - before))
}

#[test]
fn a_reservation_that_stays_silent_is_released_too() -> Result<()> {
    let (saga, seen) = silent("inventory", "reserve-inventory")?;
    assert_eq!(saga.compensated(), ["reserve-inventory", "start"]);
    assert_eq!(seen, Sums::NOTHING);
    Ok(())
}

#[test]
fn a_payment_that_stays_silent_is_refunded_too() -> Result<()> {
    let (saga, seen) = silent("payment", "process-payment")?;
    assert_eq!(saga.compensated(), ["process-payment", "reserve-inventory", "start"]);
    assert_eq!(seen.charged, seen.refunded, "{seen:?}");
    assert_eq!(seen.shipped, 0);
    Ok(())
}

#[test]
fn a_parcel_that_stays_silent_is_cancelled_too() -> Result<()> {
    let (saga, seen) = silent("shipping", "ship-order")?;
    assert_eq!(saga.compensated(), ["ship-order", "process-payment", "reserve-inventory", "start"]);
    assert_eq!((seen.charged, seen.refunded), (5_000, 5_000));
    assert_eq!(seen.shipped, seen.cancelled, "{seen:?}");
    Ok(())
}
