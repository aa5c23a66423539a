//! An orchestrator that stands still past its session, loses its lanes, and wakes believing that they are its own.

use anyhow::{Context, Result};
use uuid::Uuid;

use crate::orders::{Saga, Wish};
use crate::system::{System, system};

const ORDERS: usize = 100;

fn ended(system: &System, orders: &[Uuid]) -> usize {
    orders
        .iter()
        .filter(|order| matches!(system.saga_of_at("orchestrator#2", **order), Ok(Some(saga)) if saga.is_at_rest()))
        .count()
}

#[test]
fn an_orchestrator_that_wakes_after_its_lanes_have_moved_changes_nothing() -> Result<()> {
    let system = system()?;
    system.start("orchestrator#2")?;
    system.until("the second orchestrator is ready", || system.is_ready("orchestrator#2"))?;
    let product = system.product_with(u32::try_from(ORDERS)?)?;
    let before = system.sums()?;
    let orders = system.place_all(&vec![Wish::of(&product); ORDERS])?;
    system.until("some sagas are through", || Ok(ended(system, &orders) >= ORDERS / 10))?;
    system.freeze("orchestrator")?;
    // Those of the frozen one's lanes too: they have moved.
    system.until("all sagas have ended without it", || Ok(ended(system, &orders) == ORDERS))?;
    system.thaw("orchestrator")?;
    system.until("the woken one is ready again", || system.is_ready("orchestrator"))?;
    let journals: Vec<Saga> = system.ends_of(&orders)?;
    for saga in &journals {
        assert_eq!(saga.status(), "completed", "{:#?}", saga.journal());
        assert_eq!(saga.count("SagaCompleted"), 1, "{:#?}", saga.journal());
    }
    let seen = system.sums()? - before;
    let expected = i64::try_from(ORDERS).context("a hundred fits")?;
    assert_eq!((seen.charges, seen.refunds, seen.shipped), (expected, 0, expected));
    assert_eq!(system.in_stock(&product)?, 0);
    system.stop("orchestrator#2")
}
