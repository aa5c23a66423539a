//! The surroundings of routes, over a real socket.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::{get, post};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::serve::pages;
use super::{Admin, Body, Guard, Operator, Readiness, Viewer, app};
use crate::config::{AuthSettings, HttpSettings, Role, TokenSettings};
use crate::metrics::Metrics;
use crate::tasks::ShutdownToken;

const ANN: &str = "ann's long random token";
const BOB: &str = "bob's long random token";

fn tokens() -> AuthSettings {
    let plain = |name: &str, role, token: &str| TokenSettings {
        name: name.into(),
        role,
        token: Some(token.to_owned().into()),
        sha256: None,
    };
    // The digest of "zoe's long random token".
    let zoe = TokenSettings {
        name: "zoe".into(),
        role: Role::Admin,
        token: None,
        sha256: Some(sha256("zoe's long random token")),
    };
    AuthSettings {
        tokens: vec![plain("ann", Role::Operator, ANN), plain("bob", Role::Viewer, BOB), zoe],
        read_requires_token: false,
    }
}

fn sha256(text: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn routes() -> Router {
    Router::new()
        .route(
            "/orders",
            get(async |Viewer(caller): Viewer| caller.map_or("nobody".to_owned(), |c| c.name.to_string())),
        )
        .route("/orders/cancel", post(async |Operator(caller): Operator| caller.name.to_string()))
        .route("/wipe", post(async |Admin(caller): Admin| caller.name.to_string()))
        .route("/echo", post(async |Body(value): Body<Vec<u32>>| value.len().to_string()))
        .route(
            "/panics",
            get(async || {
                if true {
                    panic!("no luck")
                }
            }),
        )
        .route("/hangs", get(async || std::future::pending::<()>().await))
}

struct Server {
    address: SocketAddr,
    readiness: Readiness,
    shutdown: ShutdownToken,
}

async fn serve(http: HttpSettings, auth: AuthSettings) -> Server {
    let shutdown = ShutdownToken::new();
    let readiness = Readiness::new(shutdown.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app(&http, Guard::new(&auth), routes()).merge(pages(readiness.clone(), Metrics::detached()));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Server { address, readiness, shutdown }
}

impl Server {
    async fn get(&self, path: &str, token: Option<&str>) -> (StatusCode, String) {
        let request = reqwest::Client::new().get(format!("http://{}{path}", self.address));
        Self::send(request, token).await
    }

    async fn post(&self, path: &str, token: Option<&str>) -> (StatusCode, Value) {
        let request = reqwest::Client::new().post(format!("http://{}{path}", self.address));
        let (status, text) = Self::send(request, token).await;
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn send(request: reqwest::RequestBuilder, token: Option<&str>) -> (StatusCode, String) {
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let response = request.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }
}

#[tokio::test]
async fn a_change_is_made_by_someone_with_a_name_and_the_role() {
    let server = serve(HttpSettings::default(), tokens()).await;
    assert_eq!(server.post("/orders/cancel", Some(ANN)).await, (StatusCode::OK, json!("ann")));
    assert_eq!(server.post("/wipe", Some("zoe's long random token")).await, (StatusCode::OK, json!("zoe")));

    let (status, problem) = server.post("/orders/cancel", None).await;
    assert_eq!((status, &problem["code"]), (StatusCode::UNAUTHORIZED, &json!("unauthorised")));
    assert!(problem["detail"].as_str().unwrap().contains("the role operator"), "{problem}");

    let (status, _) = server.post("/orders/cancel", Some("a token nobody gave out")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);

    let (status, problem) = server.post("/orders/cancel", Some(BOB)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(problem["detail"], "`bob` has the role viewer; this call needs the role operator");
}

#[tokio::test]
async fn reading_is_open_unless_the_settings_say_otherwise() {
    let open = serve(HttpSettings::default(), tokens()).await;
    assert_eq!(open.get("/orders", None).await, (StatusCode::OK, "nobody".to_owned()));
    assert_eq!(open.get("/orders", Some(BOB)).await, (StatusCode::OK, "bob".to_owned()));

    let closed = serve(HttpSettings::default(), AuthSettings { read_requires_token: true, ..tokens() }).await;
    assert_eq!(closed.get("/orders", None).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(closed.get("/orders", Some(BOB)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn whatever_goes_wrong_is_answered_as_a_problem() {
    let http = HttpSettings { body_bytes_max: 8, timeout_seconds: 0, ..HttpSettings::default() };
    let strict = serve(http, tokens()).await;
    let server = serve(HttpSettings::default(), tokens()).await;
    let cases = [
        (server.get("/nowhere", None).await, 404, "no_such_route"),
        (server.get("/echo", None).await, 405, "method_not_allowed"),
        (server.get("/panics", None).await, 500, "internal"),
        (strict.get("/hangs", None).await, 504, "timeout"),
        (Server::send(echo(&server, "[-1]"), None).await, 422, "body_unreadable"),
        (Server::send(echo(&server, "[1"), None).await, 400, "body_unreadable"),
    ];
    for ((status, text), expected, code) in cases {
        let problem: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status.as_u16(), problem["code"].as_str()), (expected, Some(code)), "{text}");
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let server = serve(HttpSettings { body_bytes_max: 8, ..HttpSettings::default() }, tokens()).await;
    let (status, _) = Server::send(echo(&server, "[1,2,3,4,5,6]"), None).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

fn echo(server: &Server, body: &'static str) -> reqwest::RequestBuilder {
    let request = reqwest::Client::new().post(format!("http://{}/echo", server.address));
    request.header("content-type", "application/json").body(body)
}

#[tokio::test]
async fn too_many_requests_at_once_are_told_to_come_again_while_health_still_answers() {
    let server = serve(HttpSettings { concurrency_max: 0, ..HttpSettings::default() }, tokens()).await;
    let (status, text) = server.get("/orders", None).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("overloaded"), "{text}");
    assert_eq!(server.get("/livez", None).await.0, StatusCode::OK);
}

#[tokio::test]
async fn readiness_names_what_is_missing() {
    let server = serve(HttpSettings::default(), tokens()).await;
    assert_eq!(server.get("/readyz", None).await.0, StatusCode::OK);

    let lanes = server.readiness.switch("lanes", "no lane is claimed yet");
    server.readiness.check("disk", || std::future::ready(Ok(())));
    let (status, text) = server.get("/readyz", None).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let page: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(page["failing"], json!(["lanes"]));
    assert_eq!(page["checks"], json!({ "lanes": "no lane is claimed yet", "disk": "ok" }));

    lanes.set(true);
    assert_eq!(server.get("/readyz", None).await.0, StatusCode::OK);
    server.shutdown.cancel();
    let (status, text) = server.get("/readyz", None).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("draining"), "{text}");
}
