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
    /// Answers are waited for three seconds.
    Short,
    /// Answers are waited for fifteen seconds, and the whole saga for thirty.
    Tight,
}

/// A folder with the definitions, to be named in the orchestrator's settings.
pub(crate) fn folder(timeouts: Timeouts, root: &Path) -> Result<PathBuf> {
    let (name, step, saga) = match timeouts {
        Timeouts::Shipped => return Ok(workspace().join("sagas")),
        Timeouts::ShippedWithReturns => return with_returns(&root.join("sagas-with-returns")),
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

fn with_returns(folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder)?;
    fs::copy(workspace().join("sagas").join(SHIPPED), folder.join(SHIPPED))?;
    fs::write(folder.join("parcel-return.yaml"), RETURNS)?;
    Ok(folder.to_owned())
}
