//! The saga definitions that a test's orchestrator is given: those that ship, with shorter timeouts where a test would
//! otherwise wait for minutes.
//!
//! Made from the shipped file each time, so that no second copy of it can fall behind.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use backstitch_dev::stack::workspace;
use serde_json::{Value, json};

const SHIPPED: &str = "order-fulfilment.yaml";

/// How long an orchestrator waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timeouts {
    /// As it ships: minutes.
    Shipped,
    /// As it ships, and another team's definition beside it.
    ShippedWithReturns,
    /// As it ships, and beside it sagas that start one for each order.
    ShippedWithCollectiveOrders,
    /// As it ships, and two of the examples beside it.
    ShippedWithExamples,
    /// Answers are waited for three seconds.
    Short,
    /// Answers are waited for fifteen seconds, and the whole saga for thirty.
    Tight,
}

/// A folder with the definitions, to be named in the orchestrator's settings.
pub(crate) fn folder(timeouts: Timeouts, root: &Path) -> Result<PathBuf> {
    let (name, step, saga) = match timeouts {
        Timeouts::Shipped => return Ok(workspace().join("sagas")),
        Timeouts::ShippedWithReturns => {
            return beside_shipped(&root.join("sagas-with-returns"), &[("parcel-return.yaml", RETURNS)]);
        }
        Timeouts::ShippedWithCollectiveOrders => {
            let both = [("collective-order.yaml", COLLECTIVE_ORDER), ("charge-for-order.yaml", CHARGE_FOR_ORDER)];
            return beside_shipped(&root.join("sagas-with-collective-orders"), &both);
        }
        Timeouts::ShippedWithExamples => {
            let text = |name: &str| fs::read_to_string(workspace().join("sagas/examples").join(name));
            let (trips, transfers) = (text("travel-booking.yaml")?, text("money-transfer.yaml")?);
            let both = [("travel-booking.yaml", trips.as_str()), ("money-transfer.yaml", transfers.as_str())];
            return beside_shipped(&root.join("sagas-with-examples"), &both);
        }
        Timeouts::Short => ("sagas-short", "3s", "3m"),
        Timeouts::Tight => ("sagas-tight", "15s", "30s"),
    };
    let text = fs::read_to_string(workspace().join("sagas").join(SHIPPED))?;
    let mut definition: Value = serde_saphyr::from_str(&text).context("the shipped definition is no YAML")?;
    definition["deadline"] = json!(saga);
    let steps = definition["steps"].as_array_mut().context("the shipped definition has no steps")?;
    ensure!(!steps.is_empty(), "the shipped definition has no steps");
    for each in steps {
        each["timeout"] = json!(step);
    }
    // Another definition than the shipped one: running sagas stay on theirs.
    definition["version"] = json!(definition["version"].as_i64().unwrap_or(1) + 1);
    let folder = root.join(name);
    fs::create_dir_all(&folder)?;
    // JSON is YAML.
    fs::write(folder.join(SHIPPED), serde_json::to_string_pretty(&definition)?)?;
    Ok(folder)
}

/// What another team might write: a parcel that comes back is refunded.
const RETURNS: &str = "\
saga: parcel-return
version: 1
starts_on: { topic: returns.events, event: ParcelReturned, key: event.order_id, on_rollback: nothing }
deadline: 5m
steps:
  - name: refund
    ask: payments.commands
    to: RefundPayment
    with: { order_id: saga.data.order_id, reason: \"'returned'\" }
    done_on: PaymentRefunded
    on_rollback: nothing
    timeout: 60s
";

/// Several orders are charged, each by a saga of its own, and only then is anything reserved.
const COLLECTIVE_ORDER: &str = "\
saga: collective-order
version: 1
deadline: 10m
search: { orders: size(saga.data.orders) }
steps:
  - name: each-order
    for_each:
      in: saga.data.orders
      at_once: 3
      do:
        name: charge
        sub_saga: { start: charge-for-order, key: item.order_id, with: item }
        on_rollback: roll_back
        timeout: 5m
    roll_back: together
  - name: reserve
    ask: inventory.commands
    to: ReserveInventory
    with: { order_id: saga.key, items: saga.data.items }
    done_on: InventoryReserved
    refused_on: InventoryReservationFailed
    key: event.order_id
    on_rollback: nothing
    timeout: 60s
";

const CHARGE_FOR_ORDER: &str = "\
saga: charge-for-order
version: 1
steps:
  - name: charge
    ask: payments.commands
    to: ProcessPayment
    done_on: PaymentProcessed
    retry_on: { event: PaymentFailed, when: event.retry_possible }
    refused_on: PaymentFailed
    key: event.order_id
    on_rollback:
      compensate: RefundPayment
      with: { order_id: saga.key, reason: saga.reason }
      done_on: PaymentRefunded
    timeout: 60s
result: { payment_id: steps.charge.payment_id }
";

fn beside_shipped(folder: &Path, documents: &[(&str, &str)]) -> Result<PathBuf> {
    fs::create_dir_all(folder)?;
    fs::copy(workspace().join("sagas").join(SHIPPED), folder.join(SHIPPED))?;
    for (name, text) in documents {
        fs::write(folder.join(name), text)?;
    }
    Ok(folder.to_owned())
}
