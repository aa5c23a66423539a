//! The program as scripts see it: output and exit codes, against an orchestrator that answers what the test says. That the
//! real one answers so is tested with the orchestrator.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by falling")]

mod fake;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use fake::{sagactl, serve};

const SAGA: &str = "6f17cb67-f784-5ef1-962c-902cc8ce36c9";

/// Answers by path, and shows in each answer to a change what it was sent.
fn orchestrator() -> String {
    serve(Router::new().fallback(answer))
}

async fn answer(request: Request) -> impl IntoResponse {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let named = request.headers().get("authorization").is_some_and(|token| token == "Bearer the token");
    let changes = request.method() == "POST";
    let (status, body) = match path.rsplit('/').next().unwrap() {
        _ if changes && !named => (401, json!({ "detail": "this call needs the role operator" })),
        "sagas" if changes => (200, json!({ "saga_id": SAGA, "status": "advancing", "entries": [] })),
        "sagas" if query.contains("key=order-1") => (200, json!({ "sagas": [summary()] })),
        "sagas" if query.contains("key=twins") => (200, json!({ "sagas": [summary(), summary()] })),
        "sagas" if query.contains("key=") => (200, json!({ "sagas": [] })),
        "sagas" if query.contains("cursor=second") => (200, json!({ "sagas": [summary()] })),
        "sagas" => (200, json!({ "sagas": [summary()], "next": "second" })),
        SAGA => (200, saga()),
        "cancel" => {
            (200, json!({ "saga_id": SAGA, "status": "rolling_back", "entries": [entry(3, "RollbackStarted")] }))
        }
        "pause" if path.contains("payments") => (200, participant("open")),
        "pause" => (202, json!({ "saga_id": SAGA, "status": "advancing", "entries": [] })),
        "retry" => (409, json!({ "detail": "the saga is advancing; retry does nothing in that state" })),
        "projections" => (200, json!({ "projections": [version(1, "live"), version(2, "building")] })),
        "participants" => (200, json!({ "participants": [participant("closed"), participant("half_open")] })),
        "rebuild" if path.contains("orders") => (202, json!({ "name": "orders", "version": 3 })),
        "swap" => (409, json!({ "detail": "version 2 of `orders` is not verified yet" })),
        "resume" => (503, json!({ "detail": "the database does not answer; ask again" })),
        _ => (404, json!({ "detail": "no such saga" })),
    };
    (StatusCode::from_u16(status).unwrap(), axum::Json(body))
}

fn summary() -> Value {
    json!({ "id": SAGA, "definition": "order-fulfilment", "key": "order-1", "status": "completed", "reason": null,
            "started_at": "2026-01-31T12:00:00Z", "finished_at": "2026-01-31T12:00:01Z" })
}

fn participant(breaker: &str) -> Value {
    json!({ "topic": "payments.commands", "breaker": breaker, "since": null, "by": null, "reason": null,
            "in_flight_max": 100, "rate_max": "50/s", "group": "payment", "backlog": 12_000,
            "read_per_second": 812.4, "eta_seconds": 17.9 })
}

/// A version of a read model, half-way if it is being built.
fn version(number: i32, state: &str) -> Value {
    let (progress, eta) = if state == "live" { (json!(1.0), Value::Null) } else { (json!(0.419), json!(96.2)) };
    json!({ "name": "orders", "version": number, "state": state, "progress": progress, "eta_seconds": eta,
            "left": 581, "applied": 419, "skipped": 0, "verdict": null, "verified": false })
}

fn saga() -> Value {
    let mut saga = summary();
    saga["timeline"] = json!([entry(1, "SagaStarted"), entry(2, "StepRequested")]);
    saga
}

fn entry(seq: i64, kind: &str) -> Value {
    json!({ "seq": seq, "kind": kind, "at": "2026-01-31T12:00:00Z", "user_id": "ann", "data": { "step": "reserve-inventory" } })
}

#[test]
fn every_ending_has_its_exit_code() {
    let url = orchestrator();
    let cases: [(&[&str], i32); 18] = [
        (&["start", "order-fulfilment", "order-1"], 0),
        (&["cancel", SAGA], 0),
        (&["pause", SAGA], 75),
        (&["pause", SAGA, "--wait", "0"], 0),
        (&["show", "nobody"], 3),
        (&["retry", SAGA], 4),
        (&["--token", "another", "cancel", SAGA], 5),
        (&["resume", SAGA], 69),
        (&["--orchestrator", "http://127.0.0.1:1", "list"], 69),
        (&["show", "twins"], 64),
        (&["start", "order-fulfilment", "order-1", "--data", "{"], 64),
        (&["dlq", "list"], 64),
        (&["no-such-command"], 64),
        (&["participants", "pause", "payments.commands", "--reason", "the gateway moves"], 0),
        (&["projections", "rebuild", "orders"], 0),
        (&["projections", "swap", "orders"], 4),
        (&["projections", "rebuild", "ordres"], 3),
        (&["projections", "--order", "http://127.0.0.1:1", "list"], 69),
    ];
    for (arguments, code) in cases {
        let (ended, _, errors) = sagactl(&url, arguments);
        assert_eq!(ended, code, "{arguments:?}: {errors}");
        assert_eq!(errors.is_empty(), code == 0 || code == 75, "{arguments:?}: {errors}");
    }
}

#[test]
fn a_saga_is_found_by_its_key() {
    let (code, out, _) = sagactl(&orchestrator(), &["show", "order-1"]);
    assert_eq!(code, 0);
    for shown in [SAGA, "completed", "SagaStarted", "reserve-inventory"] {
        assert!(out.contains(shown), "{out}");
    }
}

#[test]
fn a_list_goes_on_over_pages_up_to_the_limit() {
    let url = orchestrator();
    let count = |limit: &str| {
        let (_, out, _) = sagactl(&url, &["list", "--json", "--limit", limit]);
        serde_json::from_str::<Vec<Value>>(&out).unwrap().len()
    };
    assert_eq!((count("1"), count("10")), (1, 2));
}

#[test]
fn read_models_are_listed_with_how_far_they_are() {
    let url = orchestrator();
    let (code, out, _) = sagactl(&url, &["projections", "list"]);
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(code, 0);
    assert_eq!(lines[2], ["orders", "2", "building", "41", "%", "581", "97", "s", "419", "0", "-"]);
    let (_, out, _) = sagactl(&url, &["projections", "list", "--json"]);
    assert_eq!(serde_json::from_str::<Vec<Value>>(&out).unwrap().len(), 2);
}

#[test]
fn participants_are_listed_with_their_breakers_limits_and_backlogs() {
    let (code, out, _) = sagactl(&orchestrator(), &["participants", "list"]);
    assert_eq!(code, 0);
    let last: Vec<&str> = out.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(last, ["payments.commands", "half", "open", "100", "50/s", "12000", "812", "18", "s"]);
}

#[test]
fn watching_ends_with_the_saga() {
    let (code, out, _) = sagactl(&orchestrator(), &["watch", "order-1"]);
    assert_eq!((code, out.lines().count(), out.lines().last()), (0, 3, Some("completed")));
    let (_, lines, _) = sagactl(&orchestrator(), &["watch", "order-1", "--json"]);
    assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{lines}");
}

#[test]
fn programs_read_errors_too() {
    let (_, _, errors) = sagactl(&orchestrator(), &["--json", "retry", SAGA]);
    let error: Value = serde_json::from_str(&errors).unwrap();
    assert_eq!(
        error,
        json!({ "error": "the saga is advancing; retry does nothing in that state", "code": "BS0904", "exit_code": 4 })
    );
}

#[test]
fn the_manual_and_the_help_agree_on_exit_codes() {
    let (code, help, _) = sagactl("http://127.0.0.1:1", &["--help"]);
    assert_eq!(code, 0);
    let manual = include_str!("../../../docs/sagactl.md");
    let (_, codes) = help.split_once("Exit codes:\n").unwrap();
    assert_eq!(codes.trim().lines().count(), 9);
    for line in codes.trim().lines() {
        let (code, meaning) = line.trim().split_once(' ').unwrap();
        assert!(manual.contains(&format!("| {code} | {} |", meaning.trim())), "{line}");
    }
}
