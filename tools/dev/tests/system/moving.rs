//! Sagas that outlive the release they began with: the next one moves them to its own definition, and they stay there.

use anyhow::{Context, Result};
use backstitch_saga::SagaId;
use serde_json::{Value, json};

use crate::definitions::Timeouts;
use crate::orders::{DEFINITION, Wish};
use crate::system::{System, system, system_with};

/// The definition that new sagas start on.
fn newest(system: &System) -> Result<String> {
    let known = system.block_on(system.get("orchestrator", "/definitions"))?;
    let mut startable = known.as_array().into_iter().flatten().filter(|definition| definition["startable"] == true);
    let ours = startable.find(|definition| definition["name"] == DEFINITION);
    Ok(ours.and_then(|definition| definition["hash"].as_str()).context("no sagas of orders are started")?.to_owned())
}

#[test]
fn a_running_saga_is_moved_to_the_definition_of_the_next_release_and_ends_under_it() -> Result<()> {
    let before = system()?;
    let from = newest(before)?;
    let product = before.product_with(1)?;
    before.stop("inventory")?;
    let order = before.place(&Wish::of(&product))?;
    before.until_journaled(order, "StepRequested reserve-inventory")?;
    let saga = format!("/sagas/{}", SagaId::derive(DEFINITION, &order.to_string()));
    before.block_on(before.post("orchestrator", &format!("{saga}/pause?wait=20"), &json!({})))?;

    let system = system_with(Timeouts::Short)?;
    let to = newest(system)?;
    assert_ne!(from, to);
    let page = format!("/definitions/{from}/migration?to={to}&limit=500");
    let checked = system.block_on(system.get("orchestrator", &page))?;
    let ours = checked["sagas"].as_array().into_iter().flatten().find(|saga| saga["key"] == json!(order));
    assert_eq!(ours.map(|saga| &saga["obstacles"]), Some(&json!([])), "{checked}");
    let wish = json!({ "to": to, "reason": "the next release" });
    let outcome = system.block_on(system.post("orchestrator", &format!("{saga}/migrate?wait=20"), &wish))?;
    assert_eq!(outcome["entries"][0]["kind"], "DefinitionMoved", "{outcome}");

    // Whoever takes the lane over finds it under its new definition.
    system.kill("orchestrator")?;
    system.start("orchestrator")?;
    system.until("the orchestrator is ready", || system.is_ready("orchestrator"))?;
    system.block_on(system.post("orchestrator", &format!("{saga}/resume?wait=20"), &json!({})))?;
    let ended = system.end_of(order)?;
    assert_eq!((ended.status(), ended.count("DefinitionMoved")), ("completed", 1), "{:#?}", ended.journal());
    assert_eq!(ended.0["definition_hash"], Value::String(to));
    Ok(())
}
