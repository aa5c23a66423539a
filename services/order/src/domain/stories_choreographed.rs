//! The rules of orders that no saga drives, told as what was given, what was heard, and what came of it.

use backstitch_contracts::inventory::InventoryReserved;
use backstitch_contracts::orders::Flow;
use backstitch_domain::{Address, AddressParts, Currency, CustomerId, OrderId, PaymentId, ProductId};
use chrono::{DateTime, Utc};

use super::*;

fn order_id() -> OrderId {
    "6f1a4d1e-51b2-4a58-9d1f-0c2f6f3c9d10".parse().unwrap()
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
}

fn placed(flow: Flow) -> Order {
    let address = Address::new(AddressParts {
        line1: "1 Main St".into(),
        city: "Springfield".into(),
        postal_code: "12345".into(),
        country: "US".into(),
        ..AddressParts::default()
    });
    let line = DraftLine { product_id: ProductId::new("lamp").unwrap(), quantity: 1, unit_price: 100 };
    let draft = DraftOrder {
        order_id: order_id(),
        customer_id: CustomerId::new(order_id().uuid()),
        lines: vec![line],
        currency: Currency::EUR,
        shipping_address: Some(address.unwrap()),
        flow,
    };
    let mut order = Order::default();
    order.evolve(&OrderEvent::OrderPlaced(check(&draft).unwrap()));
    order
}

fn reserved() -> News {
    News::Reserved(InventoryReserved { order_id: order_id(), items: Vec::new(), reserved_until: at(900) })
}

fn paid() -> News {
    News::Paid(PaymentId::new(order_id().uuid()))
}

fn cannot_be(reason: &str) -> News {
    News::CannotBe { reason: reason.to_owned() }
}

/// Where the order stands after the news, and what was published for them.
fn after(order: Order, news: &[News], second: i64) -> (&'static str, Vec<String>) {
    let (mut order, mut told) = (order, Vec::new());
    for one in news {
        for event in follow(&order, one, at(second)) {
            order.evolve(&event);
            match event {
                OrderEvent::OrderConfirmed(_) => told.push("confirmed".to_owned()),
                OrderEvent::OrderCancelled(cancelled) => told.push(format!("cancelled: {}", cancelled.reason)),
                _ => {}
            }
        }
    }
    (order.status(), told)
}

fn told(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn an_order_is_confirmed_once_it_is_reserved_and_paid_whichever_is_heard_first() {
    for news in [[reserved(), paid(), paid()], [paid(), reserved(), paid()], [paid(), paid(), reserved()]] {
        assert_eq!(after(placed(Flow::Choreographed), &news, 10), ("confirmed", told(&["confirmed"])), "{news:?}");
    }
}

#[test]
fn whatever_cannot_be_calls_the_order_off_once() {
    let off = told(&["cancelled: no money"]);
    for before in [vec![], vec![reserved()], vec![paid()], vec![reserved(), paid()]] {
        let is_confirmed = before.len() == 2;
        let news: Vec<_> =
            before.into_iter().chain([cannot_be("no money"), cannot_be("again"), reserved(), paid()]).collect();
        let expected = if is_confirmed { told(&["confirmed", "cancelled: no money"]) } else { off.clone() };
        assert_eq!(after(placed(Flow::Choreographed), &news, 10), ("cancelled", expected));
    }
}

#[test]
fn a_payment_after_the_reservation_has_ended_calls_the_order_off() {
    let (status, told) = after(placed(Flow::Choreographed), &[reserved(), paid()], 901);
    assert_eq!((status, told.len()), ("cancelled", 1), "{told:?}");
}

#[test]
fn only_whoever_is_waited_for_can_be_silent() {
    let mut order = placed(Flow::Choreographed);
    assert_eq!(waits_for(&order), Some(Waiting::Inventory));
    assert_eq!(give_up(&order, Waiting::Payment, at(1)), []);
    follow(&order.clone(), &reserved(), at(1)).iter().for_each(|event| order.evolve(event));
    assert_eq!(give_up(&order, Waiting::Inventory, at(2)), [], "it has come meanwhile");
    let given_up = give_up(&order, Waiting::Payment, at(3));
    assert!(matches!(&given_up[..], [OrderEvent::OrderCancelled(off)] if off.reason == "payment was silent"));
}

#[test]
fn an_order_that_a_saga_drives_is_moved_by_no_news() {
    let order = placed(Flow::Orchestrated);
    assert_eq!(waits_for(&order), None);
    for news in [reserved(), paid(), cannot_be("no money")] {
        assert_eq!(follow(&order, &news, at(1)), []);
    }
}
