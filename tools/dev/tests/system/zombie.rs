//! An orchestrator that stands still past its session, loses its lanes, and wakes believing that they are its own.

use anyhow::{Result, anyhow};

use crate::orders::Wish;
use crate::system::system;

const ORDERS: usize = 200;

#[test]
fn an_orchestrator_that_wakes_after_its_lanes_have_moved_changes_nothing() -> Result<()> {
    let system = system()?;
    system.start_beside("orchestrator", "orchestrator#2")?;
    let product = system.product_with(u32::try_from(ORDERS)?)?;
    let before = system.sums()?;
    let orders = std::thread::scope(|scope| {
        let placing = scope.spawn(|| system.place_all(&vec![Wish::of(&product); ORDERS]));
        let frozen = system
            .until("dozens of sagas are under way", || Ok(system.sagas_under_way()? >= ORDERS / 5))
            .and_then(|()| system.freeze("orchestrator"));
        let placed = placing.join().map_err(|_| anyhow!("the customers panicked"))?;
        frozen.and(placed)
    })?;
    // Those of the frozen one's lanes too: they have moved.
    for order in &orders {
        system.until(&format!("the saga of {order} has ended without the frozen one"), || {
            Ok(system.saga_of_at("orchestrator#2", *order)?.is_some_and(|saga| saga.is_at_rest()))
        })?;
    }
    system.thaw("orchestrator")?;
    let product_after = system.product_with(24)?;
    let after = system.place_all(&vec![Wish::of(&product_after); 24])?;
    assert!(system.ends_of(&after)?.iter().all(|saga| saga.status() == "completed"));
    system.until("the lanes are shared again", || {
        Ok(system.lanes_of("orchestrator")? > 0 && system.lanes_of("orchestrator#2")? < 4)
    })?;
    for saga in system.ends_of(&orders)? {
        assert_eq!(saga.status(), "completed", "{:#?}", saga.journal());
        assert_eq!(saga.count("SagaCompleted"), 1, "{:#?}", saga.journal());
        assert_eq!(saga.count("StepSucceeded"), 4, "{:#?}", saga.journal());
    }
    let seen = system.sums()? - before;
    let expected = i64::try_from(ORDERS + after.len())?;
    assert_eq!((seen.charges, seen.refunds, seen.shipped), (expected, 0, expected));
    assert_eq!(system.in_stock(&product)?, 0);
    system.stop("orchestrator#2")
}
