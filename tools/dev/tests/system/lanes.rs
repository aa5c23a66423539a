//! Inputs of one saga that arrive in other lanes: another partitioner, another partition, another partition count.

use anyhow::{Context, Result};
use backstitch_messaging::{Record, partition_for};
use backstitch_messaging_kafka::{KafkaSettings, TopicSpec, ensure_topics};
use backstitch_saga::{Direction, SagaId, command_id};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::definitions::Timeouts;
use crate::orders::{DEFINITION, Saga, Wish};
use crate::sums::Sums;
use crate::system::{System, system, system_with};
use crate::wire::{Wire, envelope};

#[test]
fn orders_placed_with_another_partitioner_find_their_home_lanes() -> Result<()> {
    let system = system()?;
    // librdkafka's own default, which is not Java's.
    let wire = Wire::open_with(system, &[("partitioner", "consistent_random")])?;
    let product = system.product_with(20)?;
    let orders: Vec<Uuid> = (0..20).map(|_| Uuid::new_v4()).collect();
    for order in &orders {
        wire.command("orders.commands", "PlaceOrder", *order, &Wish::of(&product).command(*order))?;
    }
    for saga in system.ends_of(&orders)? {
        assert_eq!(saga.status(), "completed", "{:#?}", saga.journal());
    }
    assert_eq!(system.in_stock(&product)?, 0);
    Ok(())
}

#[test]
fn an_answer_in_a_foreign_partition_reaches_its_saga() -> Result<()> {
    let system = system()?;
    let wire = Wire::open(system)?;
    let product = system.product_with(1)?;
    system.stop("payment")?;
    let order = system.place(&Wish::of(&product))?;
    system.until_journaled(order, "StepRequested process-payment")?;
    // Somebody else has taken the payment, and answers without a header of ours, in a partition that is not the key's.
    let saga = SagaId::derive(DEFINITION, &order.to_string());
    let command = command_id(saga, "process-payment", None, Direction::Forward);
    let data = json!({
        "order_id": order, "payment_id": Uuid::new_v4(), "amount": 2_500, "currency": "EUR", "payment_method": "cash",
    });
    let mut answer = envelope("PaymentProcessed", &order.to_string(), data);
    answer.causation_id = Some(command.as_uuid());
    let partitions = wire.partitions("payments.events")?;
    let home = partition_for(order.to_string().as_bytes(), partitions);
    let record = wire.record("payments.events", &order.to_string(), &answer)?;
    wire.publish(vec![Record { partition: Some((home + 1) % partitions), ..record }])?;
    let saga = system.end_of(order)?;
    assert_eq!(saga.status(), "completed", "{:#?}", saga.journal());
    system.start("payment")
}

const RETURNS: &str = "returns.events";

/// The envelope of another team's topic: our orders' envelope around their own event.
fn returns_schema(orders: &str) -> Result<String> {
    let mut schema: Value = serde_json::from_str(orders)?;
    schema["namespace"] = json!("warehouse.returns");
    let fields = schema["fields"].as_array_mut().context("the envelope has no fields")?;
    let data = fields.iter_mut().find(|field| field["name"] == "data").context("the envelope has no data")?;
    let order = json!({ "name": "order_id", "type": "string" });
    data["type"] = json!([{ "type": "record", "name": "ParcelReturned", "fields": [order] }]);
    Ok(schema.to_string())
}

fn make_returns(system: &'static System) -> Result<Wire> {
    let wire = Wire::open(system)?;
    let settings = KafkaSettings::plaintext(system.env("KAFKA_BOOTSTRAP")?);
    let topic =
        |name: &str, partitions| TopicSpec { name: name.to_owned(), partitions, replication: 1, config: [].into() };
    let topics = [topic(RETURNS, 7), topic(&format!("{RETURNS}.dlq"), 1)];
    system.block_on(ensure_topics(&settings, &topics))?;
    let (_, orders) = wire.schema_of("orders.events")?;
    wire.register(&format!("{RETURNS}-value"), &returns_schema(&orders)?)?;
    Ok(wire)
}

#[test]
fn a_topic_of_another_team_with_seven_partitions_starts_sagas_too() -> Result<()> {
    // The topic has to be there before an orchestrator that reads it.
    let wire = make_returns(system()?)?;
    let system = system_with(Timeouts::ShippedWithReturns)?;
    let product = system.product_with(14)?;
    let orders = system.place_all(&vec![Wish::of(&product); 14])?;
    system.ends_of(&orders)?;
    let before = system.sums()?;
    for (number, order) in orders.iter().enumerate() {
        let event = envelope("ParcelReturned", &order.to_string(), json!({ "order_id": order }));
        let record = wire.record(RETURNS, &order.to_string(), &event)?;
        wire.publish(vec![Record { partition: Some(i32::try_from(number % 7)?), ..record }])?;
    }
    for order in &orders {
        let id = SagaId::derive("parcel-return", &order.to_string());
        let saga = system.until_some("the return is dealt with", || {
            Ok(system
                .block_on(system.find("orchestrator", &format!("/sagas/{id}")))?
                .map(Saga)
                .filter(Saga::is_at_rest))
        })?;
        assert_eq!(saga.status(), "completed", "{:#?}", saga.journal());
    }
    let seen = system.sums()? - before;
    assert_eq!(seen, Sums { refunds: 14, refunded: 14 * 2_500, ..Sums::NOTHING });
    Ok(())
}
