//! The registry's client against a FAKE registry inside this process: a few routes that answer like Confluent's, and
//! that can be told to fail. What a real registry does is shown on the real stack; here it is how ours bears failures.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]
#![expect(clippy::result_large_err, reason = "the fake's handlers answer their errors whole")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use backstitch_messaging_kafka::registry::{BACKWARD_TRANSITIVE, ChangeError, FindError, Registry, RegistrySettings};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// How the fake behaves, and what it has seen.
#[derive(Default)]
struct Fake {
    trouble: Mutex<Trouble>,
    schemas: Mutex<BTreeMap<u32, String>>,
    levels: Mutex<BTreeMap<String, String>>,
    asked: AtomicUsize,
    authorizations: Mutex<Vec<String>>,
}

#[derive(Default, Clone, Copy)]
enum Trouble {
    #[default]
    None,
    Unavailable,
    /// A proxy in front that knows nothing of the registry.
    ForeignNotFound,
}

impl Fake {
    async fn start() -> (Arc<Self>, Registry) {
        let fake = Arc::new(Self::default());
        let url = serve(Arc::clone(&fake)).await;
        (fake, Registry::new(RegistrySettings::at(url)).unwrap())
    }

    fn trouble(&self, trouble: Trouble) {
        *self.trouble.lock().unwrap() = trouble;
    }

    fn holds(&self, id: u32, schema: &str) {
        self.schemas.lock().unwrap().insert(id, schema.to_owned());
    }

    /// Counts the call, and answers for the trouble of the hour.
    fn begin(&self, headers: &HeaderMap) -> Result<(), Response> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if let Some(value) = headers.get("authorization") {
            self.authorizations.lock().unwrap().push(value.to_str().unwrap().to_owned());
        }
        match *self.trouble.lock().unwrap() {
            Trouble::None => Ok(()),
            Trouble::Unavailable => Err((StatusCode::SERVICE_UNAVAILABLE, Html("try later")).into_response()),
            Trouble::ForeignNotFound => Err((StatusCode::NOT_FOUND, Html("no such route")).into_response()),
        }
    }
}

async fn serve(fake: Arc<Fake>) -> String {
    let routes = Router::new()
        .route("/schemas/ids/{id}", get(schema))
        .route("/subjects/{subject}", post(id_of))
        .route("/subjects/{subject}/versions", post(register).get(versions))
        .route("/subjects/{subject}/versions/latest", get(latest))
        .route("/compatibility/subjects/{subject}/versions/{version}", post(compatible))
        .route("/config/{subject}", put(set_level))
        .with_state(fake);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}")
}

type Answer = Result<Json<Value>, Response>;

fn problem(status: StatusCode, code: u32, message: &str) -> Response {
    (status, Json(json!({ "error_code": code, "message": message }))).into_response()
}

async fn schema(State(fake): State<Arc<Fake>>, Path(id): Path<u32>, headers: HeaderMap) -> Answer {
    fake.begin(&headers)?;
    match fake.schemas.lock().unwrap().get(&id) {
        Some(schema) => Ok(Json(json!({ "schema": schema }))),
        None => Err(problem(StatusCode::NOT_FOUND, 40403, "Schema not found")),
    }
}

fn posted(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["schemaType"], "AVRO");
    body["schema"].as_str().unwrap().to_owned()
}

async fn id_of(State(fake): State<Arc<Fake>>, headers: HeaderMap, body: String) -> Answer {
    fake.begin(&headers)?;
    let wanted = posted(&body);
    match fake.schemas.lock().unwrap().iter().find(|(_, schema)| **schema == wanted) {
        Some((id, schema)) => Ok(Json(json!({ "id": id, "version": 1, "schema": schema }))),
        None => Err(problem(StatusCode::NOT_FOUND, 40403, "Schema not found")),
    }
}

async fn register(State(fake): State<Arc<Fake>>, headers: HeaderMap, body: String) -> Answer {
    fake.begin(&headers)?;
    let schema = posted(&body);
    if schema.contains("misfit") {
        return Err(problem(StatusCode::CONFLICT, 409, "reader field missing"));
    }
    let mut schemas = fake.schemas.lock().unwrap();
    let id = u32::try_from(schemas.len()).unwrap() + 1;
    schemas.insert(id, schema);
    Ok(Json(json!({ "id": id })))
}

async fn versions(State(fake): State<Arc<Fake>>, headers: HeaderMap) -> Answer {
    fake.begin(&headers)?;
    let count = fake.schemas.lock().unwrap().len();
    match count {
        0 => Err(problem(StatusCode::NOT_FOUND, 40401, "Subject not found")),
        count => Ok(Json(json!((1..=count).collect::<Vec<_>>()))),
    }
}

async fn latest(State(fake): State<Arc<Fake>>, headers: HeaderMap) -> Answer {
    fake.begin(&headers)?;
    match fake.schemas.lock().unwrap().last_key_value() {
        Some((id, schema)) => Ok(Json(json!({ "id": id, "version": id, "schema": schema }))),
        None => Err(problem(StatusCode::NOT_FOUND, 40401, "Subject not found")),
    }
}

async fn compatible(
    State(fake): State<Arc<Fake>>,
    Path((_, version)): Path<(String, u32)>,
    headers: HeaderMap,
    body: String,
) -> Answer {
    fake.begin(&headers)?;
    let fits = !(posted(&body).contains("misfit") && version == 2);
    Ok(Json(json!({ "is_compatible": fits })))
}

async fn set_level(
    State(fake): State<Arc<Fake>>,
    Path(subject): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Answer {
    fake.begin(&headers)?;
    let body: Value = serde_json::from_str(&body).unwrap();
    fake.levels.lock().unwrap().insert(subject, body["compatibility"].as_str().unwrap().to_owned());
    Ok(Json(body))
}

#[tokio::test]
async fn a_schema_once_found_is_not_asked_for_again() {
    let (fake, registry) = Fake::start().await;
    fake.holds(7, "\"string\"");
    assert_eq!(&*registry.schema(7).await.unwrap(), "\"string\"");
    fake.trouble(Trouble::Unavailable);
    assert_eq!(&*registry.clone().schema(7).await.unwrap(), "\"string\"");
    assert_eq!(fake.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_outage_heals_by_itself() {
    let (fake, registry) = Fake::start().await;
    fake.holds(7, "\"string\"");
    fake.trouble(Trouble::Unavailable);
    for _ in 0..3 {
        assert!(matches!(registry.schema(7).await, Err(FindError::Unavailable { .. })));
    }
    fake.trouble(Trouble::None);
    assert_eq!(&*registry.schema(7).await.unwrap(), "\"string\"");
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_an_outage() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let registry = Registry::new(RegistrySettings::at(format!("http://{address}"))).unwrap();
    assert!(matches!(registry.schema(1).await, Err(FindError::Unavailable { .. })));
    assert!(matches!(registry.check("orders.events-value", "\"int\"").await, Err(ChangeError::Unavailable { .. })));
}

#[tokio::test]
async fn a_schema_that_is_registered_later_is_found_later() {
    let (fake, registry) = Fake::start().await;
    let missing = registry.schema(7).await.unwrap_err();
    assert_eq!(missing.to_string(), "the schema registry has no schema 7");
    assert!(matches!(missing, FindError::NotFound { .. }));
    fake.holds(7, "\"string\"");
    assert!(registry.schema(7).await.is_ok());
}

#[tokio::test]
async fn a_proxys_not_found_is_no_word_on_schemas() {
    let (fake, registry) = Fake::start().await;
    fake.holds(7, "\"string\"");
    fake.trouble(Trouble::ForeignNotFound);
    assert!(matches!(registry.schema(7).await, Err(FindError::Unavailable { .. })));
    assert!(matches!(registry.latest("orders.events-value").await, Err(FindError::Unavailable { .. })));
    assert!(matches!(registry.check("orders.events-value", "\"int\"").await, Err(ChangeError::Unavailable { .. })));
}

#[tokio::test]
async fn many_who_want_one_schema_ask_once() {
    let (fake, registry) = Fake::start().await;
    fake.holds(7, "\"string\"");
    let found = join_all((0..20).map(|_| registry.schema(7))).await;
    assert!(found.iter().all(|schema| schema.as_deref() == Ok("\"string\"")));
    assert_eq!(fake.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn many_who_fail_together_fail_once_and_then_find_it() {
    let (fake, registry) = Fake::start().await;
    fake.trouble(Trouble::Unavailable);
    let failed = join_all((0..20).map(|_| registry.schema(7))).await;
    assert!(failed.iter().all(|schema| matches!(schema, Err(FindError::Unavailable { .. }))));
    assert_eq!(fake.asked.load(Ordering::SeqCst), 1);
    fake.trouble(Trouble::None);
    fake.holds(7, "\"string\"");
    assert!(registry.schema(7).await.is_ok());
}

#[tokio::test]
async fn a_look_up_that_its_caller_gave_up_stands_in_nobodys_way() {
    let (fake, registry) = Fake::start().await;
    fake.holds(7, "\"string\"");
    let mut given_up = Box::pin(registry.schema(7));
    assert!(futures::poll!(given_up.as_mut()).is_pending());
    drop(given_up);
    assert!(registry.schema(7).await.is_ok());
}

#[tokio::test]
async fn an_id_is_looked_up_without_registering() {
    let (fake, registry) = Fake::start().await;
    assert!(matches!(registry.id_of("orders.events-value", "\"int\"").await, Err(FindError::NotFound { .. })));
    assert!(matches!(registry.latest("orders.events-value").await, Err(FindError::NotFound { .. })));
    assert!(fake.schemas.lock().unwrap().is_empty());

    let id = registry.register("orders.events-value", "\"int\"").await.unwrap();
    assert_eq!(registry.id_of("orders.events-value", "\"int\"").await.unwrap(), id);
    let latest = registry.latest("orders.events-value").await.unwrap();
    assert_eq!((latest.id, latest.schema.as_str()), (id, "\"int\""));
}

#[tokio::test]
async fn a_misfit_is_named_by_the_versions_it_does_not_fit() {
    let (fake, registry) = Fake::start().await;
    assert_eq!(registry.check("orders.events-value", "\"misfit\"").await.unwrap(), Vec::<u32>::new());
    fake.holds(1, "\"int\"");
    fake.holds(2, "\"long\"");
    assert_eq!(registry.check("orders.events-value", "\"misfit\"").await.unwrap(), vec![2]);
    assert_eq!(registry.check("orders.events-value", "\"double\"").await.unwrap(), Vec::<u32>::new());
    let refused = registry.register("orders.events-value", "\"misfit\"").await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the schema registry refuses a schema for `orders.events-value`: reader field missing"
    );
}

#[tokio::test]
async fn compatibility_is_set_for_the_subject() {
    let (fake, registry) = Fake::start().await;
    registry.set_compatibility("orders.events-value", BACKWARD_TRANSITIVE).await.unwrap();
    assert_eq!(fake.levels.lock().unwrap()["orders.events-value"], "BACKWARD_TRANSITIVE");
}

#[tokio::test]
async fn credentials_go_with_every_call_and_into_no_log() {
    let fake = Arc::new(Fake::default());
    let settings: RegistrySettings = serde_json::from_value(json!({
        "url": serve(Arc::clone(&fake)).await, "username": "ada", "password": "s3cret-word"
    }))
    .unwrap();
    let registry = Registry::new(settings.clone()).unwrap();
    let _ = registry.schema(1).await;
    let _ = registry.set_compatibility("a-value", BACKWARD_TRANSITIVE).await;
    // ada:s3cret-word
    assert_eq!(*fake.authorizations.lock().unwrap(), vec!["Basic YWRhOnMzY3JldC13b3Jk"; 2]);
    let shown = format!("{registry:?} {settings:?} {}", serde_json::to_string(&settings).unwrap());
    assert!(shown.contains("ada") && !shown.contains("s3cret-word"), "{shown}");
}

#[test]
fn settings_that_do_not_go_together_are_refused_before_anything_is_sent() {
    let refusal = |settings| Registry::new(settings).unwrap_err().to_string();
    let half = RegistrySettings { key_location: Some("/key.pem".into()), ..RegistrySettings::at("http://registry") };
    assert_eq!(refusal(half), "a certificate of our own needs `cert_location` and `key_location`");
    assert_eq!(refusal(RegistrySettings::at("registry")), "`registry` is no address of a schema registry");
    let lost = RegistrySettings { ca_location: Some("/no/ca.pem".into()), ..RegistrySettings::at("http://registry") };
    assert_eq!(refusal(lost), "the file `/no/ca.pem` cannot be read");
}
