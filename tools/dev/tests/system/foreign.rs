//! A producer that shares no code with us: Python, with Avro and Kafka libraries of its own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use backstitch_dev::artifacts::cache_dir;
use backstitch_dev::stack::workspace;
use backstitch_saga::SagaId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::orders::{DEFINITION, Wish};
use crate::system::{System, system};

const PACKAGES: [&str; 2] = ["fastavro==1.13.1", "confluent-kafka==2.16.1"];

/// The stranger's libraries, fetched once and kept with the other downloads.
fn libraries() -> Result<PathBuf> {
    let home = cache_dir()?.join("stranger-1");
    if home.join("complete").is_file() {
        return Ok(home);
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--upgrade", "--target"])
        .arg(&home);
    let fetched = pip.args(PACKAGES).status().context("there is no python3")?;
    ensure!(
        fetched.success(),
        "pip could not fetch {}; get pip with `apt-get install python3-pip`",
        PACKAGES.join(" and ")
    );
    fs::write(home.join("complete"), "")?;
    Ok(home)
}

fn stranger_sends(system: &System, topic: &str, kind: &str, key: &str, data: &Value) -> Result<()> {
    let output = Command::new("python3")
        .env("PYTHONPATH", libraries()?)
        .arg(workspace().join("tools/dev/tests/system/foreign.py"))
        .args([topic, kind, key])
        .arg(data.to_string())
        .env("KAFKA_BOOTSTRAP", system.env("KAFKA_BOOTSTRAP")?)
        .env("SCHEMA_REGISTRY_URL", system.env("SCHEMA_REGISTRY_URL")?)
        .output()?;
    ensure!(output.status.success(), "the stranger failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

#[test]
fn an_order_placed_by_a_python_program_starts_a_saga_and_is_shipped() -> Result<()> {
    let system = system()?;
    let product = system.product_with(1)?;
    let order = Uuid::new_v4();
    let command = Wish::of(&product).command(order);
    stranger_sends(system, "orders.commands", "PlaceOrder", &order.to_string(), &command)?;
    let saga = system.end_of(order)?;
    assert_eq!(saga.status(), "completed", "{:#?}", saga.journal());
    assert_eq!(system.in_stock(&product)?, 0);
    Ok(())
}

#[test]
fn a_saga_started_by_a_python_program_for_an_order_that_nobody_placed_is_rolled_back() -> Result<()> {
    let system = system()?;
    let product = system.product_with(1)?;
    let before = system.sums()?;
    let order = Uuid::new_v4();
    let mut data = Wish::of(&product).command(order);
    data["total_amount"] = json!(2_500);
    let start = json!({ "definition": DEFINITION, "key": order, "data": data.to_string() });
    stranger_sends(system, "saga.commands", "StartSaga", &order.to_string(), &start)?;
    let saga = system.end_of(order)?;
    assert_eq!(saga.0["id"], json!(SagaId::derive(DEFINITION, &order.to_string()).to_string()));
    assert_eq!(saga.status(), "rolled_back", "{:#?}", saga.journal());
    let seen = system.sums()? - before;
    assert_eq!(seen.charged, seen.refunded, "{seen:?}");
    assert_eq!(system.in_stock(&product)?, 1);
    Ok(())
}
