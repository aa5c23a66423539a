//! The simulators as their users meet them: over HTTP, one server a test.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::time::Duration;

use backstitch_simulators::TotalsAnswer;
use backstitch_simulators::carrier::{ShipmentAnswer, ShipmentRequest};
use backstitch_simulators::gateway::{ChargeAnswer, ChargeRequest, RefundAnswer, RefundRequest};
use backstitch_simulators::ledger::Ledger;
use backstitch_simulators::serve;
use backstitch_simulators::server::{Behaviour, Simulators};
use backstitch_simulators::state::{ChargeOutcome, ShipmentOutcome};
use reqwest::{Client, Response, StatusCode};
use tokio::net::TcpListener;

/// Long enough that a slow answer is never seen by a test.
const NEVER_IN_A_TEST: Duration = Duration::from_secs(86_400);

struct Simulated {
    base: String,
    client: Client,
}

impl Simulated {
    async fn start() -> Self {
        Self::delivering_after(None).await
    }

    async fn delivering_after(delivery: Option<Duration>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let behaviour = Behaviour { slow: NEVER_IN_A_TEST, delivery };
        tokio::spawn(serve(listener, Simulators::new(Ledger::in_memory(), behaviour)));
        Self { base, client: Client::new() }
    }

    async fn try_charge(&self, key: &str, order: &str, amount: i64) -> reqwest::Result<Response> {
        let request = ChargeRequest { order_id: order.to_owned(), amount, currency: "EUR".to_owned() };
        let url = format!("{}/charges", self.base);
        self.client.post(url).header("idempotency-key", key).json(&request).send().await
    }

    async fn charge(&self, key: &str, order: &str, amount: i64) -> ChargeOutcome {
        let answer = self.try_charge(key, order, amount).await.unwrap().error_for_status().unwrap();
        answer.json::<ChargeAnswer>().await.unwrap().outcome
    }

    async fn charge_of(&self, key: &str) -> Option<ChargeOutcome> {
        let answer = self.client.get(format!("{}/charges/{key}", self.base)).send().await.unwrap();
        if answer.status() == StatusCode::NOT_FOUND {
            return None;
        }
        Some(answer.json::<ChargeAnswer>().await.unwrap().outcome)
    }

    async fn refund(&self, key: &str) -> RefundAnswer {
        let request = RefundRequest { charge_key: key.to_owned() };
        self.client.post(format!("{}/refunds", self.base)).json(&request).send().await.unwrap().json().await.unwrap()
    }

    async fn try_ship(&self, key: &str, postal_code: &str) -> reqwest::Result<Response> {
        let request = ShipmentRequest { order_id: "o-1".to_owned(), postal_code: postal_code.to_owned() };
        let url = format!("{}/shipments", self.base);
        self.client.post(url).header("idempotency-key", key).json(&request).send().await
    }

    async fn ship(&self, key: &str, postal_code: &str) -> ShipmentAnswer {
        self.try_ship(key, postal_code).await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    async fn cancel(&self, key: &str) -> ShipmentAnswer {
        self.client.delete(format!("{}/shipments/{key}", self.base)).send().await.unwrap().json().await.unwrap()
    }

    async fn totals(&self) -> TotalsAnswer {
        self.client.get(format!("{}/totals", self.base)).send().await.unwrap().json().await.unwrap()
    }

    async fn charged(&self) -> i64 {
        self.totals().await.totals.charged.amounts.get("EUR").copied().unwrap_or_default()
    }
}

#[tokio::test]
async fn an_ordinary_amount_is_charged_once_however_often_it_is_asked_for() {
    let gateway = Simulated::start().await;
    assert_eq!(gateway.charge("k", "o", 1_000).await, ChargeOutcome::Approved);
    assert_eq!(gateway.charge("k", "o", 1_000).await, ChargeOutcome::Approved);
    assert_eq!(gateway.charged().await, 1_000);
}

#[tokio::test]
async fn a_key_used_for_another_amount_is_refused() {
    let gateway = Simulated::start().await;
    gateway.charge("k", "o", 1_000).await;
    let refused = gateway.try_charge("k", "o", 2_000).await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(gateway.charged().await, 1_000);
}

#[tokio::test]
async fn a_request_without_a_key_is_refused() {
    let gateway = Simulated::start().await;
    let refused = gateway.try_charge("", "o", 1_000).await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_amount_ending_in_01_is_declined_for_good_under_every_key() {
    let gateway = Simulated::start().await;
    assert_eq!(gateway.charge("k-1", "o", 1_001).await, ChargeOutcome::Declined);
    assert_eq!(gateway.charge("k-2", "o", 1_001).await, ChargeOutcome::Declined);
    assert_eq!(gateway.charged().await, 0);
}

#[tokio::test]
async fn an_amount_ending_in_02_is_declined_under_the_first_key_and_approved_under_the_second() {
    let gateway = Simulated::start().await;
    assert_eq!(gateway.charge("k-1", "o", 1_002).await, ChargeOutcome::DeclinedRetryable);
    assert_eq!(gateway.charge("k-1", "o", 1_002).await, ChargeOutcome::DeclinedRetryable);
    assert_eq!(gateway.charge("k-2", "o", 1_002).await, ChargeOutcome::Approved);
    assert_eq!(gateway.charge("other", "another order", 1_002).await, ChargeOutcome::DeclinedRetryable);
    assert_eq!(gateway.charged().await, 1_002);
}

#[tokio::test]
async fn an_amount_ending_in_03_is_charged_before_its_slow_answer() {
    let gateway = std::sync::Arc::new(Simulated::start().await);
    let asking = tokio::spawn({
        let gateway = gateway.clone();
        async move { gateway.charge("k", "o", 1_003).await }
    });
    while gateway.charge_of("k").await.is_none() {}
    assert!(!asking.is_finished());
    assert_eq!(gateway.charge("k", "o", 1_003).await, ChargeOutcome::Approved);
    assert_eq!(gateway.charged().await, 1_003);
    asking.abort();
}

#[tokio::test]
async fn an_amount_ending_in_04_is_charged_once_and_the_connection_drops_twice() {
    let gateway = Simulated::start().await;
    for _ in 0..2 {
        let dropped = gateway.try_charge("k", "o", 1_004).await.unwrap_err();
        assert!(dropped.status().is_none(), "{dropped}");
        assert_eq!(gateway.charge_of("k").await, Some(ChargeOutcome::Approved));
    }
    assert_eq!(gateway.charge("k", "o", 1_004).await, ChargeOutcome::Approved);
    assert_eq!(gateway.charged().await, 1_004);
}

#[tokio::test]
async fn an_amount_ending_in_05_fails_twice_without_charging_and_then_is_approved() {
    let gateway = Simulated::start().await;
    for _ in 0..2 {
        let failed = gateway.try_charge("k", "o", 1_005).await.unwrap();
        assert_eq!(failed.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(gateway.charged().await, 0);
    }
    assert_eq!(gateway.charge("k", "o", 1_005).await, ChargeOutcome::Approved);
    assert_eq!(gateway.charged().await, 1_005);
}

#[tokio::test]
async fn an_amount_ending_in_06_is_held_until_the_client_goes_and_nothing_is_charged() {
    let gateway = std::sync::Arc::new(Simulated::start().await);
    let asking = tokio::spawn({
        let gateway = gateway.clone();
        async move { gateway.try_charge("k", "o", 1_006).await.is_ok() }
    });
    while gateway.totals().await.held == 0 {}
    asking.abort();
    while gateway.totals().await.held > 0 {}
    assert_eq!(gateway.charge_of("k").await, None);
    assert_eq!(gateway.charged().await, 0);
}

#[tokio::test]
async fn a_charge_is_given_back_once() {
    let gateway = Simulated::start().await;
    gateway.charge("k", "o", 1_000).await;
    let refunded = RefundAnswer::Refunded { amount: 1_000, currency: "EUR".to_owned() };
    assert_eq!(gateway.refund("k").await, refunded);
    assert_eq!(gateway.refund("k").await, refunded);
    assert_eq!(gateway.totals().await.totals.refunded.amounts["EUR"], 1_000);
}

#[tokio::test]
async fn a_refund_that_overtakes_its_charge_makes_the_charge_impossible() {
    let gateway = Simulated::start().await;
    assert_eq!(gateway.refund("k").await, RefundAnswer::NothingCharged);
    assert_eq!(gateway.charge("k", "o", 1_000).await, ChargeOutcome::Voided);
    assert_eq!(gateway.charged().await, 0);
}

#[tokio::test]
async fn a_refund_of_a_declined_charge_gives_nothing_back() {
    let gateway = Simulated::start().await;
    gateway.charge("k", "o", 1_001).await;
    assert_eq!(gateway.refund("k").await, RefundAnswer::NothingCharged);
    assert_eq!(gateway.totals().await.totals.refunded.count, 0);
}

#[tokio::test]
async fn an_ordinary_postal_code_ships_one_parcel_with_one_tracking_number() {
    let carrier = Simulated::start().await;
    let first = carrier.ship("k", "10115").await;
    let again = carrier.ship("k", "10115").await;
    assert_eq!(first.outcome, ShipmentOutcome::Shipped);
    assert!(first.tracking_number.is_some());
    assert_eq!(first, again);
    assert_eq!(carrier.totals().await.totals.shipped, 1);
}

#[tokio::test]
async fn the_postal_code_00001_is_refused() {
    let carrier = Simulated::start().await;
    let refused = carrier.ship("k", "00001").await;
    assert_eq!((refused.outcome, refused.tracking_number), (ShipmentOutcome::Refused, None));
    assert_eq!(carrier.totals().await.totals.shipped, 0);
}

#[tokio::test]
async fn the_postal_code_00003_ships_once_and_the_connection_drops_once() {
    let carrier = Simulated::start().await;
    assert!(carrier.try_ship("k", "00003").await.is_err());
    assert_eq!(carrier.ship("k", "00003").await.outcome, ShipmentOutcome::Shipped);
    assert_eq!(carrier.totals().await.totals.shipped, 1);
}

#[tokio::test]
async fn the_postal_code_00004_fails_twice_and_then_ships() {
    let carrier = Simulated::start().await;
    for _ in 0..2 {
        assert_eq!(carrier.try_ship("k", "00004").await.unwrap().status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
    assert_eq!(carrier.ship("k", "00004").await.outcome, ShipmentOutcome::Shipped);
}

#[tokio::test]
async fn a_parcel_is_called_back_once_and_a_cancelled_key_never_ships() {
    let carrier = Simulated::start().await;
    carrier.ship("k", "10115").await;
    assert_eq!(carrier.cancel("k").await.outcome, ShipmentOutcome::Cancelled);
    assert_eq!(carrier.cancel("k").await.outcome, ShipmentOutcome::Cancelled);
    assert_eq!(carrier.cancel("early").await.outcome, ShipmentOutcome::NeverShipped);
    assert_eq!(carrier.ship("early", "10115").await.outcome, ShipmentOutcome::NeverShipped);
    let totals = carrier.totals().await.totals;
    assert_eq!((totals.shipped, totals.cancelled), (1, 1));
}

#[tokio::test]
async fn a_parcel_is_delivered_after_its_time_unless_it_was_called_back() {
    let carrier = Simulated::delivering_after(Some(Duration::ZERO)).await;
    let shipped = carrier.ship("k", "10115").await;
    assert_eq!(shipped.delivered_at, shipped.shipped_at);
    assert_eq!(carrier.cancel("k").await.delivered_at, None);

    let never = Simulated::start().await;
    assert_eq!(never.ship("k", "10115").await.delivered_at, None);
}

#[tokio::test]
async fn the_postal_code_00002_ships_before_its_slow_answer() {
    let carrier = std::sync::Arc::new(Simulated::start().await);
    let asking = tokio::spawn({
        let carrier = carrier.clone();
        async move { carrier.ship("k", "00002").await }
    });
    while carrier.totals().await.totals.shipped == 0 {}
    assert!(!asking.is_finished());
    assert_eq!(carrier.ship("k", "00002").await.outcome, ShipmentOutcome::Shipped);
    assert_eq!(carrier.totals().await.totals.shipped, 1);
    asking.abort();
}
