//! How long the engine takes per input, and how large a live saga is.
//!
//! Separate from the engine, which has no clock. `cargo run --release -p backstitch-testkit --example engine_speed`

use std::path::Path;
use std::time::Instant;

use backstitch_saga::{
    Direction, Event, Input, Reply, Start, StartedBy, State, Timestamp, command_id, decide, evolve, react,
};
use backstitch_testkit::Specimen;
use serde_json::Value;
use uuid::Uuid;

const SAGAS: u32 = 20_000;
const STEPS: [(&str, &str, &str); 4] = [
    ("reserve-inventory", "inventory.events", "InventoryReserved"),
    ("process-payment", "payments.events", "PaymentProcessed"),
    ("confirm-order", "orders.events", "OrderConfirmed"),
    ("ship-order", "shipping.events", "OrderShipped"),
];

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sagas");
    let specimen = Specimen::load(&folder, "order-fulfilment");
    let inputs: Vec<Vec<Input>> = (0..SAGAS).map(|number| happy_inputs(&specimen, number)).collect();
    let (mut events, mut effects, mut largest) = (0_usize, 0_usize, 0_usize);
    let begun = Instant::now();
    for saga in &inputs {
        let mut state = State::NotStarted;
        for input in saga {
            let decided: Vec<Event> = decide(specimen.definition(), &state, input, Timestamp::from_micros(0));
            for event in &decided {
                state = evolve(state, event);
                effects += react(specimen.definition(), event).len();
            }
            events += decided.len();
        }
        assert_eq!(state.status(), "completed");
    }
    let taken = begun.elapsed();
    for saga in inputs.iter().take(1) {
        let mut state = State::NotStarted;
        for input in saga {
            for event in decide(specimen.definition(), &state, input, Timestamp::from_micros(0)) {
                state = evolve(state, &event);
            }
            largest = largest.max(serde_json::to_vec(&state).map_or(0, |bytes| bytes.len()));
        }
    }
    let count: usize = inputs.iter().map(Vec::len).sum();
    let per_input = taken.as_nanos() / u128::try_from(count).unwrap_or(1);
    println!("{per_input} ns per input ({count} inputs, {events} journal entries, {effects} commands)");
    println!("{largest} bytes of JSON at most for a live saga, {} bytes of its state itself", size_of::<State>());
}

fn happy_inputs(specimen: &Specimen, number: u32) -> Vec<Input> {
    let key = format!("order-{number}");
    let saga = specimen.definition().saga_id(&key);
    let mut data = specimen.start_data().clone();
    data["order_id"] = Value::from(key.as_str());
    let start = Input::Start(Start {
        key: key.clone(),
        data,
        started_by: Some(StartedBy { topic: "orders.events".to_owned(), event_type: "OrderPlaced".to_owned() }),
        event_id: Uuid::from_u128(number.into()),
        correlation_id: Uuid::from_u128(number.into()),
        user_id: None,
        parent: None,
    });
    let reply = |(step, topic, event_type): &(&str, &str, &str)| {
        let command = command_id(saga, step, None, Direction::Forward);
        Input::Reply(Reply {
            topic: (*topic).to_owned(),
            event_type: (*event_type).to_owned(),
            event_version: 1,
            event_id: Uuid::new_v5(&command.as_uuid(), b"1/0"),
            causation_id: Some(command.as_uuid()),
            answers_try: Some(1),
            aggregate_id: key.clone(),
            data: serde_json::json!({
                "order_id": key, "payment_id": "pay-1", "reserved_until": "2027-01-15T08:00:00.000000Z",
            }),
        })
    };
    std::iter::once(start).chain(STEPS.iter().map(reply)).collect()
}
