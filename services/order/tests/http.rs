//! The order service's door, with events in memory and a broker in memory: what is refused, what is sent, what is shown.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use backstitch_contracts::customers::{self, CustomerRegistered};
use backstitch_contracts::orders::{self, OrderPlacedV3, PlaceOrder};
use backstitch_contracts::{Catalog, Decoder, Encoder, Envelope};
use backstitch_event_store::{AppendRequest, ExpectedVersion, MemoryStore, NewEvent};
use backstitch_messaging::memory::MemoryBroker;
use backstitch_order::domain::{DraftOrder, check};
use backstitch_order::handlers::{Orders, stream};
use backstitch_order::http::{Api, router};
use backstitch_order::read::{
    CustomerTotal, OrderFilter, OrderRow, Place, Queries, QueryError, SalesFilter, SalesRow, StockRow, models,
};
use backstitch_participant_http::{Reader, Sender};
use backstitch_service_kit::config::{AuthSettings, HttpSettings};
use backstitch_service_kit::http::{Guard, app};
use chrono::{DateTime, NaiveDate};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::net::TcpListener;
use uuid::Uuid;

const TOKEN: &str = "a token for tests only";
const ADMIN: &str = "an administrator's token";
const ORDER: &str = "6f1a4d1e-51b2-4a58-9d1f-0c2f6f3c9d10";

struct Door {
    url: String,
    client: Client,
    broker: MemoryBroker,
    store: Arc<MemoryStore>,
    read: Arc<ReadModels>,
}

/// FAKE read models: what a test puts in, they tell; what they are asked, they remember.
#[derive(Default)]
struct ReadModels {
    orders: Mutex<Vec<OrderRow>>,
    sales: Mutex<Vec<SalesRow>>,
    asked: Mutex<Vec<OrderFilter>>,
    asked_sales: Mutex<Vec<SalesFilter>>,
}

#[async_trait]
impl Queries for ReadModels {
    async fn order(&self, order_id: Uuid) -> Result<Option<OrderRow>, QueryError> {
        Ok(self.orders.lock().unwrap().iter().find(|row| row.order_id == order_id).cloned())
    }

    async fn orders(&self, filter: &OrderFilter) -> Result<Vec<OrderRow>, QueryError> {
        self.asked.lock().unwrap().push(filter.clone());
        let limit = usize::try_from(filter.limit).unwrap();
        Ok(self.orders.lock().unwrap().iter().take(limit).cloned().collect())
    }

    async fn totals(&self, customer_id: Uuid) -> Result<Vec<CustomerTotal>, QueryError> {
        Ok(vec![CustomerTotal { customer_id, currency: "EUR".into(), orders: 2, cancelled: 1, amount: 2_100 }])
    }

    async fn stock(&self, _after: Option<&str>, _limit: i64) -> Result<Vec<StockRow>, QueryError> {
        Ok(vec![StockRow { product_id: "lamp".into(), received: 10, reserved: 2, sold: 3 }])
    }

    async fn stock_of(&self, product_id: &str) -> Result<Option<StockRow>, QueryError> {
        Ok(self.stock(None, 1).await?.into_iter().find(|row| row.product_id == product_id))
    }

    async fn sales(&self, filter: &SalesFilter) -> Result<Vec<SalesRow>, QueryError> {
        self.asked_sales.lock().unwrap().push(filter.clone());
        let limit = usize::try_from(filter.limit).unwrap();
        Ok(self.sales.lock().unwrap().iter().take(limit).cloned().collect())
    }
}

/// A row as a projection leaves it, placed so many seconds after the beginning of time.
fn row(order_id: &str, second: i64) -> OrderRow {
    let at = DateTime::from_timestamp(second, 0);
    serde_json::from_value(json!({
        "order_id": order_id, "status": "pending_inventory", "customer_id": ORDER, "customer_name": "Ada",
        "customer_email": null, "total_amount": 2_100, "currency": "EUR", "flow": "orchestrated",
        "items": [{"product_id": "lamp", "quantity": 2, "unit_price": 1_050, "line_total": 2_100}],
        "shipping_address": {"line1": "1 Main St", "city": "Berlin", "postal_code": "10115", "country": "DE"},
        "payment_id": null, "tracking_number": null, "carrier": null, "placed_at": at, "reserved_at": null,
        "confirmed_at": null, "shipped_at": null, "delivered_at": null, "cancelled_at": null, "reason": null,
        "version": 1, "shipment_version": 0, "last_updated": at,
    }))
    .unwrap()
}

impl Door {
    async fn open() -> Self {
        let (broker, store) = (MemoryBroker::new(1), Arc::new(MemoryStore::new()));
        let written = [orders::COMMANDS, customers::EVENTS].map(|topic| {
            broker.create_topic(topic, 1);
            (topic, Encoder::new(&schema(topic), 7).unwrap())
        });
        let sender = Sender::new("order", Arc::new(broker.publisher()), written);
        let read = Arc::new(ReadModels::default());
        // Never reached: what the tests ask of projections is answered before the database is.
        let nowhere = PgPool::connect_lazy("postgres://nobody@127.0.0.1:1/nothing").unwrap();
        let api = Api::new(Reader::new(Orders::default(), store.clone()), sender, read.clone());
        let routes = router(api, models(nowhere).unwrap());
        let auth: AuthSettings = serde_json::from_value(json!({"tokens": [
            {"name": "ann", "role": "operator", "token": TOKEN}, {"name": "zoe", "role": "admin", "token": ADMIN},
        ]}))
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = app(&HttpSettings::default(), Guard::new(&auth), routes);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, client: Client::new(), broker, store, read }
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

    async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    /// Status and code of an answer that is a problem.
    async fn problem(&self, path: &str) -> (u16, String) {
        let answer = self.get(path).await;
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.unwrap()["code"].as_str().unwrap_or_default().to_owned())
    }

    fn shows(&self, rows: impl IntoIterator<Item = OrderRow>) {
        self.read.orders.lock().unwrap().extend(rows);
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
    let told: Value = accepted.json().await.unwrap();
    assert_eq!((&told["total_amount"], &told["version"]), (&json!(2100), &json!(1)));

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
    assert_eq!(door.problem(&format!("/orders/{ORDER}")).await, (404, "order_unknown".to_owned()));
    door.shows([row(ORDER, 0)]);
    let shown: Value = door.get(&format!("/orders/{ORDER}")).await.json().await.unwrap();
    assert_eq!((&shown["status"], &shown["total_amount"]), (&json!("pending_inventory"), &json!(2100)));
    assert_eq!(shown["shipping_address"]["city"], "Berlin");
    assert_eq!(shown["order_items"][0]["line_total"], 2100);
    assert_eq!(shown["customer_name"], "Ada");
}

#[tokio::test]
async fn an_order_that_only_others_have_spoken_of_is_not_found() {
    let door = Door::open().await;
    door.shows([OrderRow { placed_at: None, ..row(ORDER, 0) }]);
    assert_eq!(door.problem(&format!("/orders/{ORDER}")).await, (404, "order_unknown".to_owned()));
}

#[tokio::test]
async fn whoever_names_a_version_waits_until_it_shows() {
    let door = Door::open().await;
    let path = format!("/orders/{ORDER}?version=1&wait=20");
    let (shown, ()) = tokio::join!(door.get(&path), async { door.shows([row(ORDER, 0)]) });
    assert_eq!(shown.status(), StatusCode::OK);
    assert_eq!(shown.json::<Value>().await.unwrap()["version"], 1);
}

#[tokio::test]
async fn a_version_that_does_not_show_in_time_is_told_with_the_one_that_does() {
    let door = Door::open().await;
    let path = format!("/orders/{ORDER}?version=2&wait=0");
    assert_eq!(door.problem(&path).await, (503, "version_not_reached".to_owned()));
    door.shows([row(ORDER, 0)]);
    let told = door.get(&path).await;
    assert!(told.headers().contains_key("retry-after"));
    assert_eq!(told.json::<Value>().await.unwrap()["version"], 1);
}

#[tokio::test]
async fn a_page_ends_with_the_place_where_the_next_begins() {
    let door = Door::open().await;
    let ids = [1_u128, 2, 3].map(|id| Uuid::from_u128(id).to_string());
    door.shows(ids.iter().zip([30, 20, 10]).map(|(id, second)| row(id, second)));
    let page: Value = door.get("/orders?limit=2&status=cancelled").await.json().await.unwrap();
    assert_eq!(page["orders"].as_array().unwrap().len(), 2);
    let next = page["next"].as_str().unwrap();
    let last: Value = door.get(&format!("/orders?limit=3&after={next}")).await.json().await.unwrap();
    assert_eq!(last["next"], Value::Null);

    let asked = door.read.asked.lock().unwrap().clone();
    assert_eq!((asked[0].status, asked[0].after), (Some("cancelled"), None));
    let place = Place { placed_at: DateTime::from_timestamp(20, 0).unwrap(), order_id: Uuid::from_u128(2) };
    assert_eq!(asked[1].after, Some(place));
}

#[tokio::test]
async fn a_customers_orders_come_with_what_they_come_to() {
    let door = Door::open().await;
    let page: Value = door.get(&format!("/customers/{ORDER}/orders")).await.json().await.unwrap();
    assert_eq!(page["totals"], json!([{"currency": "EUR", "orders": 2, "cancelled": 1, "amount": 2100}]));
    assert_eq!(door.read.asked.lock().unwrap()[0].customer_id, Some(ORDER.parse().unwrap()));
}

#[tokio::test]
async fn a_filter_that_makes_no_sense_is_answered_with_its_code() {
    let door = Door::open().await;
    let senseless = [
        ("/orders?status=lost", "status_unknown"),
        ("/orders?limit=0", "limit_out_of_range"),
        ("/orders?limit=501", "limit_out_of_range"),
        ("/orders?after=yesterday", "cursor_invalid"),
        ("/orders?placed_from=2026-01-02T00:00:00Z&placed_before=2026-01-01T00:00:00Z", "range_empty"),
        ("/orders?customer=ada", "query_unreadable"),
        ("/orders?colour=red", "query_unreadable"),
        ("/orders/6f1a4d1e-51b2-4a58-9d1f-0c2f6f3c9d10?wait=60", "wait_out_of_range"),
        ("/orders/one", "path_unreadable"),
        ("/sales?from=2026-01-02&before=2026-01-02", "range_empty"),
        ("/sales?after=x", "cursor_invalid"),
        ("/stock?limit=-1", "limit_out_of_range"),
    ];
    for (path, code) in senseless {
        assert_eq!(door.problem(path).await, (400, code.to_owned()), "{path}");
    }
    assert_eq!(*door.read.asked.lock().unwrap(), []);
}

#[tokio::test]
async fn stock_and_sales_are_shown() {
    let door = Door::open().await;
    let stock: Value = door.get("/stock/lamp").await.json().await.unwrap();
    assert_eq!(stock, json!({"product_id": "lamp", "received": 10, "reserved": 2, "sold": 3, "available": 5}));
    assert_eq!(door.problem("/stock/desk").await, (404, "product_unknown".to_owned()));

    let day = NaiveDate::from_ymd_opt(2026, 11, 25).unwrap();
    let sold = |product: &str| SalesRow {
        product_id: product.into(),
        day,
        currency: "EUR".into(),
        orders: 1,
        units: 2,
        amount: 2_100,
    };
    door.read.sales.lock().unwrap().extend([sold("desk_lamp"), sold("lamp")]);
    let page: Value = door.get("/sales?limit=1").await.json().await.unwrap();
    assert_eq!(page["sales"][0]["amount"], 2_100);
    door.get(&format!("/sales?after={}", page["next"].as_str().unwrap())).await;
    let asked = door.read.asked_sales.lock().unwrap().clone();
    assert_eq!(asked[1].after, Some((day, "desk_lamp".to_owned(), "EUR".to_owned())));
}

#[tokio::test]
async fn only_an_administrator_rebuilds_a_read_model() {
    let door = Door::open().await;
    let rebuild = |name: &str, token: &str| {
        let request = door.client.post(format!("{}/projections/{name}/rebuild", door.url)).bearer_auth(token);
        request.json(&json!({})).send()
    };
    assert_eq!(rebuild("orders", TOKEN).await.unwrap().status(), StatusCode::FORBIDDEN);
    let unknown = rebuild("ordres", ADMIN).await.unwrap();
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    let told: Value = unknown.json().await.unwrap();
    assert_eq!(told["detail"], "there is no projection `ordres`; there are `orders`, `stock`, `sales`");
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
    let expected = [
        "/customers",
        "/customers/{id}/orders",
        "/orders",
        "/orders/{id}",
        "/projections",
        "/projections/{name}/cancel",
        "/projections/{name}/rebuild",
        "/projections/{name}/swap",
        "/sales",
        "/stock",
        "/stock/{product}",
    ];
    assert_eq!(paths, expected);
}
