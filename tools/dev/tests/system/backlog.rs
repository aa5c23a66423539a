//! Time and the backlog: a deadline that passes while the answer already waits in Kafka is no silence.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::definitions::Timeouts;
use crate::orders::Wish;
use crate::system::system_with;

const ORDERS: u32 = 30;

#[test]
fn an_orchestrator_that_was_away_longer_than_every_timeout_reads_the_answers_first() -> Result<()> {
    let system = system_with(Timeouts::Tight)?;
    let product = system.product_with(ORDERS)?;
    let before = system.sums()?;
    // All sagas have asked for their last step, and nobody has answered.
    system.stop("shipping")?;
    let began = Instant::now();
    let orders = system.place_all(&vec![Wish::of(&product); ORDERS as usize])?;
    for order in &orders {
        system.until_journaled(*order, "StepRequested ship-order")?;
    }
    system.kill("orchestrator")?;
    // The answers come while nobody is there to read them.
    system.start("shipping")?;
    let expected = i64::from(ORDERS);
    system.until("every parcel is on its way", || Ok((system.sums()? - before).shipped == expected))?;
    for order in &orders {
        system.until_order_is(*order, "shipped")?;
    }
    system.until_passed(began, Duration::from_secs(60));
    system.start("orchestrator")?;
    for saga in system.ends_of(&orders)? {
        assert_eq!(saga.status(), "completed", "{:#?}", saga.journal());
        assert_eq!(saga.count("StepTimedOut"), 0, "{:#?}", saga.journal());
    }
    let seen = system.sums()? - before;
    assert_eq!((seen.shipped, seen.cancelled, seen.refunds), (expected, 0, 0));
    Ok(())
}
