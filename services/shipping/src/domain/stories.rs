//! The rules of shipments, told as what was given, what was asked, and what came of it.

use backstitch_contracts::inventory::Item;
use backstitch_contracts::shipping::{CancelShipment, OrderShipped, ShipOrder, ShipmentFailed};
use backstitch_domain::{Address, AddressParts, OrderId, ProductId, Quantity};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn order_id() -> OrderId {
    "6f1a4d1e-51b2-4a58-9d1f-0c2f6f3c9d10".parse().unwrap()
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
}

fn address() -> Address {
    let parts = AddressParts {
        line1: "1 Main St".into(),
        city: "Springfield".into(),
        postal_code: "12345".into(),
        country: "US".into(),
        ..AddressParts::default()
    };
    Address::new(parts).unwrap()
}

fn ship_order() -> ShipOrder {
    let item = Item { product_id: ProductId::new("lamp").unwrap(), quantity: Quantity::new(2).unwrap() };
    ShipOrder { order_id: order_id(), shipping_address: Some(address()), items: vec![item] }
}

fn cancel_shipment() -> CancelShipment {
    CancelShipment { order_id: order_id(), reason: "rolled back".into() }
}

fn given(events: impl IntoIterator<Item = ShippingEvent>) -> Shipment {
    events.into_iter().fold(Shipment::default(), |mut shipment, event| {
        shipment.evolve(&event);
        shipment
    })
}

fn parcel() -> Parcel {
    match ship(&Shipment::None, &ship_order(), Uuid::from_u128(1), 1) {
        Sending::Ask(parcel) => parcel,
        Sending::Known(event) => panic!("{event:?}"),
    }
}

fn taken() -> ParcelOutcome {
    ParcelOutcome::Taken { tracking_number: "T1".into(), carrier: "Parcels".into(), shipped_at: at(0) }
}

fn shipped() -> Vec<ShippingEvent> {
    let requested = ShippingEvent::ParcelRequested(parcel());
    [requested].into_iter().chain(settle_parcel(&parcel(), &taken())).collect()
}

fn delivered() -> Vec<ShippingEvent> {
    let mut events = shipped();
    events.push(note_delivery(&given(shipped()), at(9)).unwrap());
    events
}

fn called_back() -> Vec<ShippingEvent> {
    let mut events = shipped();
    events.push(cancelled(&cancel_shipment()));
    events
}

fn failure(sending: Sending) -> String {
    match sending {
        Sending::Known(ShippingEvent::ShipmentFailed(ShipmentFailed { reason, .. })) => reason,
        other => panic!("{other:?}"),
    }
}

fn shipped_again(shipment: &Shipment) -> Sending {
    ship(shipment, &ship_order(), Uuid::from_u128(2), 1)
}

#[test]
fn a_parcel_is_asked_for_under_a_key_of_command_and_try() {
    assert_eq!(parcel().key, "00000000-0000-0000-0000-000000000001:1");
    assert_eq!(parcel().address, address());
}

#[test]
fn a_parcel_taken_is_an_order_shipped() {
    let Shipment::Shipped { shipped, key } = given(shipped()) else { panic!("not shipped") };
    let OrderShipped { tracking_number, carrier, shipped_at, .. } = shipped;
    assert_eq!((tracking_number.as_str(), carrier.as_str(), shipped_at), ("T1", "Parcels", at(0)));
    assert_eq!(key, parcel().key);
}

#[test]
fn a_parcel_refused_is_a_shipment_failed_and_nothing_is_sent() {
    let events = settle_parcel(&parcel(), &ParcelOutcome::Refused { reason: "no such street".into() });
    let requested = ShippingEvent::ParcelRequested(parcel());
    assert_eq!(events.last(), Some(&refused(order_id(), "no such street")));
    assert_eq!(given([requested].into_iter().chain(events)), Shipment::None);
}

#[test]
fn an_order_without_an_address_is_not_shipped() {
    let nowhere = ShipOrder { shipping_address: None, ..ship_order() };
    let sending = ship(&Shipment::None, &nowhere, Uuid::from_u128(1), 1);
    assert_eq!(failure(sending), "the order has no shipping address");
}

#[test]
fn an_order_of_nothing_is_not_shipped() {
    let nothing = ShipOrder { items: vec![], ..ship_order() };
    assert_eq!(failure(ship(&Shipment::None, &nothing, Uuid::from_u128(1), 1)), "there is nothing to ship");
}

#[test]
fn an_order_is_shipped_once_whoever_asks() {
    for events in [shipped(), delivered()] {
        let first = shipped()[1].clone();
        assert_eq!(shipped_again(&given(events)), Sending::Known(first));
    }
    let requested = given([ShippingEvent::ParcelRequested(parcel())]);
    assert_eq!(failure(shipped_again(&requested)), "the order is already being shipped");
}

#[test]
fn a_cancelled_shipment_is_not_sent_again() {
    assert_eq!(failure(shipped_again(&given(called_back()))), "the order's shipment was cancelled");
}

#[test]
fn what_is_on_its_way_is_called_back_under_its_key() {
    let cancelling = cancel(&given(shipped()), &cancel_shipment());
    assert_eq!(cancelling, Ok(Cancelling::Ask(CallBack { key: parcel().key, order_id: order_id() })));
}

#[test]
fn what_has_arrived_is_not_called_back() {
    let refusal = CancelShipmentRefusal::Delivered { order_id: order_id() };
    assert_eq!(cancel(&given(delivered()), &cancel_shipment()), Err(refusal));
}

#[test]
fn what_was_never_sent_or_called_back_before_is_cancelled_without_asking() {
    for events in [vec![], called_back()] {
        let known = Cancelling::Known(cancelled(&cancel_shipment()));
        assert_eq!(cancel(&given(events), &cancel_shipment()), Ok(known));
    }
}

#[test]
fn only_what_is_on_its_way_arrives() {
    assert!(note_delivery(&given(shipped()), at(9)).is_some());
    for events in [vec![], delivered(), called_back()] {
        assert_eq!(note_delivery(&given(events), at(9)), None);
    }
}

#[test]
fn the_carrier_is_asked_ever_less_often_and_at_least_once_a_day() {
    let first = TimeDelta::hours(1);
    assert_eq!(pause(first, 0), first);
    assert_eq!(pause(first, 2), TimeDelta::hours(4));
    for asked in [5, 31, u32::MAX] {
        assert_eq!(pause(first, asked), TimeDelta::days(1));
    }
}

proptest! {
    #[test]
    fn one_order_is_at_most_one_parcel_on_its_way(asks in prop::collection::vec((0_u8..5, 1_u128..4), 0..40)) {
        let mut shipment = Shipment::default();
        let mut in_flight: Option<Parcel> = None;
        let (mut taken_count, mut called_back) = (0, 0);
        for (ask, command) in asks {
            let events = match ask {
                0 => match ship(&shipment, &ship_order(), Uuid::from_u128(command), 1) {
                    Sending::Ask(parcel) => {
                        prop_assert!(in_flight.is_none(), "two parcels in flight");
                        in_flight = Some(parcel.clone());
                        vec![ShippingEvent::ParcelRequested(parcel)]
                    }
                    Sending::Known(event) => vec![event],
                },
                1 => in_flight.take().map_or_else(Vec::new, |parcel| {
                    taken_count += 1;
                    settle_parcel(&parcel, &taken())
                }),
                2 => in_flight.take().map_or_else(Vec::new, |parcel| {
                    settle_parcel(&parcel, &ParcelOutcome::Refused { reason: "no".into() })
                }),
                3 => match cancel(&shipment, &cancel_shipment()) {
                    Ok(Cancelling::Ask(_)) => {
                        called_back += 1;
                        vec![cancelled(&cancel_shipment())]
                    }
                    Ok(Cancelling::Known(event)) => vec![event],
                    Err(_) => vec![],
                },
                _ => note_delivery(&shipment, at(9)).into_iter().collect(),
            };
            for event in &events {
                shipment.evolve(event);
            }
            prop_assert!(taken_count <= 1);
            prop_assert!(called_back <= taken_count);
        }
    }
}
