//! Documents as people write them, and the answers they get.

use std::path::Path;
use std::time::Duration;

use backstitch_saga::definition::event;
use backstitch_saga::{Definition, StepBuilder, Trigger, compensate};
use backstitch_saga_yaml::{LoadError, load_dir, load_file, parse};

fn sagas() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sagas")
}

const ITEMS: &str = "saga.data.order_items.map(item, {'product_id': item.product_id, 'quantity': item.quantity})";
const UNDO: [(&str, &str); 2] = [("order_id", "saga.data.order_id"), ("reason", "saga.reason")];

fn order_fulfilment_in_rust() -> Definition {
    let trigger = Trigger::event("orders.events", "OrderPlaced", "event.order_id")
        .when("!has(event.flow) || event.flow == null || event.flow == 'orchestrated'")
        .on_rollback(compensate("CancelOrder").to("orders.commands").with(UNDO).done_on("OrderCancelled"));
    let reserve = StepBuilder::ask("reserve-inventory", "inventory.commands", "ReserveInventory")
        .with([("order_id", "saga.data.order_id"), ("items", ITEMS)])
        .done_on("InventoryReserved")
        .refused_on("InventoryReservationFailed")
        .undone_on(event("InventoryReleased").until("confirm-order"))
        .on_rollback(compensate("ReleaseInventory").with(UNDO).done_on("InventoryReleased"))
        .timeout(Duration::from_mins(5));
    let pay = StepBuilder::ask("process-payment", "payments.commands", "ProcessPayment")
        .with([
            ("order_id", "saga.data.order_id"),
            ("amount", "saga.data.total_amount"),
            ("currency", "saga.data.currency"),
            ("customer_id", "saga.data.customer_id"),
        ])
        .done_on("PaymentProcessed")
        .retry_on(event("PaymentFailed").when("event.retry_possible"))
        .refused_on("PaymentFailed")
        .on_rollback(compensate("RefundPayment").with(UNDO).done_on("PaymentRefunded"))
        .timeout(Duration::from_secs(30))
        .attempts_max(3);
    let confirm = StepBuilder::ask("confirm-order", "orders.commands", "ConfirmOrder")
        .with([
            ("order_id", "saga.data.order_id"),
            ("payment_id", "steps.process_payment.payment_id"),
            ("reserved_until", "steps.reserve_inventory.reserved_until"),
        ])
        .done_on("OrderConfirmed")
        .refused_on("OrderConfirmationRefused")
        .nothing_on_rollback();
    let ship = StepBuilder::ask("ship-order", "shipping.commands", "ShipOrder")
        .with([
            ("order_id", "saga.data.order_id"),
            ("shipping_address", "saga.data.shipping_address"),
            ("items", ITEMS),
        ])
        .done_on("OrderShipped")
        .refused_on("ShipmentFailed")
        .on_rollback(compensate("CancelShipment").with(UNDO).done_on("ShipmentCancelled"));
    Definition::builder("order-fulfilment", 1)
        .starts_on(trigger)
        .deadline(Duration::from_mins(15))
        .step(reserve)
        .step(pay)
        .step(confirm)
        .step(ship)
        .build()
        .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_same_saga_in_yaml_and_in_rust_is_equal() {
    let yaml = load_file(&sagas().join("order-fulfilment.yaml")).unwrap();
    let rust = order_fulfilment_in_rust();
    assert_eq!(yaml.to_canonical_json(), rust.to_canonical_json());
    assert_eq!(yaml.spec(), rust.spec());
    assert_eq!(yaml.hash(), rust.hash());
}

#[test]
fn choices_and_lists_are_equal_in_yaml_and_in_rust() {
    let yaml = "
saga: tea
version: 1
steps:
  - name: taste
    choice:
      - when: saga.data.sweet
        do: { name: sugar, delay: 1s }
      - when: saga.data.strong
        do:
          - { name: first, delay: 1s }
          - { name: second, delay: 2s }
    otherwise: roll_back
  - name: each-cup
    for_each:
      in: saga.data.cups
      at_once: 2
      items_max: 8
      do: { name: fill, delay: 1s }
    roll_back: together
  - name: last
    choice: [{ when: \"true\", do: [{ name: yes, delay: 1s }] }]
    otherwise: { name: no, delay: 1s }
";
    let wait = |name, seconds| StepBuilder::delay(name, Duration::from_secs(seconds));
    let rust = Definition::builder("tea", 1)
        .step(
            StepBuilder::choice("taste")
                .branch("saga.data.sweet", [wait("sugar", 1)])
                .branch("saga.data.strong", [wait("first", 1), wait("second", 2)])
                .otherwise_roll_back(),
        )
        .step(
            StepBuilder::for_each("each-cup", "saga.data.cups", [wait("fill", 1)])
                .at_once(2)
                .items_max(8)
                .roll_back_together(),
        )
        .step(StepBuilder::choice("last").branch("true", [wait("yes", 1)]).otherwise([wait("no", 1)]));
    let (yaml, rust) = (parse("tea.yaml", yaml).unwrap(), rust.build().unwrap());
    assert_eq!(yaml.to_canonical_json(), rust.to_canonical_json());
    assert_eq!(yaml.hash(), rust.hash());
}

#[test]
fn a_fault_inside_a_branch_is_found_at_its_place() {
    let text =
        document("    choice:\n      - when: \"true\"\n        do: { name: cool, dlay: 1s }\n    otherwise: nothing\n");
    assert_eq!(
        faults(&text),
        ["tea.yaml:13:27: steps[1].choice[0].do.dlay: unknown field `dlay`; did you mean `delay`? [BS0101]"]
    );
    let text = document("    choice: [{ when: \"true\", do: { name: cool, delay: 1s } }]\n    otherwise: nothin\n");
    assert_eq!(
        faults(&text),
        ["tea.yaml:12:5: steps[1].otherwise: unknown word `nothin`; did you mean `nothing`? [BS0101]"]
    );
    let text = document("    for_each:\n      in: saga.dta.cups\n      do: { name: fill, delay: 1s }\n");
    assert_eq!(
        faults(&text),
        ["tea.yaml:12:11: steps[1].for_each.in: unknown field of `saga` `dta`; did you mean `data`? [BS0104]"]
    );
}

#[test]
fn limits_are_equal_in_yaml_and_in_rust_and_their_faults_are_found_at_their_place() {
    let text =
        document("    delay: 1s\nparticipants:\n  kitchen.commands:\n    in_flight_max: 100\n    rate_max: 50/1s\n");
    let rust = Definition::builder("tea", 1)
        .starts_on(Trigger::event("orders.events", "Ordered", "event.id"))
        .in_flight_max("kitchen.commands", 100)
        .rate_max("kitchen.commands", 50, Duration::from_secs(1))
        .step(StepBuilder::ask("boil", "kitchen.commands", "Boil").done_on("Boiled").nothing_on_rollback())
        .step(StepBuilder::delay("pour", Duration::from_secs(1)));
    assert_eq!(parse("tea.yaml", &text).unwrap(), rust.build().unwrap());
    let wrong = |limits: &str| faults(&document(&format!("    delay: 1s\nparticipants:\n  {limits}\n")));
    assert_eq!(
        wrong("kitchen.commands:\n    rate_max: 50/s\n    in_flight_max: 0"),
        [
            "tea.yaml:15:20: participants.kitchen.commands.in_flight_max: where no command may be under way, no saga ever \
             ends [BS0102]"
        ]
    );
    assert_eq!(
        wrong("kitchen.comands: { in_flight_max: 1 }"),
        ["tea.yaml:13:20: participants.kitchen.comands: no step asks `kitchen.comands`; did you mean \
             `kitchen.commands`? [BS0102]"]
    );
    assert_eq!(
        wrong("kitchen.commands: { rate_max: 50 a second }"),
        [
            "tea.yaml:13:33: participants.kitchen.commands.rate_max: `50 a second` is no rate: write it like 50/s, 600/m \
             or 10/1h30m at line 13, column 33 [BS0101]"
        ]
    );
    assert_eq!(
        wrong("kitchen.commands: {}"),
        ["tea.yaml:13:21: participants.kitchen.commands: nothing is limited here: say `in_flight_max` or `rate_max` \
             [BS0102]"]
    );
}

#[test]
fn every_definition_that_ships_loads() {
    let names: Vec<String> = load_dir(&sagas()).unwrap().iter().map(|saga| saga.name().to_owned()).collect();
    assert!(names.contains(&"order-fulfilment".to_owned()), "{names:?}");
    assert!(load_dir(&sagas().join("examples")).unwrap().len() >= 6);
}

fn document(step: &str) -> String {
    format!(
        "saga: tea\nversion: 1\nstarts_on: {{ topic: orders.events, event: Ordered, key: event.id }}\nsteps:\n  - name: boil\n    ask: kitchen.commands\n    to: Boil\n    done_on: Boiled\n    on_rollback: nothing\n  - name: pour\n{step}"
    )
}

fn faults(text: &str) -> Vec<String> {
    match parse("tea.yaml", text) {
        Err(LoadError::Faulty { faults }) => faults.iter().map(ToString::to_string).collect(),
        other => panic!("expected faults, got {other:?}"),
    }
}

#[test]
fn a_misspelt_field_is_answered_with_the_right_one_and_its_place() {
    let text = document("    ask: kitchen.commands\n    to: Pour\n    done_no: Poured\n    on_rollback: nothing\n");
    assert_eq!(
        faults(&text),
        ["tea.yaml:13:5: steps[1].done_no: unknown field `done_no`; did you mean `done_on`? [BS0101]"]
    );
}

#[test]
fn an_unknown_step_in_an_expression_is_answered_with_the_right_one() {
    let text = document(
        "    ask: kitchen.commands\n    to: Pour\n    with: { heat: steps.biol.heat }\n    done_on: Poured\n    on_rollback: nothing\n",
    );
    assert_eq!(
        faults(&text),
        ["tea.yaml:13:19: steps[1].with.heat: no step before this one is called `biol`; did you mean `boil`? [BS0104]"]
    );
}

#[test]
fn all_problems_are_reported_at_once() {
    let text = document("    ask: kitchen.commands\n    attempts_max: 0\n    timeout: 0s\n");
    let faults = faults(&text);
    for expected in
        ["`to` is missing", "`done_on` is missing", "`on_rollback` is missing", "at least once", "in no time"]
    {
        assert!(faults.iter().any(|fault| fault.contains(expected)), "{expected}: {faults:#?}");
    }
}

#[test]
fn a_wrong_word_for_on_rollback_is_answered_with_the_right_ones() {
    let text = document("    ask: kitchen.commands\n    to: Pour\n    done_on: Poured\n    on_rollback: pivto\n");
    assert_eq!(
        faults(&text),
        ["tea.yaml:14:5: steps[1].on_rollback: unknown word `pivto`; did you mean `pivot`? [BS0101]"]
    );
}

#[test]
fn a_duration_without_a_unit_is_explained() {
    let text = document("    delay: 5\n");
    let faults = faults(&text);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("tea.yaml:11:12: steps[1].delay: "), "{faults:?}");
}

#[test]
fn text_that_is_no_yaml_names_the_line() {
    let faults = faults("saga: tea\nsteps: [\n");
    assert!(faults[0].starts_with("tea.yaml:"), "{faults:?}");
}

#[test]
fn formatting_and_order_of_keys_do_not_change_the_hash() {
    let one = parse("a", &document("    delay: 60s\n    when: \"true\"\n")).unwrap();
    let other = parse("b", &document("    when: 'true'   # always\n    delay: 1m\n")).unwrap();
    assert_eq!(one.hash(), other.hash());
    assert_eq!(one, other);
    assert_ne!(one.hash(), parse("c", &document("    delay: 61s\n    when: \"true\"\n")).unwrap().hash());
}

#[test]
fn a_folder_with_a_sub_saga_that_is_not_there_is_refused_at_its_place() {
    let folder = std::env::temp_dir().join(format!("backstitch-saga-yaml-sub-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let text = document("    sub_saga: { start: cakes }\n    on_rollback: nothing\n    timeout: 1h\n");
    std::fs::write(folder.join("tea.yaml"), &text).unwrap();
    let cake = "saga: cake\nversion: 1\nsteps: [{ name: bake, delay: 1h }]\n";
    std::fs::write(folder.join("cake.yaml"), cake).unwrap();
    let error = load_dir(&folder).unwrap_err().to_string();
    std::fs::remove_dir_all(&folder).unwrap();
    let expected =
        "tea.yaml:11:24: steps[1].sub_saga.start: no definition is called `cakes`; did you mean `cake`? [BS0102]";
    assert!(error.ends_with(expected), "{error}");
}

#[test]
fn a_folder_with_the_same_version_twice_is_refused() {
    let folder = std::env::temp_dir().join(format!("backstitch-saga-yaml-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let text = document("    delay: 60s\n");
    std::fs::write(folder.join("one.yaml"), &text).unwrap();
    std::fs::write(folder.join("two.yml"), &text).unwrap();
    std::fs::write(folder.join("notes.txt"), "no definition").unwrap();
    let error = load_dir(&folder).unwrap_err().to_string();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(error.contains("two.yml:1:1: version: `tea` version 1 is already defined in"), "{error}");
}
