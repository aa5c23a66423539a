//! Stories whose journals hold every kind of entry. Separate because schemas, and what releases leave behind, are both
//! tried out on them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use backstitch_saga::Definition;
use backstitch_testkit::{Specimen, Story, cancelled_before_start, started};
use serde_json::json;

pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn example(name: &str) -> Specimen {
    Specimen::load(&project().join("sagas/examples"), name)
}

/// The order saga of a later version, in which steps have other names.
fn later(order: &Specimen, renamed: &str) -> Specimen {
    let text = order.definition().to_canonical_json().replace(r#""version":1"#, r#""version":2"#);
    order.under(Definition::from_canonical_json(&text.replace(renamed, "another-step")).unwrap())
}

/// Stories in which, taken together, everything happens that can be written in a journal.
pub(crate) fn stories() -> Vec<Story> {
    let order = Specimen::load(&project().join("sagas"), "order-fulfilment");
    let sign_up = || started(&example("subscription-signup"));
    let debited = || started(&example("money-transfer")).done("check-fraud").done("debit");
    let small = json!({ "transfer_id": "t-1", "from": "DE1", "to": "FR2", "amount": 100 });
    vec![
        cancelled_before_start(&example("subscription-signup"), "ann").started_again(),
        started(&order).done("reserve-inventory").asks_for_another_try("process-payment").silence("process-payment"),
        started(&order)
            .done("reserve-inventory")
            .taken_back("reserve-inventory")
            .undone("process-payment")
            .undone("start"),
        started(&order).moved_to(&later(&order, "ship-order"), "ann"),
        started(&order)
            .done("reserve-inventory")
            .done("process-payment")
            .moved_to(&later(&order, "confirm-order"), "ann"),
        started(&order).paused("ann").done("reserve-inventory").resumed("ann"),
        started(&example("money-transfer").starting_with(small)),
        sign_up()
            .arrives("approval")
            .done("create-account")
            .arrives("mail-verified")
            .time_passes(Duration::from_hours(25))
            .time_passes(Duration::from_hours(2)),
        started(&example("travel-booking"))
            .done("hold-flights")
            .done("find-hotel")
            .done("book-room")
            .done("rent-car")
            .done("charge-card"),
        started(&order.clone().limited()).turn("reserve-inventory").silence("reserve-inventory"),
        started(&example("travel-booking").limited()).turns(),
        started(&example("partial-shipment")).done("hold-amount").done("pick/0"),
        started(&example("customer-onboarding")).done("open-file"),
        started(&example("subscription-signup").as_sub_saga()).refused("create-account"),
        debited().refused("credit").undoing_refused("debit").skipped("ann"),
        debited().refused("credit").undoing_refused("debit").abandoned("ann"),
        debited().done("credit").cancelled("ann").refused("notify").skipped("ann"),
        debited()
            .done("credit")
            .time_passes(Duration::from_mins(1))
            .retried("ann")
            .time_passes(Duration::from_mins(10)),
    ]
}
