//! Definitions in files, as a build server sees them: answers and exit codes, with no connection at all.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by falling")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs in the workspace's folder, so that files are called as people call them.
fn definitions(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sagactl"));
    let output = command.env_clear().current_dir(workspace()).arg("definitions").args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The order saga with a slip, in a folder of its own.
fn slipped(right: &str, wrong: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(workspace().join("sagas/order-fulfilment.yaml")).unwrap();
    assert!(text.contains(right), "{right}");
    let file = folder.path().join("order.yaml");
    std::fs::write(&file, text.replacen(right, wrong, 1)).unwrap();
    (folder, file.display().to_string())
}

#[test]
fn what_ships_is_sound() {
    let (code, out, errors) = definitions(&["check", "sagas", "--strict"]);
    assert_eq!((code, errors.as_str()), (0, ""), "{out}");
    assert_eq!(out, "2 definitions are sound: 0 faults, 0 warnings\n");
}

#[test]
fn a_fault_is_told_with_its_place_and_ends_with_2() {
    let (_folder, file) = slipped("amount: saga.data.total_amount", "amount: saga.data.totl_amount");
    let (code, out, errors) = definitions(&["check", &file]);
    assert_eq!((code, errors.as_str()), (2, ""));
    let answer = ":36:15: steps[1].with.amount: in `saga.data.totl_amount`: `OrderPlacedV3` has no field `totl_amount`; \
                  did you mean `total_amount`? [BS0203]";
    assert_eq!(out, format!("{file}{answer}\n1 fault, 0 warnings\n"));

    let (code, out, _) = definitions(&["--json", "check", &file]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["definitions"], &report["warnings"]), (2, &json!([]), &json!([])));
    let fault = &report["faults"][0];
    let parts = ["code", "line", "column", "path", "wrong"].map(|part| fault[part].clone());
    assert_eq!(parts, [json!("BS0203"), json!(36), json!(15), json!("steps[1].with.amount"), json!("totl_amount")]);
    assert!(fault["expected"].as_array().unwrap().contains(&json!("total_amount")));
}

#[test]
fn what_is_no_definition_at_all_ends_with_2_too() {
    let (_folder, file) = slipped("steps:", "stops:");
    let (code, out, _) = definitions(&["check", &file]);
    assert_eq!(code, 2);
    assert!(out.contains("unknown field `stops`; did you mean `steps`? [BS0101]"), "{out}");
    let (code, _, errors) = definitions(&["graph", &file]);
    assert_eq!(code, 2);
    assert!(errors.contains("[BS0101]"), "{errors}");
}

#[test]
fn topics_of_other_teams_are_a_warning_until_their_schemas_are_given() {
    let (folder, file) = slipped("ask: payments.commands", "ask: bank.commands\n    answers_on: payments.events");
    let (code, out, _) = definitions(&["check", &file]);
    assert_eq!(code, 0, "{out}");
    assert!(out.starts_with("warning: ") && out.contains("the schema of `bank.commands` is not known"), "{out}");
    assert!(out.ends_with("order-fulfilment v1 is sound: 0 faults, 1 warning\n"), "{out}");
    assert_eq!(definitions(&["check", &file, "--strict"]).0, 2);

    let schemas = folder.path().join("schemas");
    std::fs::create_dir(&schemas).unwrap();
    let released = workspace().join("libs/contracts/tests/released/0.1.0/payments.commands.avsc");
    std::fs::copy(released, schemas.join("bank.commands.avsc")).unwrap();
    let (code, out, _) = definitions(&["check", &file, "--strict", "--schemas", &schemas.display().to_string()]);
    assert_eq!((code, out.as_str()), (0, "order-fulfilment v1 is sound: 0 faults, 0 warnings\n"));
}

#[test]
fn what_cannot_be_read_ends_with_64() {
    let cases: [(&[&str], &str); 4] = [
        (&["check", "no-such.yaml"], "cannot read `no-such.yaml`: No such file"),
        (&["check", "sagas", "--schemas", "no-such"], "cannot read `no-such`: No such file"),
        (&["graph", "no-such.yaml"], "cannot read `no-such.yaml`: No such file"),
        (&["check"], "FILE"),
    ];
    for (arguments, expected) in cases {
        let (code, _, errors) = definitions(arguments);
        assert_eq!(code, 64, "{arguments:?}: {errors}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_definition_is_drawn_as_text_or_as_a_picture() {
    let (code, chart, _) = definitions(&["graph", "sagas/order-fulfilment.yaml"]);
    assert_eq!(code, 0);
    assert!(chart.starts_with("flowchart TD\n") && chart.contains("undo_step_process_payment"), "{chart}");
    let (code, picture, _) = definitions(&["graph", "sagas/order-fulfilment.yaml", "--format", "svg"]);
    assert_eq!(code, 0);
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"), "{picture}");
}

#[test]
fn the_schema_for_editors_is_the_published_one() {
    let (code, schema, _) = definitions(&["schema"]);
    assert_eq!(code, 0);
    assert_eq!(schema, std::fs::read_to_string(workspace().join("docs/definition.schema.json")).unwrap());
}
