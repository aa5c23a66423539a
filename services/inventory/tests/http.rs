//! The inventory service's door, with events in memory and a broker in memory: what is refused, what is sent, what is
//! shown.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::Arc;

use backstitch_contracts::inventory::{COMMANDS, ReceiveStock};
use backstitch_contracts::{Catalog, Decoder, Encoder, Envelope};
use backstitch_event_store::{AppendRequest, ExpectedVersion, MemoryStore, NewEvent};
use backstitch_inventory::handlers::{Warehouse, receipt_stream, stock_stream};
use backstitch_inventory::http::{Api, router};
use backstitch_messaging::memory::MemoryBroker;
use backstitch_participant_http::{Reader, Sender};
use backstitch_service_kit::config::{AuthSettings, HttpSettings};
use backstitch_service_kit::http::{Guard, app};
use chrono::{DateTime, TimeDelta};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

const TOKEN: &str = "a token for tests only";

struct Door {
    url: String,
    client: Client,
    broker: MemoryBroker,
    store: Arc<MemoryStore>,
}

impl Door {
    async fn open() -> Self {
        let (broker, store) = (MemoryBroker::new(1), Arc::new(MemoryStore::new()));
        broker.create_topic(COMMANDS, 1);
        let sender =
            Sender::new("inventory", Arc::new(broker.publisher()), [(COMMANDS, Encoder::new(&schema(), 7).unwrap())]);
        let warehouse = Warehouse { hold: TimeDelta::minutes(15) };
        let routes = router(Api::new(Reader::new(warehouse, store.clone()), sender));
        let auth: AuthSettings =
            serde_json::from_value(json!({"tokens": [{"name": "ann", "role": "operator", "token": TOKEN}]})).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = app(&HttpSettings::default(), Guard::new(&auth), routes);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, client: Client::new(), broker, store }
    }

    async fn receive(&self, query: &str, body: &Value) -> Response {
        let url = format!("{}/stock{query}", self.url);
        self.client.post(url).bearer_auth(TOKEN).json(body).send().await.unwrap()
    }

    async fn stock(&self, product: &str) -> Response {
        self.client.get(format!("{}/stock/{product}", self.url)).send().await.unwrap()
    }

    fn sent(&self) -> Vec<Envelope> {
        let decoder = Decoder::new(&Catalog::embedded().unwrap()).unwrap();
        decoder.learn(7, &schema()).unwrap();
        let records = self.broker.records(COMMANDS);
        records.iter().map(|record| decoder.decode(COMMANDS, record.value.as_deref().unwrap()).unwrap()).collect()
    }

    /// As the lane leaves it after the command.
    fn is_counted(&self, command: &Envelope) {
        let ReceiveStock { receipt_id, product_id, quantity } = command.typed().unwrap();
        let event = |event_id: u128, event_type: &str, data: Value| NewEvent {
            event_id: Uuid::from_u128(event_id),
            event_type: event_type.to_owned(),
            event_version: 1,
            aggregate_type: "Receipt".to_owned(),
            occurred_at: DateTime::UNIX_EPOCH,
            correlation_id: Uuid::nil(),
            causation_id: Some(command.event_id),
            user_id: None,
            data,
            metadata: json!({"source": "inventory"}),
        };
        let added = event(1, "StockAdded", json!({"receipt_id": receipt_id, "quantity": quantity}));
        let received = event(2, "StockReceived", command.data.clone());
        let append = AppendRequest::new()
            .write(stock_stream(&product_id), ExpectedVersion::NoStream, vec![added])
            .write(receipt_stream(&receipt_id), ExpectedVersion::NoStream, vec![received]);
        self.store.append_now(append).unwrap();
    }
}

fn schema() -> String {
    Catalog::embedded().unwrap().topic(COMMANDS).unwrap().schema.as_ref().unwrap().to_string()
}

fn delivery() -> Value {
    json!({"receipt_id": "r-1", "product_id": "lamp", "quantity": 5})
}

#[tokio::test]
async fn goods_are_sent_as_one_command_however_often_they_are_reported() {
    let door = Door::open().await;
    for _ in 0..2 {
        assert_eq!(door.receive("", &delivery()).await.status(), StatusCode::ACCEPTED);
    }
    let sent = door.sent();
    let command: ReceiveStock = sent[0].typed().unwrap();
    assert_eq!((command.receipt_id.as_str(), command.quantity.units()), ("r-1", 5));
    assert_eq!(sent[0].event_id, sent[1].event_id);
}

#[tokio::test]
async fn whoever_waits_is_told_once_the_goods_count() {
    let door = Door::open().await;
    door.receive("", &delivery()).await;
    door.is_counted(&door.sent()[0]);
    let counted = door.receive("?wait=20", &delivery()).await;
    assert_eq!(counted.status(), StatusCode::OK);
    assert_eq!(counted.json::<Value>().await.unwrap(), json!({"receipt_id": "r-1", "is_counted": true}));
}

#[tokio::test]
async fn stock_is_shown_and_an_unknown_product_is_not_found() {
    let door = Door::open().await;
    assert_eq!(door.stock("lamp").await.status(), StatusCode::NOT_FOUND);
    door.receive("", &delivery()).await;
    door.is_counted(&door.sent()[0]);
    let shown: Value = door.stock("lamp").await.json().await.unwrap();
    assert_eq!(shown, json!({"product_id": "lamp", "received": 5, "claimed": 0, "available": 5}));
}

#[tokio::test]
async fn goods_that_cannot_be_counted_are_refused_and_nothing_is_sent() {
    let door = Door::open().await;
    let wrong = [
        (json!({"product_id": "lamp", "quantity": 0}), "quantity_invalid"),
        (json!({"product_id": "", "quantity": 1}), "product_invalid"),
        (json!({"receipt_id": "", "product_id": "lamp", "quantity": 1}), "receipt_id_invalid"),
    ];
    for (body, code) in wrong {
        let refused = door.receive("", &body).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.json::<Value>().await.unwrap()["code"], code);
    }
    assert_eq!(door.sent(), []);
}

#[tokio::test]
async fn nobody_takes_goods_in_without_a_token() {
    let door = Door::open().await;
    let refused = door.client.post(format!("{}/stock", door.url)).json(&delivery()).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
}
