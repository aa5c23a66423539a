//! The rules of orders, told as what was given, what was asked, and what came of it.

use backstitch_contracts::inventory::InventoryReserved;
use backstitch_contracts::orders::{CancelOrder, ConfirmOrder, Flow, OrderCancelled, OrderConfirmed};
use backstitch_contracts::shipping::{OrderShipped, ShipmentCancelled, ShipmentDelivered};
use backstitch_domain::{Address, AddressParts, Currency, CustomerId, OrderId, PaymentId, ProductId, Quantity};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;

fn order_id() -> OrderId {
    "6f1a4d1e-51b2-4a58-9d1f-0c2f6f3c9d10".parse().unwrap()
}

fn payment(last: u8) -> PaymentId {
    format!("00000000-0000-0000-0000-0000000000{last:02}").parse().unwrap()
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
}

fn line(product: &str, quantity: i64, unit_price: i64) -> DraftLine {
    DraftLine { product_id: ProductId::new(product).unwrap(), quantity, unit_price }
}

fn address() -> Address {
    Address::new(AddressParts {
        line1: "1 Main St".into(),
        city: "Springfield".into(),
        postal_code: "12345".into(),
        country: "US".into(),
        ..AddressParts::default()
    })
    .unwrap()
}

fn draft(lines: Vec<DraftLine>) -> DraftOrder {
    DraftOrder {
        order_id: order_id(),
        customer_id: CustomerId::new(order_id().uuid()),
        lines,
        currency: Currency::EUR,
        shipping_address: Some(address()),
        flow: Flow::Orchestrated,
    }
}

fn good_draft() -> DraftOrder {
    draft(vec![line("lamp", 2, 1_050), line("bulb", 3, 199)])
}

fn given(events: impl IntoIterator<Item = OrderEvent>) -> Order {
    events.into_iter().fold(Order::default(), |mut order, event| {
        order.evolve(&event);
        order
    })
}

/// Both halves of placing an order.
fn place(order: &Order, draft: &DraftOrder) -> Result<OrderEvent, PlaceOrderRefusal> {
    super::place(order, &check(draft)?)
}

/// Cancelled by somebody who knows nothing about the shipment.
fn cancel(order: &Order, command: &CancelOrder, now: DateTime<Utc>) -> Result<Vec<OrderEvent>, CancelOrderRefusal> {
    super::cancel(order, command, ShipmentKnown::Nothing, now)
}

fn placed() -> OrderEvent {
    place(&Order::Draft, &good_draft()).unwrap()
}

fn reserved() -> OrderEvent {
    OrderEvent::ReservationNoted(ReservationNoted { reserved_until: at(900) })
}

fn confirmed() -> OrderEvent {
    OrderEvent::OrderConfirmed(OrderConfirmed { order_id: order_id(), payment_id: payment(1), confirmed_at: at(10) })
}

fn cancelled() -> OrderEvent {
    let reason = "changed my mind".to_owned();
    OrderEvent::OrderCancelled(OrderCancelled { order_id: order_id(), reason, cancelled_at: at(20) })
}

fn shipped_event() -> OrderShipped {
    OrderShipped { order_id: order_id(), tracking_number: "T1".into(), carrier: "Parcels".into(), shipped_at: at(30) }
}

fn shipped() -> OrderEvent {
    note_shipment(&given([placed(), reserved(), confirmed()]), &shipped_event()).unwrap()
}

fn delivered() -> OrderEvent {
    OrderEvent::DeliveryNoted(DeliveryNoted { delivered_at: at(40) })
}

fn confirm_order(reserved_until: Option<DateTime<Utc>>) -> ConfirmOrder {
    ConfirmOrder { order_id: order_id(), payment_id: payment(1), reserved_until }
}

fn cancel_order() -> CancelOrder {
    CancelOrder { order_id: order_id(), reason: "rolled back".into() }
}

#[test]
fn the_total_is_the_sum_of_price_times_quantity() {
    let order = given([placed()]);
    let placed = &order.placed().unwrap().placed;
    assert_eq!(placed.total_amount, 2 * 1_050 + 3 * 199);
    assert_eq!(placed.order_items[1].line_total, 597);
    assert_eq!(order.status(), "pending_inventory");
}

#[test]
fn an_order_of_nothing_is_refused() {
    assert_eq!(place(&Order::Draft, &draft(vec![])), Err(PlaceOrderRefusal::NoItems));
}

#[test]
fn a_quantity_of_none_is_refused() {
    let product_id = ProductId::new("lamp").unwrap();
    for quantity in [0, -1, i64::from(Quantity::UNITS_MAX) + 1] {
        let refusal = place(&Order::Draft, &draft(vec![line("lamp", quantity, 5)])).unwrap_err();
        assert_eq!(refusal, PlaceOrderRefusal::Quantity { product_id: product_id.clone(), quantity });
    }
}

#[test]
fn a_price_of_nothing_is_refused() {
    let product_id = ProductId::new("lamp").unwrap();
    for unit_price in [0, -5] {
        let refusal = place(&Order::Draft, &draft(vec![line("lamp", 1, unit_price)])).unwrap_err();
        assert_eq!(refusal, PlaceOrderRefusal::Price { product_id: product_id.clone(), unit_price });
    }
}

#[test]
fn an_order_without_an_address_is_refused() {
    let nowhere = DraftOrder { shipping_address: None, ..good_draft() };
    assert_eq!(place(&Order::Draft, &nowhere), Err(PlaceOrderRefusal::NoShippingAddress));
}

#[test]
fn a_total_that_cannot_be_counted_is_refused() {
    for lines in [vec![line("gold", 2, i64::MAX)], vec![line("gold", 1, i64::MAX), line("lamp", 1, 1)]] {
        assert_eq!(place(&Order::Draft, &draft(lines)), Err(PlaceOrderRefusal::Total));
    }
}

#[test]
fn each_rule_about_placing_has_its_own_code() {
    let product_id = ProductId::new("lamp").unwrap();
    let refusals = [
        PlaceOrderRefusal::NoItems,
        PlaceOrderRefusal::Quantity { product_id: product_id.clone(), quantity: 0 },
        PlaceOrderRefusal::Price { product_id, unit_price: 0 },
        PlaceOrderRefusal::NoShippingAddress,
        PlaceOrderRefusal::Total,
        PlaceOrderRefusal::NotChoreographed,
        PlaceOrderRefusal::AlreadyPlaced { order_id: order_id() },
        PlaceOrderRefusal::Cancelled { order_id: order_id() },
    ];
    let codes: std::collections::BTreeSet<_> = refusals.iter().map(PlaceOrderRefusal::code).collect();
    assert_eq!(codes.len(), refusals.len());
}

#[test]
fn the_same_order_placed_again_answers_the_same_and_another_under_its_id_is_refused() {
    let order = given([placed(), reserved()]);
    assert_eq!(place(&order, &good_draft()), Ok(placed()));
    let other = draft(vec![line("lamp", 1, 1)]);
    assert_eq!(place(&order, &other), Err(PlaceOrderRefusal::AlreadyPlaced { order_id: order_id() }));
}

#[test]
fn an_order_cancelled_before_it_was_placed_cannot_be_placed() {
    let order = given(cancel(&Order::Draft, &cancel_order(), at(0)).unwrap());
    assert_eq!(place(&order, &good_draft()), Err(PlaceOrderRefusal::Cancelled { order_id: order_id() }));
    assert_eq!(order.status(), "cancelled");
}

#[test]
fn a_reserved_order_is_confirmed_by_its_payment() {
    let order = given([placed(), reserved()]);
    assert_eq!(order.status(), "pending_payment");
    assert_eq!(confirm(&order, &confirm_order(None), at(10)), Ok(vec![confirmed()]));
}

#[test]
fn a_command_that_proves_the_reservation_moves_the_order_through_it() {
    let order = given([placed()]);
    let events = confirm(&order, &confirm_order(Some(at(900))), at(10)).unwrap();
    assert_eq!(events, vec![reserved(), confirmed()]);
}

#[test]
fn an_order_whose_reservation_nobody_proves_is_not_confirmed() {
    let refusal = confirm(&given([placed()]), &confirm_order(None), at(10)).unwrap_err();
    assert_eq!(refusal, ConfirmOrderRefusal::NotReserved { order_id: order_id() });
}

#[test]
fn an_order_whose_reservation_has_ended_is_not_confirmed() {
    let ended = ConfirmOrderRefusal::ReservationEnded { order_id: order_id(), reserved_until: at(900) };
    assert_eq!(confirm(&given([placed(), reserved()]), &confirm_order(None), at(900)), Err(ended.clone()));
    assert_eq!(confirm(&given([placed()]), &confirm_order(Some(at(900))), at(901)), Err(ended));
}

#[test]
fn an_order_that_does_not_exist_is_not_confirmed() {
    let refusal = confirm(&Order::Draft, &confirm_order(Some(at(900))), at(10)).unwrap_err();
    assert_eq!(refusal, ConfirmOrderRefusal::NotPlaced { order_id: order_id() });
}

#[test]
fn confirming_again_by_the_same_payment_answers_the_same_and_by_another_is_refused() {
    let order = given([placed(), reserved(), confirmed()]);
    assert_eq!(confirm(&order, &confirm_order(None), at(99)), Ok(vec![confirmed()]));
    let other = ConfirmOrder { payment_id: payment(2), ..confirm_order(None) };
    let refusal = ConfirmOrderRefusal::PaidOtherwise { order_id: order_id(), payment_id: payment(1) };
    assert_eq!(confirm(&order, &other, at(99)), Err(refusal));
}

#[test]
fn only_a_pending_order_is_confirmed() {
    let upto = [placed(), reserved(), confirmed(), shipped(), delivered()];
    for (events, status) in [(&upto[..4], "shipped"), (&upto[..5], "delivered")] {
        let refusal = confirm(&given(events.to_vec()), &confirm_order(Some(at(900))), at(10)).unwrap_err();
        assert_eq!(refusal, ConfirmOrderRefusal::NotPending { order_id: order_id(), status });
    }
    for events in [vec![placed(), cancelled()], vec![cancelled()]] {
        let refusal = confirm(&given(events), &confirm_order(Some(at(900))), at(10)).unwrap_err();
        assert_eq!(refusal, ConfirmOrderRefusal::NotPending { order_id: order_id(), status: "cancelled" });
    }
}

#[test]
fn an_order_is_cancelled_from_every_state_before_shipped() {
    let upto = [placed(), reserved(), confirmed()];
    for count in 0..=upto.len() {
        let mut order = given(upto[..count].to_vec());
        for event in cancel(&order, &cancel_order(), at(20)).unwrap() {
            order.evolve(&event);
        }
        assert_eq!(order.status(), "cancelled");
    }
}

#[test]
fn a_shipped_order_is_not_cancelled() {
    let order = given([placed(), reserved(), confirmed(), shipped()]);
    let refusal = CancelOrderRefusal::Shipped { order_id: order_id() };
    assert_eq!(cancel(&order, &cancel_order(), at(50)), Err(refusal));
}

#[test]
fn a_shipped_order_is_cancelled_by_a_saga_that_has_called_the_shipment_back() {
    let mut order = given([placed(), reserved(), confirmed(), shipped()]);
    for event in super::cancel(&order, &cancel_order(), ShipmentKnown::CalledBack, at(50)).unwrap() {
        order.evolve(&event);
    }
    assert_eq!((order.status(), &order.placed().unwrap().shipment), ("cancelled", &None));

    let arrived = given([placed(), reserved(), confirmed(), shipped(), delivered()]);
    let refusal = super::cancel(&arrived, &cancel_order(), ShipmentKnown::CalledBack, at(50));
    assert_eq!(refusal, Err(CancelOrderRefusal::Delivered { order_id: order_id() }));
}

#[test]
fn a_delivered_order_is_not_cancelled() {
    let order = given([placed(), reserved(), confirmed(), shipped(), delivered()]);
    let refusal = CancelOrderRefusal::Delivered { order_id: order_id() };
    assert_eq!(cancel(&order, &cancel_order(), at(50)), Err(refusal));
}

#[test]
fn cancelling_a_cancelled_order_answers_the_first_reason_and_time() {
    for events in [vec![placed(), cancelled()], vec![cancelled()]] {
        assert_eq!(cancel(&given(events), &cancel_order(), at(99)), Ok(vec![cancelled()]));
    }
}

#[test]
fn an_order_whose_shipment_was_called_back_can_be_cancelled() {
    let shipment_cancelled = ShipmentCancelled { order_id: order_id(), reason: "rolled back".into() };
    let mut order = given([placed(), reserved(), confirmed(), shipped()]);
    let event = note_shipment_cancelled(&order, &shipment_cancelled).unwrap();
    order.evolve(&event);
    assert_eq!((order.status(), &order.placed().unwrap().shipment), ("confirmed", &None));
    assert!(cancel(&order, &cancel_order(), at(50)).is_ok());
}

#[test]
fn only_a_confirmed_order_ships_and_only_a_shipped_one_arrives() {
    let upto = [placed(), reserved(), confirmed(), shipped(), delivered()];
    for count in 0..=upto.len() {
        let order = given(upto[..count].to_vec());
        assert_eq!(note_shipment(&order, &shipped_event()).is_some(), order.status() == "confirmed");
        let delivery = ShipmentDelivered { order_id: order_id(), delivered_at: at(40) };
        assert_eq!(note_delivery(&order, &delivery).is_some(), order.status() == "shipped");
    }
}

#[test]
fn a_reservation_is_noted_once() {
    let event = InventoryReserved { order_id: order_id(), items: vec![], reserved_until: at(900) };
    let order = given([placed()]);
    assert_eq!(note_reservation(&order, &event), Some(reserved()));
    assert_eq!(note_reservation(&given([placed(), reserved()]), &event), None);
    assert_eq!(note_reservation(&Order::Draft, &event), None);
}

fn any_event() -> impl Strategy<Value = OrderEvent> {
    prop::sample::select(vec![placed(), reserved(), confirmed(), cancelled(), shipped(), delivered()])
}

/// What may be asked of an order, at some time.
fn any_step(order: &Order, choice: u8, now: DateTime<Utc>) -> Vec<OrderEvent> {
    match choice {
        0 => place(order, &good_draft()).into_iter().collect(),
        1 => confirm(order, &confirm_order(Some(at(900))), now).unwrap_or_default(),
        2 => confirm(order, &confirm_order(None), now).unwrap_or_default(),
        3 => cancel(order, &cancel_order(), now).unwrap_or_default(),
        4 => {
            let event = InventoryReserved { order_id: order_id(), items: vec![], reserved_until: at(900) };
            note_reservation(order, &event).into_iter().collect()
        }
        5 => note_shipment(order, &shipped_event()).into_iter().collect(),
        _ => {
            let delivery = ShipmentDelivered { order_id: order_id(), delivered_at: at(40) };
            note_delivery(order, &delivery).into_iter().collect()
        }
    }
}

proptest! {
    #[test]
    fn any_history_folds(events in prop::collection::vec(any_event(), 0..12)) {
        let order = given(events);
        prop_assert!(!order.status().is_empty());
    }

    #[test]
    fn an_order_never_goes_backwards(choices in prop::collection::vec(0_u8..7, 0..20)) {
        let rank = |order: &Order| match order.status() {
            "draft" => 0,
            "pending_inventory" => 1,
            "pending_payment" => 2,
            "confirmed" => 3,
            "shipped" => 4,
            _ => 5,
        };
        let mut order = Order::default();
        for (second, choice) in choices.into_iter().enumerate() {
            let before = rank(&order);
            for event in any_step(&order, choice, at(0) + TimeDelta::seconds(i64::try_from(second).unwrap())) {
                order.evolve(&event);
            }
            prop_assert!(rank(&order) >= before);
        }
    }

    #[test]
    fn a_placed_total_is_exactly_the_sum_of_its_lines(lines in prop::collection::vec((1_i64..1_000_000, 1_i64..1_000_000), 1..20)) {
        let lines: Vec<_> = lines.into_iter().map(|(quantity, price)| line("lamp", quantity, price)).collect();
        let exact: i128 = lines.iter().map(|line| i128::from(line.quantity) * i128::from(line.unit_price)).sum();
        let OrderEvent::OrderPlaced(placed) = place(&Order::Draft, &draft(lines)).unwrap() else { panic!("not placed") };
        prop_assert_eq!(i128::from(placed.total_amount), exact);
        prop_assert!(placed.total_amount > 0);
    }
}
