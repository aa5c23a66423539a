//! Money under bad conditions: charged once or not at all, whatever the gateway does and whatever overtakes what.

use anyhow::Result;

use crate::orders::{Saga, Wish};
use crate::sums::Sums;
use crate::system::system;

/// An order for one piece at this price, once it has ended; and what the gateway saw.
fn paid(unit_price: i64) -> Result<(Saga, Sums)> {
    let system = system()?;
    let product = system.product_with(1)?;
    let before = system.sums()?;
    let order = system.place(&Wish::of(&product).priced(unit_price))?;
    let saga = system.end_of(order)?;
    Ok((saga, system.sums()? - before))
}

#[test]
fn a_payment_declined_for_the_moment_is_asked_for_again_and_charged_once() -> Result<()> {
    let (saga, seen) = paid(2_502)?;
    assert_eq!(saga.status(), "completed", "{:#?}", saga.journal());
    assert_eq!(saga.count("RetryScheduled"), 1, "{:#?}", saga.journal());
    assert_eq!((seen.charges, seen.charged, seen.refunds), (1, 2_502, 0));
    Ok(())
}

#[test]
fn a_gateway_that_charges_and_hangs_up_charges_once() -> Result<()> {
    let (saga, seen) = paid(2_504)?;
    assert_eq!(saga.status(), "completed", "{:#?}", saga.journal());
    assert_eq!((seen.charges, seen.charged, seen.refunds), (1, 2_504, 0));
    Ok(())
}

#[test]
fn a_gateway_that_fails_twice_charges_once() -> Result<()> {
    let (saga, seen) = paid(2_505)?;
    assert_eq!(saga.status(), "completed", "{:#?}", saga.journal());
    assert_eq!((seen.charges, seen.charged, seen.refunds), (1, 2_505, 0));
    Ok(())
}

#[test]
fn a_refund_that_overtakes_its_charge_waits_for_the_charge_and_gives_the_money_back() -> Result<()> {
    let system = system()?;
    let product = system.product_with(1)?;
    let before = system.sums()?;
    // The gateway charges at once and answers twenty seconds later.
    let order = system.place(&Wish::of(&product).priced(2_503))?;
    system.until("the gateway has charged", || Ok((system.sums()? - before).charges == 1))?;
    system.cancel(order)?;
    let saga = system.end_of(order)?;
    assert_eq!(saga.status(), "rolled_back", "{:#?}", saga.journal());
    assert_eq!(saga.compensated(), ["process-payment", "reserve-inventory", "start"]);
    let seen = system.sums()? - before;
    assert_eq!(seen, Sums { charges: 1, charged: 2_503, refunds: 1, refunded: 2_503, ..Sums::NOTHING });
    assert_eq!(system.in_stock(&product)?, 1);
    Ok(())
}
