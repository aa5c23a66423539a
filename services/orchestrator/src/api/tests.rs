//! The API over HTTP on a real Postgres, with the engine itself as the lane: what a caller sends is decided and stored at
//! once. What Kafka does in between is tested elsewhere.

use std::sync::Arc;

use async_trait::async_trait;
use backstitch_contracts::saga::{CancelSaga, MigrateSaga, PauseSaga, ResumeSaga, StartSaga};
use backstitch_contracts::{Envelope, Payload};
use backstitch_saga::{
    By, Definition, Input, Move, SagaId, Start, State, Timestamp, decide, decide_move, evolve, migrate::moved_to,
};
use backstitch_service_kit::config::{AuthSettings, HttpSettings, Role, TokenSettings};
use backstitch_service_kit::http::{Guard, app};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Api, CommandSink, SendCommandError, router};
use crate::{own_database, store};

const OPERATOR: &str = "ann's long random token";
const DEFINITION: &str = "order-fulfilment";

/// A lane without Kafka: decides by the engine and stores what follows.
struct Lane {
    db: PgPool,
    definition: Arc<Definition>,
    /// What sagas may be moved to.
    later: Arc<Definition>,
}

#[async_trait]
impl CommandSink for Lane {
    async fn send(&self, key: &str, command: Envelope) -> Result<(), SendCommandError> {
        let id = self.definition.saga_id(key).as_uuid();
        let (state, seq) = self.stored(id).await;
        let at = Timestamp::from_micros(Utc::now().timestamp_micros());
        let mut now = state;
        let mut entries = Vec::new();
        let decided = if command.event_type == MigrateSaga::EVENT_TYPE {
            let wish: MigrateSaga = command.typed().unwrap();
            let by = By { who: command.user_id.clone().unwrap(), why: wish.reason };
            let to = Some(&*self.later).filter(|later| later.hash() == wish.to_hash);
            decide_move(&self.definition, &Move { hash: &wish.to_hash, to, by: &by }, &now, at, &[])
        } else {
            decide(&self.definition, &now, &input(&command), at)
        };
        for event in decided {
            if let Some(hash) = moved_to(&event) {
                let move_it =
                    sqlx::query("UPDATE saga.sagas SET definition_hash = $1 WHERE id = $2").bind(hash).bind(id);
                move_it.execute(&self.db).await.unwrap();
            }
            now = evolve(now, &event);
            entries.push(serde_json::to_value(&event).unwrap());
        }
        if !entries.is_empty() {
            self.store(id, key, seq, &now, entries, &command).await;
        }
        Ok(())
    }
}

impl Lane {
    async fn stored(&self, id: Uuid) -> (State, i64) {
        let row: Option<(Json<State>, i64)> = sqlx::query_as("SELECT state, seq FROM saga.sagas WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.db)
            .await
            .unwrap();
        row.map_or((State::default(), 0), |(state, seq)| (state.0, seq))
    }

    async fn store(&self, id: Uuid, key: &str, seq: i64, state: &State, entries: Vec<Value>, command: &Envelope) {
        let count = i64::try_from(entries.len()).unwrap();
        sqlx::query(
            "INSERT INTO saga.sagas (id, lane, definition, definition_hash, key, seq, status, reason, correlation_id, state,
                                     started_at, updated_at, finished_at)
             VALUES ($1, 0, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp(), clock_timestamp(), $10)
             ON CONFLICT (id) DO UPDATE SET seq = $5, status = $6, reason = $7, state = $9, finished_at = $10",
        )
        .bind(id)
        .bind(DEFINITION)
        .bind(self.definition.hash())
        .bind(key)
        .bind(seq + count)
        .bind(state.status())
        .bind(state.reason())
        .bind(command.correlation_id)
        .bind(Json(state))
        .bind(state.finished_at().and_then(|at| DateTime::from_timestamp_micros(at.as_micros())))
        .execute(&self.db)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO saga.journal (started_at, saga_id, seq, at, caused_by, user_id, input, entries)
             SELECT started_at, id, $2, now(), $3, $4, 'saga.commands/0/1', $5 FROM saga.sagas WHERE id = $1",
        )
        .bind(id)
        .bind(seq + 1)
        .bind(command.event_id)
        .bind(&command.user_id)
        .bind(Json(entries))
        .execute(&self.db)
        .await
        .unwrap();
    }
}

fn input(command: &Envelope) -> Input {
    let why = command.data["reason"].as_str().map(ToOwned::to_owned);
    let by = By { who: command.user_id.clone().unwrap(), why };
    match command.event_type.as_str() {
        StartSaga::EVENT_TYPE => {
            let start: StartSaga = command.typed().unwrap();
            Input::Start(Start {
                key: start.key,
                data: serde_json::from_str(&start.data).unwrap(),
                started_by: None,
                event_id: command.event_id,
                correlation_id: command.correlation_id,
                user_id: command.user_id.clone(),
                parent: None,
            })
        }
        CancelSaga::EVENT_TYPE => Input::Cancel { by },
        PauseSaga::EVENT_TYPE => Input::Pause { by },
        ResumeSaga::EVENT_TYPE => Input::Resume { by },
        other => panic!("the tests send no {other}"),
    }
}

/// A lane that takes commands and does nothing, as one that is far behind.
struct Asleep;

#[async_trait]
impl CommandSink for Asleep {
    async fn send(&self, _: &str, _: Envelope) -> Result<(), SendCommandError> {
        Ok(())
    }
}

struct Orchestrator {
    url: String,
    http: reqwest::Client,
    db: PgPool,
    definition: Arc<Definition>,
    later: Arc<Definition>,
}

/// An orchestrator's API on a database of its own, beside one whose lane is asleep.
async fn orchestrator() -> (Orchestrator, String) {
    let db = own_database::create().await;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sagas/order-fulfilment.yaml");
    let definition = Arc::new(backstitch_saga_yaml::load_file(file.as_ref()).unwrap());
    let later =
        Arc::new(crate::samples::later_order_fulfilment(r#""to":"ReserveInventory""#, r#""to":"BookInventory""#));
    let mut connection = db.acquire().await.unwrap();
    for kept in [&definition, &later] {
        let body = serde_json::from_str(kept.to_canonical_json()).unwrap();
        store::keep_definition(kept.hash(), DEFINITION, kept.version(), body, &mut connection).await.unwrap();
    }
    let lane = Lane { db: db.clone(), definition: definition.clone(), later: later.clone() };
    let url = serve(&db, Arc::new(lane), &definition).await;
    let asleep = serve(&db, Arc::new(Asleep), &definition).await;
    (Orchestrator { url, http: reqwest::Client::new(), db, definition, later }, asleep)
}

async fn serve(db: &PgPool, commands: Arc<dyn CommandSink>, definition: &Arc<Definition>) -> String {
    let token = TokenSettings {
        name: "ann".into(),
        role: Role::Operator,
        token: Some(OPERATOR.to_owned().into()),
        sha256: None,
    };
    let guard = Guard::new(&AuthSettings { tokens: vec![token], read_requires_token: false });
    let routes = router(Api::new(db.clone(), commands, std::slice::from_ref(definition)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = app(&HttpSettings::default(), guard, routes);
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

impl Orchestrator {
    async fn get(&self, path: &str) -> (u16, Value) {
        answered(self.http.get(format!("{}{path}", self.url))).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        answered(self.http.post(format!("{}{path}", self.url)).bearer_auth(OPERATOR).json(&body)).await
    }

    async fn end(self) {
        own_database::drop(self.db).await;
    }

    async fn start(&self, key: &str) -> Value {
        let (status, outcome) = self.post("/sagas", start(key)).await;
        assert_eq!(status, 200, "{outcome}");
        outcome
    }
}

async fn answered(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn start(key: &str) -> Value {
    let data = json!({
        "order_id": key, "customer_id": "c-1", "total_amount": 100, "currency": "EUR",
        "order_items": [{ "product_id": "p-1", "quantity": 1, "unit_price": 100, "line_total": 100 }],
        "shipping_address": { "line1": "Street 1", "city": "Town", "postal_code": "1", "country": "DE" },
    });
    json!({ "definition": DEFINITION, "key": key, "data": data })
}

#[tokio::test]
async fn a_started_saga_is_found_and_tells_its_story() {
    let (orchestrator, _) = orchestrator().await;
    let outcome = orchestrator.start("order-1").await;
    assert_eq!(outcome["saga_id"], json!(SagaId::derive(DEFINITION, "order-1")));

    let (_, page) = orchestrator.get("/sagas?key=order-1&status=advancing").await;
    assert_eq!(page["sagas"][0]["id"], outcome["saga_id"]);

    let (status, saga) = orchestrator.get(&format!("/sagas/{}", outcome["saga_id"].as_str().unwrap())).await;
    assert_eq!(
        (status, &saga["steps"], &saga["data"]["order_id"]),
        (200, &json!(["reserve-inventory"]), &json!("order-1"))
    );
    let kinds: Vec<&str> =
        saga["timeline"].as_array().unwrap().iter().filter_map(|entry| entry["kind"].as_str()).collect();
    assert_eq!(kinds, ["SagaStarted", "StepRequested"]);
    assert_eq!(saga["timeline"][0]["user_id"], "ann");
    assert_eq!(saga["timeline"][0]["caused_by"], outcome["command_id"]);
    assert_eq!(saga["journal_dropped"], false);
    orchestrator.end().await;
}

#[tokio::test]
async fn a_saga_whose_journal_was_dropped_says_so_and_does_not_start_again() {
    let (orchestrator, _) = orchestrator().await;
    let saga = orchestrator.start("order-1").await["saga_id"].as_str().unwrap().to_owned();
    sqlx::query("DELETE FROM saga.journal").execute(&orchestrator.db).await.unwrap();
    let (status, shown) = orchestrator.get(&format!("/sagas/{saga}")).await;
    assert_eq!((status, &shown["journal_dropped"], &shown["timeline"]), (200, &json!(true), &json!([])));
    // The end of a timeline is no gap.
    let (_, rest) = orchestrator.get(&format!("/sagas/{saga}?after=2")).await;
    assert_eq!(rest["journal_dropped"], false);
    assert_eq!(orchestrator.start("order-1").await["entries"], json!([]));
    orchestrator.end().await;
}

#[tokio::test]
async fn starting_twice_is_starting_once() {
    let (orchestrator, _) = orchestrator().await;
    let first = orchestrator.start("order-1").await;
    let second = orchestrator.start("order-1").await;
    assert_eq!((&first["saga_id"], &second["entries"]), (&second["saga_id"], &json!([])));
    let journaled: i64 =
        sqlx::query_scalar("SELECT count(*) FROM saga.journal_entries").fetch_one(&orchestrator.db).await.unwrap();
    assert_eq!(journaled, 2);
    orchestrator.end().await;
}

#[tokio::test]
async fn a_change_is_journaled_with_the_name_and_the_reason_of_who_made_it() {
    let (orchestrator, _) = orchestrator().await;
    let saga = orchestrator.start("order-1").await["saga_id"].as_str().unwrap().to_owned();
    let (status, outcome) = orchestrator.post(&format!("/sagas/{saga}/cancel"), json!({ "reason": "a double" })).await;
    assert_eq!((status, &outcome["status"]), (200, &json!("rolling_back")), "{outcome}");
    let entry = &outcome["entries"][0];
    assert_eq!((&entry["kind"], &entry["user_id"]), (&json!("RollbackStarted"), &json!("ann")));
    assert!(entry["data"].to_string().contains("a double"), "{entry}");
    orchestrator.end().await;
}

#[tokio::test]
async fn what_does_not_fit_the_state_is_refused_with_the_state() {
    let (orchestrator, _) = orchestrator().await;
    let saga = orchestrator.start("order-1").await["saga_id"].as_str().unwrap().to_owned();
    for what in ["resume", "retry", "skip", "abandon"] {
        let (status, problem) = orchestrator.post(&format!("/sagas/{saga}/{what}"), json!({})).await;
        assert_eq!(
            (status, &problem["code"], &problem["status"]),
            (409, &json!("state_conflict"), &json!("advancing")),
            "{what}"
        );
    }
    assert_eq!(orchestrator.post(&format!("/sagas/{saga}/pause"), json!({})).await.1["status"], "paused");
    assert_eq!(orchestrator.post(&format!("/sagas/{saga}/resume"), json!({})).await.1["status"], "advancing");
    orchestrator.end().await;
}

#[tokio::test]
async fn what_is_unknown_is_told_as_such() {
    let (orchestrator, _) = orchestrator().await;
    let nobody = Uuid::nil();
    let cases = [
        orchestrator.get(&format!("/sagas/{nobody}")).await,
        orchestrator.post(&format!("/sagas/{nobody}/cancel"), json!({})).await,
        orchestrator.post("/sagas", json!({ "definition": "no-such", "key": "k" })).await,
        orchestrator.get("/definitions/0000").await,
    ];
    let told: Vec<_> = cases.iter().map(|(status, problem)| (*status, problem["code"].as_str().unwrap())).collect();
    assert_eq!(
        told,
        [(404, "saga_unknown"), (404, "saga_unknown"), (404, "definition_unknown"), (404, "definition_unknown")]
    );
    orchestrator.end().await;
}

#[tokio::test]
async fn what_is_too_large_is_told_before_it_becomes_a_dead_letter() {
    let (orchestrator, _) = orchestrator().await;
    let saga = orchestrator.start("order-1").await["saga_id"].as_str().unwrap().to_owned();
    let (large, key, reason) = ("x".repeat(70_000), "k".repeat(201), "because ".repeat(200));
    let cases = [
        orchestrator.post("/sagas", json!({ "definition": DEFINITION, "key": "k", "data": { "note": &large } })).await,
        orchestrator.post(&format!("/sagas/{saga}/signal/paid"), json!({ "data": &large })).await,
        orchestrator.post("/sagas", start(&key)).await,
        orchestrator.post(&format!("/sagas/{saga}/cancel"), json!({ "reason": &reason })).await,
    ];
    let told: Vec<_> = cases.iter().map(|(status, problem)| (*status, problem["code"].as_str().unwrap())).collect();
    let expected =
        [(422, "data_too_large"), (422, "data_too_large"), (400, "key_out_of_range"), (400, "reason_too_long")];
    assert_eq!(told, expected);
    orchestrator.end().await;
}

#[tokio::test]
async fn nobody_changes_a_saga_without_a_token() {
    let (orchestrator, _) = orchestrator().await;
    let saga = orchestrator.start("order-1").await["saga_id"].as_str().unwrap().to_owned();
    for path in ["/sagas".to_owned(), format!("/sagas/{saga}/cancel"), format!("/sagas/{saga}/signal/paid")] {
        let request = orchestrator.http.post(format!("{}{path}", orchestrator.url)).json(&start("order-2"));
        assert_eq!(answered(request).await.0, 401, "{path}");
    }
    assert_eq!(orchestrator.get(&format!("/sagas/{saga}")).await.1["status"], "advancing");
    orchestrator.end().await;
}

#[tokio::test]
async fn a_command_whose_effect_does_not_show_is_accepted() {
    let (orchestrator, asleep) = orchestrator().await;
    let saga = orchestrator.start("order-1").await["saga_id"].as_str().unwrap().to_owned();
    for (path, body) in [(format!("/sagas/{saga}/cancel"), json!({})), ("/sagas".to_owned(), start("order-2"))] {
        let request = orchestrator.http.post(format!("{asleep}{path}?wait=0.05")).bearer_auth(OPERATOR).json(&body);
        let (status, outcome) = answered(request).await;
        assert_eq!((status, &outcome["entries"]), (202, &json!([])), "{path}");
        assert!(outcome["command_id"].is_string());
    }
    orchestrator.end().await;
}

#[tokio::test]
async fn pages_show_every_saga_once_newest_first() {
    let (orchestrator, _) = orchestrator().await;
    for number in 0..7 {
        orchestrator.start(&format!("order-{number}")).await;
    }
    let (mut keys, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, page) = orchestrator.get(&format!("/sagas?limit=3{cursor}")).await;
        keys.extend(page["sagas"].as_array().unwrap().iter().map(|saga| saga["key"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let newest_first: Vec<String> = (0..7).rev().map(|number| format!("order-{number}")).collect();
    assert_eq!(keys, newest_first);
    for wrong in ["limit=0", "cursor=x", "status=happy", "colour=red"] {
        assert_eq!(orchestrator.get(&format!("/sagas?{wrong}")).await.0, 400, "{wrong}");
    }
    let (_, stuck) = orchestrator.get("/stuck").await;
    assert_eq!(stuck["sagas"], json!([]));
    orchestrator.end().await;
}

#[tokio::test]
async fn sagas_are_found_by_their_search_attributes() {
    let (orchestrator, _) = orchestrator().await;
    for (number, attributes) in
        [r#"{"customer":"ann","city":"Rome"}"#, r#"{"customer":"bob","city":"Rome"}"#].into_iter().enumerate()
    {
        orchestrator.start(&format!("order-{number}")).await;
        sqlx::query("UPDATE saga.sagas SET search = $1::jsonb WHERE key = $2")
            .bind(attributes)
            .bind(format!("order-{number}"))
            .execute(&orchestrator.db)
            .await
            .unwrap();
    }
    orchestrator.start("order-2").await;
    for (wanted, keys) in [
        (r#"{"customer":"bob"}"#, vec!["order-1"]),
        (r#"{"city":"Rome"}"#, vec!["order-1", "order-0"]),
        (r#"{"city":"Rome","customer":"ann"}"#, vec!["order-0"]),
        (r#"{"city":"Oslo"}"#, vec![]),
        ("{}", vec!["order-2", "order-1", "order-0"]),
    ] {
        let (_, page) = orchestrator.get(&format!("/sagas?where={wanted}")).await;
        let found: Vec<&str> =
            page["sagas"].as_array().unwrap().iter().filter_map(|saga| saga["key"].as_str()).collect();
        assert_eq!(found, keys, "{wanted}");
    }
    let (_, page) = orchestrator.get("/sagas?key=order-1").await;
    assert_eq!(page["sagas"][0]["search"], json!({ "customer": "bob", "city": "Rome" }));
    assert_eq!(orchestrator.get("/sagas?where=customer").await.0, 400);
    orchestrator.end().await;
}

#[tokio::test]
async fn a_participant_s_clocks_stand_still_and_run_again_as_a_person_says() {
    let (orchestrator, _) = orchestrator().await;
    let (_, listed) = orchestrator.get("/participants").await;
    let found = listed["participants"].as_array().unwrap();
    let topics: Vec<&str> = found.iter().filter_map(|one| one["topic"].as_str()).collect();
    assert_eq!(topics, ["inventory.commands", "orders.commands", "payments.commands", "shipping.commands"]);
    assert!(found.iter().all(|one| one["breaker"] == "closed"), "{listed}");

    let (status, paused) =
        orchestrator.post("/participants/payments.commands/pause", json!({ "reason": "the gateway moves" })).await;
    assert_eq!((status, &paused["breaker"], &paused["by"]), (200, &json!("open"), &json!("ann")));
    assert_eq!(paused["reason"], "the gateway moves");
    let since = paused["since"].clone();
    let (_, again) = orchestrator.post("/participants/payments.commands/pause", json!({})).await;
    assert_eq!((&again["since"], &again["reason"]), (&since, &Value::Null));

    let (_, resumed) = orchestrator.post("/participants/payments.commands/resume", json!({})).await;
    assert_eq!((&resumed["breaker"], &resumed["since"]), (&json!("closed"), &Value::Null));
    let openings: i64 =
        sqlx::query_scalar("SELECT count(*) FROM saga.openings").fetch_one(&orchestrator.db).await.unwrap();
    assert_eq!(openings, 1);
    let (status, problem) = orchestrator.post("/participants/nobody.commands/pause", json!({})).await;
    assert_eq!((status, &problem["code"]), (404, &json!("participant_unknown")));
    let anonymous = orchestrator.http.post(format!("{}/participants/payments.commands/pause", orchestrator.url));
    assert_eq!(answered(anonymous).await.0, 401);
    orchestrator.end().await;
}

#[tokio::test]
async fn a_saga_tells_whom_it_waits_for_and_how_many_are_before_it() {
    let (orchestrator, _) = orchestrator().await;
    for number in 0..3 {
        orchestrator.start(&format!("order-{number}")).await;
        let open = json!([{ "step": "reserve-inventory", "attempt": 0, "try_number": 1, "since": 5, "waiting": {
            "for": "turn", "participant": "inventory.commands", "queued_at": 10 - number, "until": null,
            "raises_try": false } }]);
        sqlx::query("UPDATE saga.sagas SET state = jsonb_set(state::jsonb, '{open}', $1)::json WHERE key = $2")
            .bind(Json(open))
            .bind(format!("order-{number}"))
            .execute(&orchestrator.db)
            .await
            .unwrap();
    }
    let id = orchestrator.definition.saga_id("order-0");
    let (_, saga) = orchestrator.get(&format!("/sagas/{id}")).await;
    let wait = &saga["waits"][0];
    assert_eq!((&wait["participant"], &wait["before"]), (&json!("inventory.commands"), &json!(2)), "{saga}");
    orchestrator.end().await;
}

#[tokio::test]
async fn definitions_are_shown_and_the_api_describes_itself() {
    let (orchestrator, _) = orchestrator().await;
    let (_, definitions) = orchestrator.get("/definitions").await;
    assert_eq!((&definitions[0]["startable"], &definitions[1]["startable"]), (&json!(false), &json!(true)));
    let hash = orchestrator.definition.hash();
    let (_, definition) = orchestrator.get(&format!("/definitions/{hash}")).await;
    assert_eq!(definition["body"]["saga"], DEFINITION);
    let (_, description) = orchestrator.get("/openapi.json").await;
    let paths: Vec<&String> = description["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths.len(), 17, "{paths:?}");
    for (path, methods) in description["paths"].as_object().unwrap() {
        let change = methods.get("post");
        assert!(change.is_none_or(|change| change["security"] == json!([{ "token": [] }])), "{path}");
    }
    orchestrator.end().await;
}

#[tokio::test]
async fn what_can_move_is_moved_and_what_cannot_says_why() {
    let (orchestrator, _) = orchestrator().await;
    let (from, to) = (orchestrator.definition.hash(), orchestrator.later.hash());
    let movable = orchestrator.start("order-1").await["saga_id"].as_str().unwrap().to_owned();
    let bound = orchestrator.start("order-2").await["saga_id"].as_str().unwrap().to_owned();
    orchestrator.start("order-3").await;
    // What was sent says something else there; on its way back that does not matter any more.
    orchestrator.post(&format!("/sagas/{movable}/cancel"), json!({})).await;
    let (status, page) = orchestrator.get(&format!("/definitions/{from}/migration?to={to}&limit=2")).await;
    assert_eq!((status, page["sagas"].as_array().unwrap().len()), (200, 2), "{page}");
    assert!(page["sagas"][0]["obstacles"][0].as_str().unwrap().contains("BookInventory"), "{page}");
    let next = page["next"].as_str().unwrap();
    let (_, rest) = orchestrator.get(&format!("/definitions/{from}/migration?to={to}&limit=2&cursor={next}")).await;
    let one = &rest["sagas"][0];
    assert_eq!((&one["key"], &one["obstacles"], &rest["next"]), (&json!("order-1"), &json!([]), &Value::Null));

    let refused = json!({ "to": to });
    let (status, problem) = orchestrator.post(&format!("/sagas/{bound}/migrate"), refused.clone()).await;
    assert_eq!((status, &problem["code"]), (409, &json!("cannot_move")), "{problem}");
    let (status, outcome) = orchestrator.post(&format!("/sagas/{movable}/migrate"), refused.clone()).await;
    assert_eq!((status, &outcome["entries"][0]["kind"]), (200, &json!("DefinitionMoved")), "{outcome}");
    assert_eq!(orchestrator.post(&format!("/sagas/{movable}/migrate"), refused).await.0, 409, "it is there already");
    let (_, page) = orchestrator.get(&format!("/sagas?definition_hash={to}")).await;
    assert_eq!((&page["sagas"][0]["id"], page["sagas"].as_array().unwrap().len()), (&json!(movable), 1));
    let unknown = orchestrator.post(&format!("/sagas/{bound}/migrate"), json!({ "to": "no-such" })).await;
    assert_eq!((unknown.0, &unknown.1["code"]), (404, &json!("definition_unknown")));
    assert_eq!(orchestrator.post(&format!("/sagas/{bound}/migrate"), json!({})).await.1["code"], "body_unreadable");
    orchestrator.end().await;
}
