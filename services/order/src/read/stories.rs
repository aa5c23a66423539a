//! The read models, told as which events were given and what the rows say then.

use std::collections::BTreeMap;

use backstitch_contracts::customers::CustomerRegistered;
use backstitch_contracts::inventory::{InventoryReleased, InventoryReserved, Item, StockReceived};
use backstitch_contracts::orders::{
    Flow, OrderCancelled, OrderConfirmationRefused, OrderConfirmed, OrderLine as PlacedLine, OrderPlacedV3,
};
use backstitch_contracts::shipping::{OrderShipped, ShipmentCancelled, ShipmentDelivered};
use backstitch_contracts::{Envelope, Payload, STREAM_VERSION};
use backstitch_domain::{Currency, CustomerId, OrderId, PaymentId, ProductId, Quantity};
use backstitch_projection::{Event, Projection, Sums};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::customers::{CustomerRow, total_of};
use super::orders::{Fact, OrderRow, fold_all};
use super::sales::{SaleKey, SaleRow};
use super::stock::{ReservationRow, STOCK_COLUMNS, StockKey};
use super::{OrdersModel, SalesModel, StockModel};

const ORDER: OrderId = OrderId::new(Uuid::from_u128(1));
const CUSTOMER: CustomerId = CustomerId::new(Uuid::from_u128(2));
const PAYMENT: PaymentId = PaymentId::new(Uuid::from_u128(3));

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap() + TimeDelta::minutes(minute)
}

fn event<T: Payload>(minute: i64, version: Option<u64>, payload: &T) -> Event {
    written(T::TOPIC, T::EVENT_TYPE, T::EVENT_VERSION, minute, version, serde_json::to_value(payload).unwrap())
}

fn written(topic: &str, event_type: &str, event_version: i32, minute: i64, version: Option<u64>, data: Value) -> Event {
    let envelope = Envelope {
        event_id: Uuid::from_u128(u128::from(minute.unsigned_abs())),
        event_type: event_type.to_owned(),
        event_version,
        aggregate_id: ORDER.to_string(),
        aggregate_type: "Order".to_owned(),
        occurred_at: at(minute),
        correlation_id: ORDER.uuid(),
        causation_id: None,
        user_id: None,
        metadata: version.map(|version| (STREAM_VERSION.to_owned(), version.to_string())).into_iter().collect(),
        data,
    };
    Event { topic: topic.to_owned(), envelope: envelope.upcasted(at(0)) }
}

fn item(product: &str, units: i64) -> Item {
    Item { product_id: ProductId::new(product).unwrap(), quantity: Quantity::new(units).unwrap() }
}

fn placed() -> Event {
    let line = |product: &str, units: i64, unit_price: i64| PlacedLine {
        product_id: ProductId::new(product).unwrap(),
        quantity: Quantity::new(units).unwrap(),
        unit_price,
        line_total: units * unit_price,
    };
    event(
        0,
        Some(1),
        &OrderPlacedV3 {
            order_id: ORDER,
            customer_id: CUSTOMER,
            order_items: vec![line("lamp", 2, 1_050), line("bulb", 3, 200)],
            total_amount: 2_700,
            currency: Currency::EUR,
            shipping_address: None,
            flow: Flow::Orchestrated,
        },
    )
}

fn reserved() -> Event {
    let items = vec![item("lamp", 2), item("bulb", 3)];
    event(1, Some(1), &InventoryReserved { order_id: ORDER, items, reserved_until: at(30) })
}

fn released() -> Event {
    event(6, Some(2), &InventoryReleased { order_id: ORDER, items: vec![item("lamp", 2), item("bulb", 3)] })
}

fn confirmed() -> Event {
    event(2, Some(3), &OrderConfirmed { order_id: ORDER, payment_id: PAYMENT, confirmed_at: at(2) })
}

fn cancelled() -> Event {
    event(7, Some(5), &OrderCancelled { order_id: ORDER, reason: "called off".into(), cancelled_at: at(7) })
}

fn shipped() -> Event {
    let (tracking_number, carrier) = ("T-1".to_owned(), "carrier".to_owned());
    event(3, Some(2), &OrderShipped { order_id: ORDER, tracking_number, carrier, shipped_at: at(3) })
}

fn called_back() -> Event {
    event(5, Some(3), &ShipmentCancelled { order_id: ORDER, reason: "called back".into() })
}

fn delivered() -> Event {
    event(4, Some(3), &ShipmentDelivered { order_id: ORDER, delivered_at: at(4) })
}

fn received(receipt: &str, units: i64) -> Event {
    let item = item("lamp", units);
    let (product_id, quantity) = (item.product_id, item.quantity);
    event(0, Some(1), &StockReceived { receipt_id: receipt.to_owned(), product_id, quantity })
}

fn ada(minute: i64, email: &str) -> Event {
    let (name, email) = ("Ada".to_owned(), email.to_owned());
    event(minute, None, &CustomerRegistered { customer_id: CUSTOMER, name, email })
}

/// The order's row after these events, its customer being known as the events before it say.
fn row(events: impl IntoIterator<Item = Event>) -> OrderRow {
    let facts: Vec<Fact> = events.into_iter().filter_map(|event| OrdersModel.read(&event).unwrap()).collect();
    let mut customer = CustomerRow { customer_id: CUSTOMER.uuid(), name: None, email: None, known_at: None };
    for fact in &facts {
        if let Fact::Customer(news) = fact {
            customer.fold(news);
        }
    }
    let mut rows = BTreeMap::from([(ORDER, OrderRow::blank(ORDER.uuid()))]);
    fold_all(&mut rows, &facts, &BTreeMap::from([(CUSTOMER, customer)]));
    rows.remove(&ORDER).unwrap()
}

fn status(events: impl IntoIterator<Item = Event>) -> String {
    row(events).status
}

#[test]
fn an_order_shows_how_far_it_has_come() {
    assert_eq!(status([placed()]), "pending_inventory");
    assert_eq!(status([placed(), reserved()]), "pending_payment");
    assert_eq!(status([placed(), reserved(), confirmed()]), "confirmed");
    assert_eq!(status([placed(), reserved(), confirmed(), shipped()]), "shipped");
    assert_eq!(status([placed(), reserved(), confirmed(), shipped(), delivered()]), "delivered");
    assert_eq!(status([placed(), reserved(), confirmed(), shipped(), called_back()]), "confirmed");
    assert_eq!(status([placed(), cancelled()]), "cancelled");
}

#[test]
fn a_row_has_all_that_a_page_shows() {
    let row = row([ada(0, "ada@example.org"), placed(), reserved(), confirmed(), shipped()]);
    assert_eq!(
        json!(row),
        json!({
            "order_id": ORDER, "status": "shipped",
            "customer_id": CUSTOMER, "customer_name": "Ada", "customer_email": "ada@example.org",
            "items": [
                {"product_id": "lamp", "quantity": 2, "unit_price": 1_050, "line_total": 2_100},
                {"product_id": "bulb", "quantity": 3, "unit_price": 200, "line_total": 600},
            ],
            "total_amount": 2_700, "currency": "EUR", "shipping_address": null, "flow": "orchestrated",
            "payment_id": PAYMENT, "tracking_number": "T-1", "carrier": "carrier",
            "placed_at": at(0), "reserved_at": at(1), "confirmed_at": at(2), "shipped_at": at(3),
            "delivered_at": null, "cancelled_at": null, "reason": null,
            "version": 3, "shipment_version": 2, "last_updated": at(3),
        })
    );
}

#[test]
fn an_order_of_any_version_reads_as_the_newest() {
    let v1 = json!({
        "customer_id": CUSTOMER, "total_amount": 2_100,
        "items": [{"product_id": "lamp", "quantity": 2, "price": 1_050}],
    });
    let mut v2 = v1.clone();
    v2["currency"] = json!("EUR");
    for (version, data, currency) in [(1, v1, "USD"), (2, v2, "EUR")] {
        let row = row([written("orders.events", "OrderPlaced", version, 0, None, data)]);
        assert_eq!((row.currency.as_deref(), row.total_amount), (Some(currency), 2_100), "version {version}");
        assert_eq!((row.items[0].unit_price, row.items[0].line_total), (1_050, 2_100), "version {version}");
        assert_eq!((row.shipping_address, row.version), (None, 1), "version {version}");
    }
}

#[test]
fn a_shipment_that_is_told_of_again_after_it_was_called_back_stays_called_back() {
    let row = row([placed(), confirmed(), shipped(), called_back(), shipped()]);
    assert_eq!((row.status.as_str(), row.tracking_number), ("confirmed", None));
}

#[test]
fn an_order_that_only_others_speak_of_is_no_order_yet() {
    assert_eq!(status([shipped(), reserved()]), "shipped");
    assert_eq!(row([reserved()]).placed_at, None);
    assert_eq!(status([reserved()]), "draft");
}

#[test]
fn a_refused_confirmation_shows_in_the_version_alone() {
    let refused = event(2, Some(4), &OrderConfirmationRefused { order_id: ORDER, reason: "too late".into() });
    let row = row([placed(), refused]);
    assert_eq!((row.status.as_str(), row.version), ("pending_inventory", 4));
}

#[test]
fn old_news_of_a_customer_changes_nothing() {
    let named = |events: [Event; 3]| row(events).customer_email;
    assert_eq!(named([ada(1, "old"), ada(2, "new"), placed()]).as_deref(), Some("new"));
    assert_eq!(named([ada(2, "new"), ada(1, "old"), placed()]).as_deref(), Some("new"));
}

#[test]
fn a_customers_total_counts_what_was_not_cancelled() {
    assert_eq!(total_of(&row([reserved()])), None);
    assert_eq!(total_of(&row([placed()])).unwrap().1, [1, 0, 2_700]);
    assert_eq!(total_of(&row([placed(), cancelled()])).unwrap().1, [1, 1, 0]);
}

#[test]
fn data_against_the_rules_is_set_aside_with_the_reason() {
    let unfit = OrdersModel.read(&written("orders.events", "OrderConfirmed", 1, 0, None, json!({}))).unwrap_err();
    assert_eq!(unfit.reason, "invalid");
    assert!(unfit.detail.contains("order_id"), "{unfit}");
}

#[test]
fn an_event_that_says_nothing_here_is_passed_over() {
    let other = written("payments.events", "PaymentProcessed", 1, 0, None, json!({}));
    assert!(OrdersModel.read(&other).unwrap().is_none());
    assert!(StockModel.read(&other).unwrap().is_none());
    assert!(SalesModel.read(&other).unwrap().is_none());
}

/// What an order holds of the lamps: reserved and sold.
fn lamps_held(events: impl IntoIterator<Item = Event>) -> [i64; 2] {
    let mut row = ReservationRow::blank(ORDER.uuid());
    for event in events {
        if let Some(fact) = StockModel.read(&event).unwrap() {
            row.fold(&fact);
        }
    }
    let mut sums = Sums::new("stock", STOCK_COLUMNS);
    sums.add(row.counts());
    let changes = sums.changes();
    changes.get(&StockKey { product_id: "lamp".into() }).map_or([0, 0], |[_, reserved, sold]| [*reserved, *sold])
}

#[test]
fn stock_is_reserved_then_sold_or_given_back() {
    assert_eq!(lamps_held([reserved()]), [2, 0]);
    assert_eq!(lamps_held([reserved(), reserved()]), [2, 0], "a repeat counts once");
    assert_eq!(lamps_held([reserved(), confirmed()]), [0, 2]);
    assert_eq!(lamps_held([confirmed(), reserved()]), [0, 2], "whichever topic is read first");
    assert_eq!(lamps_held([reserved(), released()]), [0, 0]);
    assert_eq!(lamps_held([reserved(), confirmed(), released()]), [0, 0]);
    assert!(matches!(StockModel.read(&received("r-1", 5)).unwrap(), Some(super::stock::Fact::Received(_))));
}

/// Orders, units and amount of the lamps sold, by day.
fn lamps_sold(events: impl IntoIterator<Item = Event>) -> Vec<(String, [i64; 3])> {
    let mut row = SaleRow::blank(ORDER.uuid());
    for event in events {
        if let Some(fact) = SalesModel.read(&event).unwrap() {
            row.fold(&fact);
        }
    }
    let lamps = |(key, counts): (SaleKey, [i64; 3])| (key.product_id == "lamp").then(|| (key.day.to_string(), counts));
    row.counts().filter_map(lamps).collect()
}

#[test]
fn a_sale_counts_on_the_day_of_its_confirmation_until_it_is_cancelled() {
    let sold = vec![("2023-11-14".to_owned(), [1, 2, 2_100])];
    assert_eq!(lamps_sold([placed()]), []);
    assert_eq!(lamps_sold([placed(), confirmed()]), sold);
    assert_eq!(lamps_sold([confirmed(), placed()]), sold);
    assert_eq!(lamps_sold([placed(), placed(), confirmed(), confirmed()]), sold, "a repeat counts once");
    assert_eq!(lamps_sold([placed(), confirmed(), cancelled()]), []);
}

/// Topics of one order's history; the order within each is kept, that between them is any.
fn interleavings() -> impl Strategy<Value = Vec<Event>> {
    let topics =
        [vec![placed(), confirmed(), cancelled()], vec![reserved(), released()], vec![shipped(), called_back()]];
    let turns: Vec<usize> = topics.iter().enumerate().flat_map(|(topic, events)| vec![topic; events.len()]).collect();
    Just(turns).prop_shuffle().prop_map(move |turns| {
        let mut rest: Vec<_> = topics.iter().map(|events| events.clone().into_iter()).collect();
        turns.into_iter().filter_map(|topic| rest[topic].next()).collect()
    })
}

proptest! {
    #[test]
    fn a_row_is_the_same_in_whatever_order_the_topics_are_read(events in interleavings()) {
        let once = [placed(), reserved(), confirmed(), shipped(), called_back(), released(), cancelled()];
        prop_assert_eq!(row(events.clone()), row(once.clone()));
        prop_assert_eq!(lamps_held(events.clone()), lamps_held(once.clone()));
        prop_assert_eq!(lamps_sold(events), lamps_sold(once));
    }

    #[test]
    fn events_that_are_published_again_change_nothing(events in interleavings(), from in 0_usize..7) {
        let again = events.iter().chain(&events[from..]).cloned();
        prop_assert_eq!(row(again.clone()), row(events.clone()));
        prop_assert_eq!(lamps_held(again.clone()), lamps_held(events.clone()));
        prop_assert_eq!(lamps_sold(again), lamps_sold(events));
    }
}
