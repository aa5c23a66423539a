//! Every process dies without warning in the middle of two hundred sagas, and comes back.

use anyhow::{Result, anyhow, ensure};
use uuid::Uuid;

use crate::orders::Wish;
use crate::sums::Sums;
use crate::system::{System, system};
use crate::wire::Wire;

const ORDERS: usize = 200;

/// Orders of every fate, and how many of them will be paid for and shipped.
struct Crowd {
    wishes: Vec<Wish>,
    completes: Vec<bool>,
    product: String,
    before: Sums,
}

/// Of ten orders seven go well, one is declined, one is refused by the carrier, one wants more than there ever was.
fn crowd(system: &System) -> Result<Crowd> {
    let stock = u32::try_from(ORDERS)?;
    let product = system.product_with(stock)?;
    let wish = Wish::of(&product);
    let fate = |number: usize| match number % 10 {
        7 => (wish.clone().priced(1_001), false),
        8 => (wish.clone().sent_to("00001"), false),
        9 => (wish.clone().pieces(stock + 1).priced(100), false),
        _ => (wish.clone(), true),
    };
    let (wishes, completes) = (0..ORDERS).map(fate).unzip();
    Ok(Crowd { wishes, completes, product, before: system.sums()? })
}

/// Places the crowd, lets `strike` loose while dozens of sagas are under way, and checks that all came right.
fn survives(system: &'static System, strike: impl FnOnce() -> Result<()>) -> Result<()> {
    let wire = Wire::open(system)?;
    let letters = wire.count_of_dead_letters()?;
    let crowd = crowd(system)?;
    let orders = std::thread::scope(|scope| {
        // Customers who are not answered ask again under the same id.
        let placing = scope.spawn(|| system.place_all(&crowd.wishes));
        let struck = system.until("dozens of sagas are under way", || Ok(system.sagas_under_way()? >= ORDERS / 5));
        let struck = struck.and_then(|()| strike());
        let placed = placing.join().map_err(|_| anyhow!("the customers panicked"))?;
        struck.and(placed)
    })?;
    check(system, &crowd, &orders)?;
    assert_eq!(wire.count_of_dead_letters()?, letters, "an outage is no reason to give a message up");
    Ok(())
}

fn check(system: &System, crowd: &Crowd, orders: &[Uuid]) -> Result<()> {
    let sagas = system.ends_of(orders)?;
    for (saga, completes) in sagas.iter().zip(&crowd.completes) {
        let expected = if *completes { "completed" } else { "rolled_back" };
        ensure!(saga.status() == expected, "a saga is {} and not {expected}: {:#?}", saga.status(), saga.journal());
        let ends = saga.count("SagaCompleted") + saga.count("SagaRolledBack");
        ensure!(ends == 1, "a saga has ended {ends} times: {:#?}", saga.journal());
    }
    let completed = i64::try_from(crowd.completes.iter().filter(|completes| **completes).count())?;
    // Each order refused by the carrier was charged and refunded.
    let refused = i64::try_from(ORDERS / 10)?;
    let seen = system.sums()? - crowd.before;
    assert_eq!(seen.charges, completed + refused, "{seen:?}");
    assert_eq!(seen.refunds, refused, "{seen:?}");
    assert_eq!(seen.charged - seen.refunded, completed * 2_500, "{seen:?}");
    assert_eq!(seen.shipped - seen.cancelled, completed, "{seen:?}");
    assert_eq!(system.in_stock(&crowd.product)?, i64::try_from(ORDERS)? - completed);
    Ok(())
}

fn survives_the_death_of(name: &str) -> Result<()> {
    let system = system()?;
    survives(system, || {
        system.kill(name)?;
        // As a supervisor does: Postgres does not start while the system still lists its dead predecessor.
        system.until(&format!("{name} runs again"), || system.start(name).map(|()| true))
    })
}

#[test]
fn two_hundred_sagas_end_well_though_the_orchestrator_is_killed() -> Result<()> {
    survives_the_death_of("orchestrator")
}

#[test]
fn two_hundred_sagas_end_well_though_the_order_service_is_killed() -> Result<()> {
    survives_the_death_of("order")
}

#[test]
fn two_hundred_sagas_end_well_though_the_inventory_is_killed() -> Result<()> {
    survives_the_death_of("inventory")
}

/// Every other event of a stream is in a snapshot before long, and in many a moment of taking one the process dies.
#[test]
fn two_hundred_sagas_end_well_though_the_inventory_is_killed_while_it_takes_snapshots() -> Result<()> {
    let system = system()?;
    let begin = || {
        system.until("the inventory runs", || {
            system.stack().start("inventory", &[("BACKSTITCH_SNAPSHOTS__EVERY", "2")]).map(|()| true)
        })?;
        system.until("the inventory is ready", || system.is_ready("inventory"))
    };
    system.stop("inventory")?;
    begin()?;
    survives(system, || {
        for _ in 0..5 {
            system.kill("inventory")?;
            begin()?;
        }
        Ok(())
    })?;
    let recovered = system.counted("inventory", "participant_recoveries_total", "from=\"snapshot\"")?;
    ensure!(recovered > 0, "no stream was read from a snapshot");
    system.stop("inventory")?;
    system.start("inventory")
}

#[test]
fn two_hundred_sagas_end_well_though_the_payment_service_is_killed() -> Result<()> {
    survives_the_death_of("payment")
}

#[test]
fn two_hundred_sagas_end_well_though_shipping_is_killed() -> Result<()> {
    survives_the_death_of("shipping")
}

#[test]
fn two_hundred_sagas_end_well_though_all_five_services_are_killed_at_once() -> Result<()> {
    let system = system()?;
    let all = ["orchestrator", "order", "inventory", "payment", "shipping"];
    survives(system, || {
        all.iter().try_for_each(|name| system.kill(name))?;
        all.iter().try_for_each(|name| system.start(name))
    })
}

#[test]
fn two_hundred_sagas_end_well_though_postgres_restarts() -> Result<()> {
    let system = system()?;
    survives(system, || {
        system.stop("postgres")?;
        system.start("postgres")
    })
}

#[test]
fn two_hundred_sagas_end_well_though_kafka_restarts() -> Result<()> {
    let system = system()?;
    survives(system, || {
        system.stop("kafka")?;
        system.start("kafka")
    })
}

#[test]
fn two_hundred_sagas_end_well_though_postgres_is_killed() -> Result<()> {
    survives_the_death_of("postgres")
}

#[test]
fn two_hundred_sagas_end_well_though_kafka_is_killed() -> Result<()> {
    survives_the_death_of("kafka")
}

#[test]
fn two_hundred_sagas_end_well_though_gateway_and_carrier_are_killed() -> Result<()> {
    survives_the_death_of("simulators")
}
