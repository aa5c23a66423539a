//! The same stories for orders of both flows, and what is seen of the one that nobody drives.

use anyhow::Result;
use backstitch_saga::SagaId;
use serde_json::json;
use uuid::Uuid;

use crate::orders::{CHOREOGRAPHED, OBSERVING, ORCHESTRATED, Saga, Wish};
use crate::sums::Sums;
use crate::system::{System, system};

/// Places an order for 2 of 5 pieces by each flow. Tells how its saga ended, what is left in stock, and what the outside
/// world has seen.
fn by_each_flow(
    order_is: &str,
    change: impl Fn(Wish) -> Wish,
    look: impl Fn(&Saga, i64, Sums) -> Result<()>,
) -> Result<()> {
    let system = system()?;
    for flow in [ORCHESTRATED, CHOREOGRAPHED] {
        let product = system.product_with(5)?;
        let before = system.sums()?;
        let order = system.place(&change(Wish::of(&product).pieces(2)).by(flow))?;
        let saga = if flow == CHOREOGRAPHED { system.end_observed_of(order)? } else { system.end_of(order)? };
        system.until_order_is(order, order_is)?;
        look(&saga, system.in_stock(&product)?, system.sums()? - before)?;
    }
    Ok(())
}

#[test]
fn both_flows_ship_an_order_that_nothing_speaks_against() -> Result<()> {
    by_each_flow(
        "shipped",
        |wish| wish,
        |saga, in_stock, seen| {
            assert_eq!((saga.status(), in_stock), ("completed", 3), "{:#?}", saga.journal());
            assert_eq!(seen, Sums { charges: 1, charged: 5_000, shipped: 1, ..Sums::NOTHING });
            Ok(())
        },
    )
}

#[test]
fn both_flows_undo_what_was_done_where_a_step_fails() -> Result<()> {
    let nothing_left = |seen: Sums| {
        move |saga: &Saga, in_stock: i64, sums: Sums| {
            assert_eq!((saga.status(), in_stock), ("rolled_back", 5), "{:#?}", saga.journal());
            assert_eq!(sums, seen);
            Ok(())
        }
    };
    by_each_flow("cancelled", |wish| wish.pieces(6), nothing_left(Sums::NOTHING))?;
    let declined = |wish: Wish| wish.pieces(1).priced(2_501);
    by_each_flow("cancelled", declined, nothing_left(Sums::NOTHING))?;
    let paid_back = Sums { charges: 1, charged: 5_000, refunds: 1, refunded: 5_000, ..Sums::NOTHING };
    by_each_flow("cancelled", |wish| wish.sent_to("00001"), nothing_left(paid_back))
}

#[test]
fn an_observed_order_shows_like_any_saga_and_is_not_steered_from_here() -> Result<()> {
    let system = system()?;
    let product = system.product_with(5)?;
    system.stop("shipping")?;
    let order = system.place(&Wish::of(&product).by(CHOREOGRAPHED))?;
    let id = SagaId::derive(OBSERVING, &order.to_string());
    system.until("the order waits to be shipped", || {
        let saga = system.block_on(system.find("orchestrator", &format!("/sagas/{id}")))?;
        Ok(saga.is_some_and(|saga| saga["steps"] == json!(["ship-order"]) && saga["is_observed"] == true))
    })?;
    let refused = system.block_on(system.post("orchestrator", &format!("/sagas/{id}/cancel"), &json!({})));
    let refused = format!("{:#}", refused.err().unwrap_or_else(|| anyhow::anyhow!("it was cancelled")));
    assert!(refused.contains("saga_only_observes"), "{refused}");
    system.start("shipping")?;
    let saga = system.end_observed_of(order)?;
    // In which order steps are seen, nobody can say: their events come on four topics.
    assert_eq!((saga.count("StepSucceeded"), saga.status()), (4, "completed"), "{:#?}", saga.journal());
    Ok(())
}

#[test]
fn a_choreographed_order_survives_the_death_of_every_service() -> Result<()> {
    let system = system()?;
    let product = system.product_with(50)?;
    let before = system.sums()?;
    let orders = system.place_all(&vec![Wish::of(&product).by(CHOREOGRAPHED); 20])?;
    for name in ["order", "inventory", "payment", "shipping", "orchestrator"] {
        system.kill(name)?;
        system.start(name)?;
    }
    let ended: Vec<Saga> = ends(system, &orders)?;
    assert!(ended.iter().all(|saga| saga.status() == "completed"), "{ended:#?}");
    assert_eq!(system.in_stock(&product)?, 30);
    let seen = system.sums()? - before;
    assert_eq!(seen, Sums { charges: 20, charged: 50_000, shipped: 20, ..Sums::NOTHING });
    Ok(())
}

fn ends(system: &System, orders: &[Uuid]) -> Result<Vec<Saga>> {
    orders.iter().map(|order| system.end_observed_of(*order)).collect()
}
