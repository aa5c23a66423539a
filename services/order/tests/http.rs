//! The order service's door, with events in memory and a broker in memory: what is refused, what is sent, what is shown.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::Arc;

use backstitch_contracts::customers::{self, CustomerRegistered};
use backstitch_contracts::orders::{self, OrderPlacedV3, PlaceOrder};
use backstitch_contracts::{Catalog, Decoder, Encoder, Envelope};
use backstitch_event_store::{AppendRequest, ExpectedVersion, MemoryStore, NewEvent};
use backstitch_messaging::memory::MemoryBroker;
use backstitch_order::domain::{DraftOrder, check};
use backstitch_order::handlers::{Orders, stream};
use backstitch_order::http::{Api, router};
use backstitch_participant_http::{Reader, Sender};
use backstitch_service_kit::config::{AuthSettings, HttpSettings};
use backstitch_service_kit::http::{Guard, app};
use chrono::DateTime;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

const TOKEN: &str = "a token for tests only";
const ORDER: &str = "6f1a4d1e-51b2-4a58-9d1f-0c2f6f3c9d10";

struct Door {
    url: String,
    client: Client,
    broker: MemoryBroker,
    store: Arc<MemoryStore>,
}

impl Door {
    async fn open() -> Self {
        let (broker, store) = (MemoryBroker::new(1), Arc::new(MemoryStore::new()));
        let written = [orders::COMMANDS, customers::EVENTS].map(|topic| {
            broker.create_topic(topic, 1);
            (topic, Encoder::new(&schema(topic), 7).unwrap())
        });
        let sender = Sender::new("order", Arc::new(broker.publisher()), written);
        let routes = router(Api::new(Reader::new(Orders, store.clone()), sender));
        let auth: AuthSettings =
            serde_json::from_value(json!({"tokens": [{"name": "ann", "role": "operator", "token": TOKEN}]})).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = app(&HttpSettings::default(), Guard::new(&auth), routes);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, client: Client::new(), broker, store }
    }

    async fn post(&self, path: &str, body: &Value) -> Response {
        self.client.post(format!("{}{path}", self.url)).bearer_auth(TOKEN).json(body).send().await.unwrap()
    }

    async fn refusal(&self, body: &Value) -> (StatusCode, String) {
        let refused = self.post("/orders", body).await;
        let status = refused.status();
        let problem: Value = refused.json().await.unwrap();
        (status, problem["code"].as_str().unwrap().to_owned())
    }

    async fn order(&self, id: &str) -> Response {
        self.client.get(format!("{}/orders/{id}", self.url)).send().await.unwrap()
    }

    fn sent(&self, topic: &str) -> Vec<Envelope> {
        let decoder = Decoder::new(&Catalog::embedded().unwrap()).unwrap();
        decoder.learn(7, &schema(topic)).unwrap();
        let records = self.broker.records(topic);
        records.iter().map(|record| decoder.decode(topic, record.value.as_deref().unwrap()).unwrap()).collect()
    }

    /// As the lane leaves it after the command.
    fn is_placed(&self, body: &Value) -> OrderPlacedV3 {
        let command: PlaceOrder = serde_json::from_value(body.clone()).unwrap();
        let placed = check(&DraftOrder::from(command)).unwrap();
        let event = NewEvent {
            event_id: Uuid::nil(),
            event_type: "OrderPlaced".to_owned(),
            event_version: 3,
            aggregate_type: "Order".to_owned(),
            occurred_at: DateTime::UNIX_EPOCH,
            correlation_id: Uuid::nil(),
            causation_id: None,
            user_id: None,
            data: serde_json::to_value(&placed).unwrap(),
            metadata: json!({"source": "order"}),
        };
        let append = AppendRequest::new().write(stream(placed.order_id), ExpectedVersion::NoStream, vec![event]);
        self.store.append_now(append).unwrap();
        placed
    }
}

fn schema(topic: &str) -> String {
    Catalog::embedded().unwrap().topic(topic).unwrap().schema.as_ref().unwrap().to_string()
}

fn good() -> Value {
    json!({
        "order_id": ORDER,
        "customer_id": "11111111-1111-1111-1111-111111111111",
        "order_items": [{"product_id": "lamp", "quantity": 2, "unit_price": 1050}],
        "currency": "EUR",
        "shipping_address": {"line1": "1 Main St", "city": "Berlin", "postal_code": "10115", "country": "DE"},
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut body = good();
    body[field] = value;
    body
}

#[tokio::test]
async fn a_good_order_is_sent_as_a_command_under_its_own_key() {
    let door = Door::open().await;
    let accepted = door.post("/orders", &good()).await;
    assert_eq!(accepted.status(), StatusCode::ACCEPTED);
    assert_eq!(accepted.headers()["location"], format!("/orders/{ORDER}"));
    assert_eq!(accepted.json::<Value>().await.unwrap()["total_amount"], 2100);

    let sent = door.sent(orders::COMMANDS);
    let command: PlaceOrder = sent[0].typed().unwrap();
    assert_eq!((sent.len(), command.order_id.to_string().as_str()), (1, ORDER));
    assert_eq!(sent[0].user_id.as_deref(), Some("ann"));
    assert_eq!(door.broker.records(orders::COMMANDS)[0].key.as_deref(), Some(ORDER.as_bytes()));
}

#[tokio::test]
async fn an_order_sent_twice_is_one_command() {
    let door = Door::open().await;
    door.post("/orders", &good()).await;
    door.post("/orders", &good()).await;
    let sent = door.sent(orders::COMMANDS);
    assert_eq!(sent[0].event_id, sent[1].event_id);
}

#[tokio::test]
async fn an_order_without_an_id_gets_one_of_its_own() {
    let door = Door::open().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let accepted: Value = door.post("/orders", &with("order_id", Value::Null)).await.json().await.unwrap();
        ids.push(accepted["order_id"].clone());
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn each_rule_is_answered_with_its_code_and_nothing_is_sent() {
    let door = Door::open().await;
    let line = |quantity: i64, price: i64| json!([{"product_id": "lamp", "quantity": quantity, "unit_price": price}]);
    let rules = [
        (with("order_items", json!([])), "order_needs_items"),
        (with("order_items", line(0, 5)), "order_quantity_not_positive"),
        (with("order_items", line(1, 0)), "order_price_not_positive"),
        (with("order_items", line(2, i64::MAX)), "order_total_too_large"),
        (with("shipping_address", Value::Null), "order_needs_shipping_address"),
        (with("currency", json!("euro")), "currency_invalid"),
        (with("order_items", json!([{"product_id": "", "quantity": 1, "unit_price": 1}])), "product_invalid"),
    ];
    for (body, code) in rules {
        assert_eq!(door.refusal(&body).await, (StatusCode::UNPROCESSABLE_ENTITY, code.to_owned()));
    }
    assert_eq!(door.sent(orders::COMMANDS), []);
}

#[tokio::test]
async fn an_order_that_is_placed_is_told_so_and_another_under_its_id_is_a_conflict() {
    let door = Door::open().await;
    door.is_placed(&good());
    let again = door.post("/orders", &good()).await;
    assert_eq!(again.status(), StatusCode::OK);
    assert_eq!(again.json::<Value>().await.unwrap()["status"], "pending_inventory");

    let other = with("currency", json!("USD"));
    assert_eq!(door.refusal(&other).await, (StatusCode::CONFLICT, "order_already_placed".to_owned()));
    assert_eq!(door.sent(orders::COMMANDS), []);
}

#[tokio::test]
async fn nobody_places_an_order_without_a_token() {
    let door = Door::open().await;
    let refused = door.client.post(format!("{}/orders", door.url)).json(&good()).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(door.sent(orders::COMMANDS), []);
}

#[tokio::test]
async fn a_placed_order_is_shown_and_an_unknown_one_is_not_found() {
    let door = Door::open().await;
    assert_eq!(door.order(ORDER).await.status(), StatusCode::NOT_FOUND);
    door.is_placed(&good());
    let shown: Value = door.order(ORDER).await.json().await.unwrap();
    assert_eq!((&shown["status"], &shown["total_amount"]), (&json!("pending_inventory"), &json!(2100)));
    assert_eq!(shown["shipping_address"]["city"], "Berlin");
    assert_eq!(shown["order_items"][0]["line_total"], 2100);
}

#[tokio::test]
async fn a_customer_is_made_known_under_the_customers_key() {
    let door = Door::open().await;
    let id = "11111111-1111-1111-1111-111111111111";
    let body = json!({"customer_id": id, "name": "Ada", "email": "ada@example.org"});
    assert_eq!(door.post("/customers", &body).await.status(), StatusCode::ACCEPTED);
    let registered: CustomerRegistered = door.sent(customers::EVENTS)[0].typed().unwrap();
    assert_eq!(registered.name, "Ada");
    assert_eq!(door.broker.records(customers::EVENTS)[0].key.as_deref(), Some(id.as_bytes()));

    let nameless = json!({"name": " ", "email": "ada@example.org"});
    assert_eq!(door.post("/customers", &nameless).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn the_door_describes_itself() {
    let door = Door::open().await;
    let described: Value =
        door.client.get(format!("{}/openapi.json", door.url)).send().await.unwrap().json().await.unwrap();
    let paths: Vec<&String> = described["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/customers", "/orders", "/orders/{id}"]);
}
