//! Pictures of the definitions that ship.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by falling")]

use std::path::{Path, PathBuf};

use backstitch_saga::definition::sketch::Sketch;
use backstitch_saga_drawing::{mermaid, svg};
use backstitch_saga_yaml::{load_dir, load_file};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sketch(path: &str) -> Sketch {
    load_file(&workspace().join(path)).unwrap().sketch()
}

#[test]
fn a_chart_tells_the_way_forward_and_the_way_back() {
    let chart = mermaid(&sketch("sagas/order-fulfilment.yaml"));
    for arrow in [
        "start --> step_reserve_inventory",
        "step_reserve_inventory -->|\"InventoryReserved\"| step_process_payment",
        "step_ship_order -->|\"OrderShipped\"| completed",
        // Refused: it did not happen. Silent: it may have.
        "step_process_payment -.->|\"PaymentFailed\"| undo_step_reserve_inventory",
        "step_process_payment -.->|\"silent\"| undo_step_process_payment",
        "undo_step_process_payment -.-> undo_step_reserve_inventory",
        "undo_step_reserve_inventory -.-> undo_start_1",
        "undo_start_1 -.-> rolled_back",
    ] {
        assert!(chart.contains(arrow), "{arrow}\n{chart}");
    }
    assert!(!chart.contains("stuck"), "{chart}");
}

#[test]
fn a_chart_of_a_group_undoes_all_of_it() {
    let chart = mermaid(&sketch("sagas/examples/travel-booking.yaml"));
    for arrow in [
        "fork_1 --> step_hold_flights",
        "fork_1 --> step_find_hotel",
        "step_book_room -->|\"RoomBooked\"| join_1",
        "step_find_hotel -.->|\"NoHotelFound\"| undo_1",
        "undo_1 -.-> undo_step_book_room",
        "undo_step_book_room -.-> undone_1",
        "undone_1 -.-> rolled_back",
    ] {
        assert!(chart.contains(arrow), "{arrow}\n{chart}");
    }
}

#[test]
fn a_chart_with_a_pivot_has_no_way_back_after_it() {
    let chart = mermaid(&sketch("sagas/examples/money-transfer.yaml"));
    for arrow in [
        "step_credit -.->|\"CreditRefused\"| undo_step_debit",
        "step_credit -.->|\"silent\"| stuck",
        "step_notify -.->|\"NoAddress\"| stuck",
    ] {
        assert!(chart.contains(arrow), "{arrow}\n{chart}");
    }
}

#[test]
fn every_step_and_every_undoing_is_in_the_picture() {
    let folders = ["sagas", "sagas/examples"].map(|folder| workspace().join(folder));
    let definitions: Vec<_> = folders.iter().flat_map(|folder| load_dir(folder).unwrap()).collect();
    assert!(definitions.len() >= 4);
    for definition in definitions {
        let picture = svg(&definition.sketch());
        for step in definition.step_names() {
            let named = [format!(">{step}</text>"), format!(">{step}: ")];
            assert!(named.iter().any(|name| picture.contains(name)), "{step} of {}", definition.name());
        }
        assert_eq!(picture.matches("<svg").count(), 1);
        assert!(picture.trim_end().ends_with("</svg>"));
        assert!(!picture.contains("NaN") && !picture.contains("inf"), "{}", definition.name());
        if let Ok(folder) = std::env::var("PICTURES") {
            std::fs::write(Path::new(&folder).join(format!("{}.svg", definition.name())), picture).unwrap();
        }
    }
}

#[test]
fn what_people_write_cannot_break_out_of_a_picture() {
    let text = r#"{"saga":"tea","version":1,"steps":[{"name":"boil","ask":"<b>.commands","to":"\"><script>",
        "when":"saga.data.cups < 3 && saga.key != \"x\"","done_on":"a|b","on_rollback":"nothing"}]}"#;
    let sketch = backstitch_saga::Definition::from_canonical_json(text).unwrap().sketch();
    for picture in [svg(&sketch), mermaid(&sketch)] {
        assert!(!picture.contains("<script") && !picture.contains("<b>."), "{picture}");
        assert!(picture.contains("cups &lt; 3 &amp;&amp; "), "{picture}");
    }
}
