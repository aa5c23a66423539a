//! Messages again, late, and backwards: everything that was ever said about an order is said once more.

use anyhow::Result;
use backstitch_messaging::{Delivery, Record};
use uuid::Uuid;

use crate::orders::{Saga, Wish};
use crate::system::{System, system};
use crate::wire::Wire;

const TOPICS: [&str; 9] = [
    "orders.commands",
    "orders.events",
    "inventory.commands",
    "inventory.events",
    "payments.commands",
    "payments.events",
    "shipping.commands",
    "shipping.events",
    "saga.inputs",
];

/// All that the topics hold about these orders, newest first, to the partitions it came from.
fn said_about(wire: &Wire, orders: &[Uuid]) -> Result<Vec<Record>> {
    let keys: Vec<String> = orders.iter().map(ToString::to_string).collect();
    let about = |delivery: &Delivery| keys.iter().any(|key| delivery.key.as_deref() == Some(key.as_bytes()));
    let again = |delivery: Delivery| Record {
        topic: delivery.topic().to_owned(),
        partition: Some(delivery.source.partition),
        key: delivery.key,
        value: delivery.value,
        headers: delivery.headers,
    };
    let mut records: Vec<Record> = wire.everything_on(&TOPICS)?.into_iter().filter(about).map(again).collect();
    records.reverse();
    Ok(records)
}

/// Orders behind everything that was published so far, in every lane of every service.
fn until_all_is_read(system: &System) -> Result<()> {
    let product = system.product_with(24)?;
    let orders = system.place_all(&vec![Wish::of(&product); 24])?;
    for saga in system.ends_of(&orders)? {
        assert_eq!(saga.status(), "completed", "{:#?}", saga.journal());
    }
    Ok(())
}

#[test]
fn whatever_was_said_about_ended_sagas_may_be_said_again_backwards_and_changes_nothing() -> Result<()> {
    let system = system()?;
    let wire = Wire::open(system)?;
    let product = system.product_with(10)?;
    let wish = Wish::of(&product);
    let wishes =
        [wish.clone(), wish.clone().sent_to("00001"), wish.clone().priced(1_001), wish.clone().pieces(99), wish];
    let orders = system.place_all(&wishes)?;
    let journals: Vec<_> = system.ends_of(&orders)?.iter().map(Saga::journal).collect();
    let (sums, stock) = (system.sums()?, system.in_stock(&product)?);
    assert_eq!(stock, 8);

    let records = said_about(&wire, &orders)?;
    assert!(records.len() > orders.len() * 4, "only {} messages", records.len());
    wire.publish(records.clone())?;
    wire.publish(records)?;
    let before = system.sums()?;
    assert_eq!(before, sums);
    until_all_is_read(system)?;

    let meanwhile = system.sums()? - before;
    assert_eq!((meanwhile.charges, meanwhile.refunds, meanwhile.shipped, meanwhile.cancelled), (24, 0, 24, 0));
    assert_eq!(system.in_stock(&product)?, stock);
    for (order, journal) in orders.iter().zip(journals) {
        assert_eq!(system.end_of(*order)?.journal(), journal);
        for topic in TOPICS {
            assert!(wire.dead_letters(topic, &order.to_string())?.is_empty(), "{topic} has a dead letter of {order}");
        }
    }
    Ok(())
}

#[test]
fn sagas_under_way_end_once_though_everything_is_said_again_backwards_all_the_time() -> Result<()> {
    let system = system()?;
    let wire = Wire::open(system)?;
    let product = system.product_with(40)?;
    let before = system.sums()?;
    let orders = system.place_all(&vec![Wish::of(&product); 40])?;
    system.until("all sagas have ended", || {
        wire.publish(said_about(&wire, &orders)?)?;
        let ended = |order: &Uuid| Ok(system.saga_of(*order)?.is_some_and(|saga| saga.is_at_rest()));
        Ok(orders.iter().map(ended).collect::<Result<Vec<_>>>()?.into_iter().all(|ended| ended))
    })?;
    for saga in system.ends_of(&orders)? {
        assert_eq!(saga.status(), "completed", "{:#?}", saga.journal());
    }
    let seen = system.sums()? - before;
    assert_eq!((seen.charges, seen.refunds, seen.shipped, seen.cancelled), (40, 0, 40, 0));
    assert_eq!(system.in_stock(&product)?, 0);
    Ok(())
}
