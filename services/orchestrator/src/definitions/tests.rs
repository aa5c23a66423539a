//! Which definition a name and a hash stand for.

use super::Definitions;
use crate::samples::{CHARGES, ORDERS, definition, order_fulfilment, quick_charge};

fn next_charge() -> backstitch_saga::Definition {
    let text = serde_json::to_string(&quick_charge().spec()).unwrap();
    definition(&text.replace("\"version\":1", "\"version\":2"))
}

#[test]
fn the_newest_version_starts_sagas_in_whatever_order_they_were_deployed() {
    for deployed in [vec![quick_charge(), next_charge()], vec![next_charge(), quick_charge()]] {
        let definitions = Definitions::of(deployed);
        assert_eq!(definitions.deployed(CHARGES).unwrap().version(), 2);
        assert_eq!(definitions.all_deployed().count(), 1);
    }
}

#[test]
fn older_versions_stay_for_the_sagas_that_run_on_them() {
    let definitions = Definitions::of(vec![quick_charge(), next_charge()]);
    assert_eq!(definitions.all().len(), 2);
    assert_eq!(definitions.get(quick_charge().hash()).unwrap().version(), 1);
    assert_eq!(definitions.get("another"), None);
    assert_eq!(definitions.deployed("another"), None);
}

#[test]
fn versions_of_a_definition_share_their_sagas() {
    let of_name = Definitions::saga_id(CHARGES, "42");
    assert_eq!(of_name, quick_charge().saga_id("42").as_uuid());
    assert_eq!(of_name, next_charge().saga_id("42").as_uuid());
    assert_ne!(of_name, Definitions::saga_id(ORDERS, "42"));
}

#[test]
fn topics_are_those_of_all_definitions() {
    let definitions = Definitions::of(vec![quick_charge(), order_fulfilment()]);
    let read: Vec<_> = definitions.event_topics().into_iter().collect();
    assert_eq!(read, ["inventory.events", "orders.events", "payments.events", "shipping.events"]);
    let written: Vec<_> = definitions.written_topics().into_iter().collect();
    assert_eq!(written, ["inventory.commands", "orders.commands", "payments.commands", "shipping.commands"]);
}
