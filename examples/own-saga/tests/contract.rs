//! The service, held to the contract of participants.

use std::path::Path;

use backstitch_contracts::Catalog;
use backstitch_testkit::{Ask, Trial, keeps_the_contract};
use own_saga::Lockers;
use serde_json::json;

fn catalog() -> Catalog {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    Catalog::load(&folder).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn reserving_a_locker_and_freeing_it_keep_the_contract() {
    let reserve = Ask::new("lockers.commands", "ReserveLocker", "r-1", json!({ "rental": "r-1", "size": "small" }));
    let free = Ask::new("lockers.commands", "FreeLocker", "r-1", json!({ "rental": "r-1" }));
    let lockers = Lockers { count: 40 };
    keeps_the_contract(&Trial::of(lockers, &catalog(), "lockers.events", reserve).undone_by(free));
}

#[test]
fn opening_a_locker_keeps_the_contract() {
    let reserve = Ask::new("lockers.commands", "ReserveLocker", "r-1", json!({ "rental": "r-1", "size": "small" }));
    let open = Ask::new("lockers.commands", "OpenLocker", "r-1", json!({ "rental": "r-1", "locker": 1 }));
    let lockers = Lockers { count: 40 };
    keeps_the_contract(&Trial::of(lockers, &catalog(), "lockers.events", open).before(reserve));
}
