//! Changes to many sagas at once, as scripts see them: which ones are meant, that nothing is done unasked, and the sums.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by falling")]

mod fake;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use fake::{sagactl, serve};

const OLD: &str = "aaaa1111";
const NEW: &str = "bbbb2222";

/// What was asked of the orchestrator: filters of lists, and changes.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<String>>>);

impl Asked {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn changes(&self) -> Vec<String> {
        let mut changes: Vec<String> = self.all().into_iter().filter(|asked| asked.starts_with("POST")).collect();
        changes.sort();
        changes
    }

    /// The filters of the first page that was asked for.
    fn filters(&self) -> BTreeMap<String, String> {
        let all = self.all();
        let page = all.iter().find_map(|asked| asked.strip_prefix("GET /sagas?")).unwrap();
        let pairs = page.split('&').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// An orchestrator with so many sagas, two a page. Saga 3 has moved on meanwhile; of the fourth nothing is seen in time.
fn orchestrator(count: usize) -> (String, Asked) {
    let asked = Asked::default();
    let noted = asked.clone();
    let answer = move |request: Request| {
        let noted = noted.clone();
        async move { answer(&noted, count, request).await }
    };
    (serve(Router::new().fallback(answer)), asked)
}

async fn answer(asked: &Asked, count: usize, request: Request) -> Response {
    let (method, uri) = (request.method().to_string(), request.uri().to_string());
    let path = request.uri().path().to_owned();
    let named = request.headers().get("authorization").is_some_and(|token| token == "Bearer the token");
    let body = axum::body::to_bytes(request.into_body(), 10_000).await.unwrap();
    asked.0.lock().unwrap().push(format!("{method} {uri} {}", String::from_utf8_lossy(&body)).trim().to_owned());
    let (status, body) = match (method.as_str(), path.as_str()) {
        ("GET", "/definitions") => {
            (200, json!([{ "hash": NEW, "name": "tea", "version": 2 }, { "hash": OLD, "name": "tea", "version": 1 }]))
        }
        ("GET", path) if path == format!("/definitions/{OLD}/migration") || path == "/sagas" => {
            (200, page(count, &uri))
        }
        ("POST", _) if !named => (403, json!({ "detail": "this call needs the role operator" })),
        ("POST", path) if path.starts_with("/sagas/saga-3/") => {
            (409, json!({ "detail": "the saga is completed; pause does nothing in that state" }))
        }
        ("POST", path) if path.starts_with("/sagas/saga-4/") => (202, json!({ "status": "advancing", "entries": [] })),
        ("POST", path) if path.starts_with("/sagas/saga-5/") => {
            (503, json!({ "detail": "the database does not answer" }))
        }
        ("POST", _) => (200, json!({ "status": "paused", "entries": [] })),
        _ => (404, json!({ "detail": "no such page" })),
    };
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}

/// Two sagas a page; where a migration is asked for, the second cannot move.
fn page(count: usize, uri: &str) -> Value {
    let from: usize =
        uri.split_once("cursor=").map_or(1, |(_, cursor)| cursor.split('&').next().unwrap().parse().unwrap());
    let until = (from + 2).min(count + 1);
    let sagas = (from..until).map(|number| {
        let obstacles = if number == 2 { json!(["there is no step `boil`"]) } else { json!([]) };
        json!({ "id": format!("saga-{number}"), "key": format!("key-{number}"), "definition": "tea", "status": "stuck",
                "started_at": "2026-01-31T12:00:00Z", "obstacles": obstacles })
    });
    json!({ "sagas": sagas.collect::<Vec<_>>(), "next": (until <= count).then(|| until.to_string()) })
}

#[test]
fn a_change_reaches_every_saga_of_every_page_with_its_reason() {
    let (url, asked) = orchestrator(2);
    let (code, out, errors) =
        sagactl(&url, &["retry", "--all", "--definition", "tea", "--yes", "--reason", "mended", "--wait", "1"]);
    assert_eq!((code, out.as_str(), errors.as_str()), (0, "2 done\n", ""));
    let expected = ["saga-1", "saga-2"].map(|id| format!(r#"POST /sagas/{id}/retry?wait=1.0 {{"reason":"mended"}}"#));
    assert_eq!(asked.changes(), expected);
}

#[test]
fn more_sagas_than_are_changed_at_once_are_all_changed() {
    let (url, asked) = orchestrator(101);
    let (code, out, _) = sagactl(&url, &["cancel", "--all", "--definition", "tea", "--yes", "--json", "--wait", "0"]);
    let tally: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &tally["done"], asked.changes().len()), (69, &json!(98), 101), "{tally}");
}

#[test]
fn only_sagas_that_the_change_has_an_effect_on_are_asked_for_unless_others_are_named() {
    let cases = [
        ("pause", "advancing%2Crolling_back"),
        ("resume", "paused"),
        ("cancel", "advancing%2Cpaused%2Cstuck"),
        ("retry", "stuck"),
        ("skip", "stuck"),
        ("abandon", "stuck"),
    ];
    for (what, statuses) in cases {
        let (url, asked) = orchestrator(0);
        let (code, out, _) = sagactl(&url, &[what, "--all", "--definition", "tea"]);
        assert_eq!((code, out.as_str()), (0, "0 done\n"), "{what}");
        assert_eq!(asked.filters()["status"], statuses, "{what}");
    }
    let (url, asked) = orchestrator(0);
    let more = ["--status", "advancing", "--search", "cups=4", "--older-than", "1h"];
    sagactl(&url, &[&["pause", "--all", "--definition", "tea"][..], &more].concat());
    let filters = asked.filters();
    assert_eq!((filters["status"].as_str(), filters["definition"].as_str()), ("advancing", "tea"));
    assert_eq!(filters["where"], "%7B%22cups%22%3A%224%22%7D");
    assert!(filters.contains_key("until"), "{filters:?}");
}

#[test]
fn a_dry_run_names_the_sagas_and_changes_nothing() {
    let (url, asked) = orchestrator(3);
    let (code, out, _) = sagactl(&url, &["pause", "--all", "--definition", "tea", "--dry-run"]);
    assert_eq!((code, asked.changes().len()), (0, 0));
    assert!(out.contains("key-3") && out.ends_with("pause would be sent to 3 sagas\n"), "{out}");
}

#[test]
fn nothing_is_changed_unless_somebody_says_yes() {
    let (url, asked) = orchestrator(1);
    let (code, _, errors) = sagactl(&url, &["abandon", "--all", "--definition", "tea"]);
    assert_eq!((code, asked.changes().len()), (64, 0));
    assert!(errors.contains("abandon 1 saga of tea? There is nobody to ask: say --yes"), "{errors}");
}

#[test]
fn the_sums_say_what_became_of_each_and_the_exit_code_what_matters_most() {
    let tally = |count: usize, wait: &str| {
        let (url, _) = orchestrator(count);
        sagactl(&url, &["pause", "--all", "--definition", "tea", "--yes", "--wait", wait])
    };
    let (code, out, _) = tally(3, "1");
    assert_eq!((code, out.lines().last()), (4, Some("2 done, 1 not applicable")));
    assert!(out.contains("key-3") && out.contains("the saga is completed"), "{out}");
    let (code, out, _) = tally(4, "1");
    assert_eq!((code, out.lines().last()), (75, Some("2 done, 1 not seen yet, 1 not applicable")));
    assert_eq!(tally(4, "0").0, 4, "who does not wait has not missed anything");
    let (code, out, _) = tally(5, "1");
    assert_eq!((code, out.lines().last()), (69, Some("2 done, 1 not seen yet, 1 not applicable, 1 failed")));
}

#[test]
fn whoever_may_not_is_told_once() {
    let (url, _) = orchestrator(40);
    let (code, _, errors) = sagactl(&url, &["--token", "another", "pause", "--all", "--definition", "tea", "--yes"]);
    assert_eq!((code, errors.lines().count()), (5, 1), "{errors}");
}

#[test]
fn one_saga_or_all_of_a_definition_are_meant_and_never_both() {
    let cases: [&[&str]; 5] = [
        &["pause"],
        &["pause", "--all"],
        &["pause", "saga-1", "--all", "--definition", "tea"],
        &["pause", "saga-1", "--status", "stuck"],
        &["pause", "--all", "--definition", "tea", "--older-than", "soon"],
    ];
    for arguments in cases {
        assert_eq!(sagactl("http://127.0.0.1:1", arguments).0, 64, "{arguments:?}");
    }
}

#[test]
fn a_migration_that_is_only_tried_out_says_which_sagas_cannot_move_and_why() {
    let (url, asked) = orchestrator(3);
    let (code, out, _) = sagactl(&url, &["definitions", "migrate", "--from", "aaaa", "--to", "bbbb", "--dry-run"]);
    assert_eq!((code, out.lines().last(), asked.changes().len()), (2, Some("2 can move, 1 cannot"), 0), "{out}");
    assert!(out.contains("cannot move  there is no step `boil`"), "{out}");
    let (url, _) = orchestrator(1);
    assert_eq!(sagactl(&url, &["definitions", "migrate", "--from", OLD, "--to", NEW, "--dry-run"]).0, 0);
}

#[test]
fn a_migration_moves_what_can_move_and_says_what_stayed() {
    let (url, asked) = orchestrator(2);
    let arguments =
        ["definitions", "migrate", "--from", "aaaa", "--to", "bbbb", "--yes", "--reason", "mended", "--wait", "1"];
    let (code, out, _) = sagactl(&url, &arguments);
    assert_eq!((code, out.lines().last()), (4, Some("1 done, 1 not applicable")), "{out}");
    assert!(out.contains("there is no step `boil`"), "{out}");
    assert_eq!(asked.changes(), [format!(r#"POST /sagas/saga-1/migrate?wait=1.0 {{"reason":"mended","to":"{NEW}"}}"#)]);
}

#[test]
fn a_definition_is_named_by_the_beginning_of_its_hash() {
    let (url, _) = orchestrator(0);
    assert_eq!(sagactl(&url, &["definitions", "migrate", "--from", "cccc", "--to", NEW]).0, 3);
    assert_eq!(sagactl(&url, &["definitions", "migrate", "--from", "", "--to", NEW]).0, 64);
    assert_eq!(sagactl(&url, &["definitions", "migrate", "--from", OLD, "--to", NEW]).0, 0);
}
