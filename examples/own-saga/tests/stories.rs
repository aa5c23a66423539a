//! The saga, told as stories in which no time passes but that of the story.

use std::path::Path;
use std::time::Duration;

use backstitch_contracts::Catalog;
use backstitch_saga_schemas::shapes_of;
use backstitch_saga_yaml::Documents;
use backstitch_testkit::{Misbehaviours, Specimen, keeps_the_laws, started};

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn rental() -> Specimen {
    Specimen::load(&folder("sagas"), "locker-rental")
}

#[test]
fn a_locker_that_is_paid_for_is_cleaned_for_a_day_and_handed_over() {
    let cleaning = started(&rental()).done("reserve-locker").arrives("paid");
    assert_eq!(cleaning.state().status(), "advancing");
    cleaning.time_passes(Duration::from_hours(24)).done("hand-over").reads(
        "
        lockers <- ReserveLocker
        lockers <- OpenLocker
        completed
        ",
    );
}

#[test]
fn a_locker_that_nobody_pays_for_within_a_day_is_free_again() {
    started(&rental()).done("reserve-locker").time_passes(Duration::from_hours(24)).undone("reserve-locker").reads(
        "
        lockers <- ReserveLocker
        lockers <- FreeLocker
        rolled back: nothing came for paid
        ",
    );
}

#[test]
fn where_no_locker_is_free_there_is_nothing_to_undo() {
    started(&rental()).refused("reserve-locker").reads(
        "
        lockers <- ReserveLocker
        rolled back: all lockers are taken
        ",
    );
}

#[test]
fn a_silent_service_is_asked_again_and_then_told_to_free_what_it_may_have_kept() {
    started(&rental()).silence("reserve-locker").silence("reserve-locker").undone("reserve-locker").reads(
        "
        lockers <- ReserveLocker
        lockers <- ReserveLocker
        lockers <- FreeLocker
        rolled back: no reply
        ",
    );
}

#[test]
fn a_payment_that_comes_early_is_kept_and_one_that_comes_twice_counts_once() {
    let story = started(&rental()).arrives("paid").done("reserve-locker").everything_repeated();
    story.time_passes(Duration::from_hours(24)).done("hand-over").reads(
        "
        lockers <- ReserveLocker
        lockers <- OpenLocker
        completed
        ",
    );
}

#[test]
fn whatever_two_things_go_wrong_the_rental_ends_and_nothing_is_left_half_done() {
    let told = keeps_the_laws(&rental(), Misbehaviours(2));
    assert!(told > 100, "only {told} stories were told");
}

#[test]
fn the_saga_fits_the_schemas_of_its_messages() {
    let catalog = Catalog::load(&folder("schemas")).unwrap_or_else(|error| panic!("{error}"));
    let shapes = shapes_of(&catalog).unwrap_or_else(|error| panic!("{error}"));
    let documents = Documents::load(&folder("sagas")).unwrap_or_else(|error| panic!("{error}"));
    let checked = documents.check(&shapes).unwrap_or_else(|error| panic!("{error}"));
    assert!(checked.warnings.is_empty(), "{:#?}", checked.warnings);
    assert_eq!(checked.definitions.len(), 1);
}
