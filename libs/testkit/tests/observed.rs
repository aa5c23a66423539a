//! What is only observed: in whatever order its events come, each saga ends as the flow has ended, and nobody is asked for
//! anything.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by falling")]

use std::path::Path;
use std::time::Duration;

use backstitch_saga::{
    By, Definition, Event, Fact, Input, Reply, Seen, Start, StartedBy, State, StepBuilder, Timestamp, Trigger, decide,
    evolve, expected_event as event, react,
};
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

const ORDER: &str = "6f1a4d1e-51b2-4a58-9d1f-0c2f6f3c9d10";
const AT_FIRST: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn in_yaml() -> Definition {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sagas/order-choreographed.yaml");
    backstitch_saga_yaml::load_file(&path).unwrap_or_else(|error| panic!("{error}"))
}

fn in_rust() -> Definition {
    let minutes = Duration::from_mins;
    let placed = Trigger::event("orders.events", "OrderPlaced", "event.order_id").undone_on("OrderCancelled");
    let reserve = StepBuilder::observe("reserve-inventory", "inventory.events").done_on("InventoryReserved");
    let reserve = reserve.refused_on("InventoryReservationFailed").undone_on("InventoryReleased").timeout(minutes(5));
    let pay = StepBuilder::observe("process-payment", "payments.events").done_on("PaymentProcessed");
    let pay = pay.refused_on(event("PaymentFailed").when("!event.retry_possible")).undone_on("PaymentRefunded");
    let confirm = StepBuilder::observe("confirm-order", "orders.events").done_on("OrderConfirmed").timeout(minutes(1));
    let ship = StepBuilder::observe("ship-order", "shipping.events").done_on("OrderShipped");
    let ship = ship.refused_on("ShipmentFailed").undone_on("ShipmentCancelled").timeout(minutes(2));
    let order = Definition::builder("order-choreographed", 1).observes("choreographed").starts_on(placed);
    let order = order.deadline(minutes(15)).step(reserve).step(pay.timeout(Duration::from_secs(100)));
    order.step(confirm).step(ship).build().unwrap()
}

/// An event of the flow, as the orchestrator reads it.
fn seen(event_type: &str) -> Input {
    let topic = match event_type {
        "InventoryReserved" | "InventoryReservationFailed" | "InventoryReleased" => "inventory.events",
        "PaymentProcessed" | "PaymentFailed" | "PaymentFailedForNow" | "PaymentRefunded" => "payments.events",
        "OrderShipped" | "ShipmentFailed" | "ShipmentCancelled" => "shipping.events",
        _ => "orders.events",
    };
    let event_id = Uuid::new_v5(&Uuid::NAMESPACE_OID, event_type.as_bytes());
    let retry_possible = event_type == "PaymentFailedForNow";
    let event_type = event_type.trim_end_matches("ForNow");
    let data = json!({ "order_id": ORDER, "reason": "no", "retry_possible": retry_possible });
    let started_by = StartedBy { topic: topic.to_owned(), event_type: event_type.to_owned() };
    let start = Start {
        key: ORDER.to_owned(),
        data: data.clone().into(),
        started_by: Some(started_by),
        event_id,
        correlation_id: Uuid::from_u128(1),
        user_id: None,
        parent: None,
    };
    let event = Reply {
        topic: topic.to_owned(),
        event_type: event_type.to_owned(),
        event_version: 1,
        event_id,
        causation_id: Some(Uuid::from_u128(2)),
        answers_try: None,
        aggregate_id: ORDER.to_owned(),
        data,
    };
    Input::Seen(Seen { start, event })
}

/// A saga and its journal.
struct Observer {
    definition: Definition,
    state: State,
    journal: Vec<Event>,
    now: Timestamp,
}

impl Observer {
    fn new() -> Self {
        Self { definition: in_yaml(), state: State::NotStarted, journal: Vec::new(), now: AT_FIRST }
    }

    fn feed(&mut self, input: &Input) -> usize {
        let events = decide(&self.definition, &self.state, input, self.now);
        for event in &events {
            assert!(react(&self.definition, event).is_empty(), "nobody is asked for anything: {event:?}");
            self.state = evolve(std::mem::take(&mut self.state), event);
        }
        self.journal.extend(events.clone());
        events.len()
    }

    fn sees(mut self, events: &[&str]) -> Self {
        for event in events {
            self.feed(&seen(event));
        }
        self
    }

    fn time_passes(mut self, time: Duration) -> Self {
        self.now = self.now.plus(time);
        for due in self.state.due(self.now) {
            self.feed(&due);
        }
        self
    }

    fn kinds(&self) -> Vec<&str> {
        self.journal.iter().map(Event::kind).collect()
    }
}

const SHIPPED: &[&str] = &["OrderPlaced", "InventoryReserved", "PaymentProcessed", "OrderConfirmed", "OrderShipped"];
const OUT_OF_STOCK: &[&str] =
    &["OrderPlaced", "InventoryReservationFailed", "OrderCancelled", "PaymentRefunded", "ShipmentCancelled"];
const DECLINED: &[&str] = &[
    "OrderPlaced",
    "InventoryReserved",
    "PaymentFailedForNow",
    "PaymentFailed",
    "OrderCancelled",
    "InventoryReleased",
    "ShipmentCancelled",
];
const NO_CARRIER: &[&str] = &[
    "OrderPlaced",
    "InventoryReserved",
    "PaymentProcessed",
    "OrderConfirmed",
    "ShipmentFailed",
    "OrderCancelled",
    "InventoryReleased",
    "PaymentRefunded",
];
/// Everything was done, but too late.
const TOO_LATE: &[&str] = &[
    "OrderPlaced",
    "InventoryReserved",
    "PaymentProcessed",
    "OrderConfirmed",
    "OrderShipped",
    "OrderCancelled",
    "InventoryReleased",
    "PaymentRefunded",
    "ShipmentCancelled",
];

#[test]
fn the_observing_definition_in_yaml_and_in_rust_is_equal() {
    assert_eq!(in_yaml().to_canonical_json(), in_rust().to_canonical_json());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_observed_flow_ends_as_it_has_ended_in_whatever_order_its_events_come(
        shipped in Just(SHIPPED.to_vec()).prop_shuffle(),
        out_of_stock in Just(OUT_OF_STOCK.to_vec()).prop_shuffle(),
        declined in Just(DECLINED.to_vec()).prop_shuffle(),
        no_carrier in Just(NO_CARRIER.to_vec()).prop_shuffle(),
        too_late in Just(TOO_LATE.to_vec()).prop_shuffle(),
        repeated in any::<prop::sample::Index>(),
    ) {
        for (events, status) in [
            (shipped, "completed"),
            (out_of_stock, "rolled_back"),
            (declined, "rolled_back"),
            (no_carrier, "rolled_back"),
            (too_late, "rolled_back"),
        ] {
            let mut repeated_early = events.clone();
            repeated_early.insert(events.len() / 2, events[repeated.index(events.len() / 2)]);
            let mut observer = Observer::new().sees(&repeated_early);
            prop_assert_eq!(observer.state.status(), status, "{:?}: {:?}", &events, observer.kinds());
            for event in &events {
                prop_assert_eq!(observer.feed(&seen(event)), 0, "{} says nothing new", event);
            }
        }
    }
}

#[test]
fn the_journal_of_an_observed_flow_reads_like_that_of_a_saga() {
    let observer = Observer::new().sees(NO_CARRIER);
    let reads = [
        "SagaStarted",
        "WaitStarted",
        "StepSucceeded",
        "WaitStarted",
        "StepSucceeded",
        "WaitStarted",
        "StepSucceeded",
        "WaitStarted",
        "StepRefused",
        "RollbackStarted",
        "WaitStarted",
        "WaitStarted",
        "WaitStarted",
        "CompensationSucceeded",
        "CompensationSucceeded",
        "CompensationSucceeded",
        "SagaRolledBack",
    ];
    assert_eq!(observer.kinds(), reads);
    assert_eq!(observer.state.reason().as_deref(), Some("no"));
}

#[test]
fn a_silent_step_is_told_and_a_silent_flow_asks_for_a_person_until_it_is_heard_of_again() {
    let observer = Observer::new().sees(&["OrderPlaced", "InventoryReserved"]).time_passes(Duration::from_mins(2));
    assert_eq!(observer.kinds().last(), Some(&"StepTimedOut"));
    assert_eq!(observer.state.status(), "advancing");
    let observer = observer.time_passes(Duration::from_mins(14));
    assert_eq!((observer.state.status(), observer.state.reason().as_deref()), ("stuck", Some("the flow went silent")));
    let observer = observer.sees(&["PaymentProcessed"]);
    assert_eq!(observer.state.status(), "advancing");
    let observer = observer.time_passes(Duration::from_mins(1));
    assert_eq!(observer.state.status(), "stuck", "its deadline is behind it: the next silence asks for a person");
    assert_eq!(observer.sees(&["OrderConfirmed", "OrderShipped"]).state.status(), "completed");
}

#[test]
fn a_part_that_nobody_undoes_asks_for_a_person() {
    let observer = Observer::new().sees(&DECLINED[..6]).time_passes(Duration::from_mins(15));
    assert_eq!(observer.state.status(), "stuck");
    assert_eq!(observer.sees(&["ShipmentCancelled"]).state.status(), "rolled_back");
}

#[test]
fn an_observed_flow_is_not_steered_from_here_but_may_be_given_up() {
    let by = By::who("ann");
    let mut observer = Observer::new().sees(&["OrderPlaced"]);
    assert_eq!(observer.feed(&Input::Cancel { by: by.clone() }), 1);
    let refused = observer.journal.last().map(|event| &event.fact);
    assert!(matches!(refused, Some(Fact::CancelRefused { .. })), "{refused:?}");
    assert_eq!(observer.feed(&Input::Pause { by: by.clone() }), 0);
    let mut observer = observer.time_passes(Duration::from_mins(15));
    assert_eq!(observer.state.status(), "stuck");
    assert_eq!(observer.feed(&Input::Retry { by: by.clone() }), 0);
    assert_eq!(observer.feed(&Input::Abandon { by }), 1);
    assert_eq!(observer.state.status(), "abandoned");
    assert_eq!(observer.sees(SHIPPED).state.status(), "abandoned");
}

#[test]
fn what_observes_says_nothing_that_drives_and_what_drives_says_nothing_that_observes() {
    let of = |text: &str| format!("{:?}", backstitch_saga_yaml::parse("a.yaml", text).unwrap_err());
    let head = "saga: a\nversion: 1\nstarts_on: { topic: a.events, event: Begun, key: event.id";
    let ask = "\nsteps: [{ name: b, ask: b.commands, to: Do, done_on: Done, on_rollback: nothing }]";
    let observe = "\nsteps: [{ name: b, observe: b.events, done_on: Done }]";
    let wrong = [
        (format!("{head} }}\nobserves: c{ask}"), "this definition only observes"),
        (format!("{head} }}{observe}"), "only a definition that `observes` a flow has such steps"),
        (format!("{head}, undone_on: Ended }}{ask}"), "only a definition that `observes` may say this"),
        (format!("{head}, when: event.x }}\nobserves: c{observe}"), "which events are observed"),
        (format!("{head} }}\nobserves: ''{observe}"), "which flow is observed?"),
    ];
    for (text, why) in wrong {
        let told = of(&text);
        assert!(told.contains(why), "{told}");
    }
}
