//! The rules of stock, told as what was given, what was asked, and what came of it.

use backstitch_contracts::inventory::{InventoryReservationFailed, Item, ReceiveStock, ReserveInventory, Shortage};
use backstitch_domain::{OrderId, ProductId, Quantity};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use std::collections::BTreeMap;

use super::*;

fn order(last: u8) -> OrderId {
    format!("00000000-0000-0000-0000-0000000000{last:02}").parse().unwrap()
}

fn product(name: &str) -> ProductId {
    ProductId::new(name).unwrap()
}

fn item(name: &str, units: i64) -> Item {
    Item { product_id: product(name), quantity: Quantity::new(units).unwrap() }
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
}

/// A warehouse: the streams of all products and orders, decided on one after the other as a locked lane does.
#[derive(Debug, Default)]
struct Warehouse {
    stocks: Stocks,
    reservations: BTreeMap<OrderId, Reservation>,
    receipts: BTreeMap<String, Receipt>,
}

impl Warehouse {
    fn with(stock: &[(&str, i64)]) -> Self {
        let mut warehouse = Self::default();
        for (name, units) in stock {
            warehouse.receives(name, name, *units);
        }
        warehouse
    }

    fn receives(&mut self, receipt_id: &str, name: &str, units: i64) {
        let Item { product_id, quantity } = item(name, units);
        let command = ReceiveStock { receipt_id: receipt_id.to_owned(), product_id, quantity };
        let receipt = self.receipts.entry(receipt_id.to_owned()).or_default();
        let decision = receive(receipt, &command);
        receipt.evolve(&decision.event);
        self.moves(&decision.stock);
    }

    fn reserves(&mut self, order_id: OrderId, items: Vec<Item>) -> InventoryEvent {
        let command = ReserveInventory { order_id, items };
        let hold = TimeDelta::minutes(15);
        let reservation = self.reservation(order_id).clone();
        let decision = reserve(&reservation, &self.stocks, &command, at(0), hold);
        self.takes(order_id, decision)
    }

    fn releases(&mut self, order_id: OrderId) -> InventoryEvent {
        let decision = release(self.reservation(order_id), order_id);
        self.takes(order_id, decision)
    }

    fn expires(&mut self, order_id: OrderId, now: DateTime<Utc>) -> Option<InventoryEvent> {
        let decision = expire(self.reservation(order_id), now)?;
        Some(self.takes(order_id, decision))
    }

    fn confirms(&mut self, order_id: OrderId) -> Option<InventoryEvent> {
        let event = confirm(self.reservation(order_id))?;
        Some(self.takes(order_id, Decision::only(event)))
    }

    fn available(&self, name: &str) -> u64 {
        self.stocks[&product(name)].available()
    }

    fn reservation(&mut self, order_id: OrderId) -> &mut Reservation {
        self.reservations.entry(order_id).or_default()
    }

    fn takes(&mut self, order_id: OrderId, decision: Decision) -> InventoryEvent {
        self.reservation(order_id).evolve(&decision.event);
        self.moves(&decision.stock);
        decision.event
    }

    fn moves(&mut self, stock: &[(ProductId, InventoryEvent)]) {
        for (product, event) in stock {
            self.stocks.entry(product.clone()).or_default().evolve(event);
        }
    }
}

fn is_reserved(event: &InventoryEvent) -> bool {
    matches!(event, InventoryEvent::InventoryReserved(_))
}

fn released_items(event: InventoryEvent) -> Vec<Item> {
    match event {
        InventoryEvent::InventoryReleased(released) => released.items,
        other => panic!("{other:?}"),
    }
}

#[test]
fn several_products_are_reserved_together_for_a_time() {
    let mut warehouse = Warehouse::with(&[("lamp", 5), ("bulb", 9)]);
    let event = warehouse.reserves(order(1), vec![item("lamp", 2), item("bulb", 9)]);
    let InventoryEvent::InventoryReserved(reserved) = event else { panic!("{event:?}") };
    assert_eq!(reserved.items, vec![item("bulb", 9), item("lamp", 2)]);
    assert_eq!(reserved.reserved_until, at(15 * 60));
    assert_eq!((warehouse.available("lamp"), warehouse.available("bulb")), (3, 0));
}

#[test]
fn one_product_short_and_nothing_is_reserved() {
    let mut warehouse = Warehouse::with(&[("lamp", 5), ("bulb", 3)]);
    let event = warehouse.reserves(order(1), vec![item("lamp", 2), item("bulb", 5), item("gold", 1)]);
    let shortage = |name, asked, available| Shortage { product_id: product(name), asked, available };
    assert_eq!(
        event,
        InventoryEvent::InventoryReservationFailed(InventoryReservationFailed {
            order_id: order(1),
            items: vec![shortage("bulb", 5, 3), shortage("gold", 1, 0)],
            reason: "out of stock".into(),
        })
    );
    assert_eq!((warehouse.available("lamp"), warehouse.available("bulb")), (5, 3));
}

#[test]
fn the_same_product_on_two_lines_is_asked_for_once_in_total() {
    let mut warehouse = Warehouse::with(&[("lamp", 5)]);
    assert!(!is_reserved(&warehouse.reserves(order(1), vec![item("lamp", 3), item("lamp", 3)])));
    let event = warehouse.reserves(order(1), vec![item("lamp", 3), item("lamp", 2)]);
    let InventoryEvent::InventoryReserved(reserved) = event else { panic!("{event:?}") };
    assert_eq!(reserved.items, vec![item("lamp", 5)]);
    assert_eq!(warehouse.available("lamp"), 0);
}

#[test]
fn a_sum_of_lines_larger_than_any_quantity_is_a_shortage() {
    let most = i64::from(Quantity::UNITS_MAX);
    let mut warehouse = Warehouse::default();
    warehouse.receives("first", "lamp", most);
    warehouse.receives("second", "lamp", most);
    let event = warehouse.reserves(order(1), vec![item("lamp", most), item("lamp", 1)]);
    let InventoryEvent::InventoryReservationFailed(failed) = event else { panic!("{event:?}") };
    assert_eq!(failed.items[0].asked, most + 1);
}

#[test]
fn a_reservation_of_nothing_fails() {
    let event = Warehouse::default().reserves(order(1), vec![]);
    let InventoryEvent::InventoryReservationFailed(failed) = event else { panic!("{event:?}") };
    assert_eq!(failed.reason, "nothing to reserve");
}

#[test]
fn an_order_that_asks_again_has_its_claim_and_no_second_one() {
    let mut warehouse = Warehouse::with(&[("lamp", 5)]);
    let first = warehouse.reserves(order(1), vec![item("lamp", 2)]);
    assert_eq!(warehouse.reserves(order(1), vec![item("lamp", 2)]), first);
    assert!(!is_reserved(&warehouse.reserves(order(1), vec![item("lamp", 3)])));
    assert_eq!(warehouse.available("lamp"), 3);
}

#[test]
fn what_was_given_back_can_be_had_by_another_order() {
    let mut warehouse = Warehouse::with(&[("lamp", 5)]);
    warehouse.reserves(order(1), vec![item("lamp", 5)]);
    assert!(!is_reserved(&warehouse.reserves(order(2), vec![item("lamp", 1)])));
    assert_eq!(released_items(warehouse.releases(order(1))), vec![item("lamp", 5)]);
    assert!(is_reserved(&warehouse.reserves(order(2), vec![item("lamp", 1)])));
}

#[test]
fn nothing_is_given_back_twice() {
    let mut warehouse = Warehouse::with(&[("lamp", 5)]);
    warehouse.reserves(order(1), vec![item("lamp", 2)]);
    warehouse.releases(order(1));
    assert_eq!(released_items(warehouse.releases(order(1))), vec![]);
    assert_eq!(warehouse.available("lamp"), 5);
}

#[test]
fn an_order_that_has_no_claim_gives_back_nothing() {
    let mut warehouse = Warehouse::with(&[("lamp", 5)]);
    assert_eq!(released_items(warehouse.releases(order(1))), vec![]);
    assert_eq!(warehouse.available("lamp"), 5);
}

#[test]
fn a_claim_expires_at_its_time_and_not_before() {
    let mut warehouse = Warehouse::with(&[("lamp", 5)]);
    warehouse.reserves(order(1), vec![item("lamp", 2)]);
    assert_eq!(warehouse.expires(order(1), at(15 * 60 - 1)), None);
    let expired = warehouse.expires(order(1), at(15 * 60)).unwrap();
    assert_eq!(released_items(expired), vec![item("lamp", 2)]);
    assert_eq!(warehouse.expires(order(1), at(15 * 60)), None);
    assert_eq!(warehouse.available("lamp"), 5);
}

#[test]
fn the_claim_of_a_confirmed_order_does_not_expire() {
    let mut warehouse = Warehouse::with(&[("lamp", 5)]);
    warehouse.reserves(order(1), vec![item("lamp", 2)]);
    assert!(warehouse.confirms(order(1)).is_some());
    assert_eq!(warehouse.confirms(order(1)), None);
    assert_eq!(warehouse.expires(order(1), at(1_000_000)), None);
    assert_eq!(warehouse.available("lamp"), 3);
}

#[test]
fn asking_again_does_not_make_a_confirmed_claim_expire() {
    let mut warehouse = Warehouse::with(&[("lamp", 5)]);
    warehouse.reserves(order(1), vec![item("lamp", 2)]);
    warehouse.confirms(order(1));
    warehouse.reserves(order(1), vec![item("lamp", 2)]);
    assert_eq!(warehouse.expires(order(1), at(1_000_000)), None);
}

#[test]
fn the_claim_of_a_confirmed_order_is_given_back_when_the_order_is_cancelled() {
    let mut warehouse = Warehouse::with(&[("lamp", 5)]);
    warehouse.reserves(order(1), vec![item("lamp", 2)]);
    warehouse.confirms(order(1));
    assert_eq!(released_items(warehouse.releases(order(1))), vec![item("lamp", 2)]);
    assert_eq!(warehouse.available("lamp"), 5);
}

#[test]
fn an_expired_claim_cannot_be_confirmed() {
    let mut warehouse = Warehouse::with(&[("lamp", 5)]);
    warehouse.reserves(order(1), vec![item("lamp", 2)]);
    warehouse.expires(order(1), at(15 * 60));
    assert_eq!(warehouse.confirms(order(1)), None);
}

#[test]
fn a_delivery_is_counted_once() {
    let mut warehouse = Warehouse::with(&[]);
    warehouse.receives("r-1", "lamp", 5);
    warehouse.receives("r-1", "lamp", 5);
    warehouse.receives("r-2", "lamp", 2);
    assert_eq!(warehouse.available("lamp"), 7);
}

#[derive(Debug, Clone)]
enum Ask {
    Receive(u8, i64),
    Reserve(u8, Vec<(usize, i64)>),
    Release(u8),
    Expire(u8, i64),
    Confirm(u8),
}

fn any_ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        (0..40_u8, 1..20_i64).prop_map(|(receipt, units)| Ask::Receive(receipt, units)),
        (0..6_u8, prop::collection::vec((0..3_usize, 1..8_i64), 0..4))
            .prop_map(|(order, items)| Ask::Reserve(order, items)),
        (0..6_u8).prop_map(Ask::Release),
        (0..6_u8, 0..2_000_i64).prop_map(|(order, second)| Ask::Expire(order, second)),
        (0..6_u8).prop_map(Ask::Confirm),
    ]
}

proptest! {
    #[test]
    fn nothing_is_ever_oversold_and_every_unit_is_accounted_for(asks in prop::collection::vec(any_ask(), 0..80)) {
        const PRODUCTS: [&str; 3] = ["lamp", "bulb", "gold"];
        let mut warehouse = Warehouse::default();
        for ask in asks {
            match ask {
                Ask::Receive(receipt, units) => {
                    warehouse.receives(&format!("r-{receipt}"), PRODUCTS[usize::from(receipt) % 3], units);
                }
                Ask::Reserve(number, items) => {
                    let items = items.into_iter().map(|(product, units)| item(PRODUCTS[product], units)).collect();
                    warehouse.reserves(order(number), items);
                }
                Ask::Release(number) => { warehouse.releases(order(number)); }
                Ask::Expire(number, second) => { warehouse.expires(order(number), at(second)); }
                Ask::Confirm(number) => { warehouse.confirms(order(number)); }
            }
            for name in PRODUCTS {
                let stock = warehouse.stocks.get(&product(name)).copied().unwrap_or_default();
                let claims = warehouse.reservations.values().filter_map(Reservation::claim).flat_map(|claim| &claim.items);
                let claimed: u64 = claims.filter(|item| item.product_id.as_str() == name).map(|item| u64::from(item.quantity.units())).sum();
                prop_assert!(stock.claimed() <= stock.received(), "{name} is oversold");
                prop_assert_eq!(stock.claimed(), claimed);
            }
        }
    }
}
