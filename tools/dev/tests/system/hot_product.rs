//! Two replicas of the inventory and one product that everybody wants.

use anyhow::Result;

use crate::orders::Wish;
use crate::system::system;

#[test]
fn two_replicas_never_oversell_a_product_that_everybody_wants() -> Result<()> {
    let system = system()?;
    system.start_beside("inventory", "inventory#2")?;
    let product = system.product_with(100)?;
    let before = system.sums()?;
    let orders = system.place_all(&vec![Wish::of(&product); 160])?;
    let sagas = system.ends_of(&orders)?;
    let completed = sagas.iter().filter(|saga| saga.status() == "completed").count();
    let rolled_back = sagas.iter().filter(|saga| saga.status() == "rolled_back").count();
    assert_eq!((completed, rolled_back), (100, 60));
    assert_eq!(system.in_stock(&product)?, 0);
    let seen = system.sums()? - before;
    assert_eq!((seen.charges, seen.refunds, seen.shipped), (100, 0, 100));
    system.stop("inventory#2")
}
