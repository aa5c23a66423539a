//! The gateway's client against the simulated gateway: whatever goes wrong on the way, a charge is made once or not at
//! all, and the outcome is certain.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::time::Duration;

use backstitch_domain::{Currency, Money, OrderId, PaymentId};
use backstitch_external_call::CallSettings;
use backstitch_payment::domain::{Charge, ChargeOutcome, Refund, RefundOutcome};
use backstitch_payment::gateway::{Gateway, GatewaySettings, HttpGateway};
use backstitch_simulators::TotalsAnswer;
use backstitch_simulators::ledger::Ledger;
use backstitch_simulators::server::{Behaviour, Simulators};
use tokio::net::TcpListener;
use uuid::Uuid;

struct Bank {
    url: String,
    gateway: HttpGateway,
}

impl Bank {
    async fn open() -> Self {
        Self::patient(3_600, 200).await
    }

    async fn patient(give_up_after_seconds: u64, timeout_ms: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let behaviour = Behaviour { slow: Duration::from_secs(86_400), delivery: None };
        tokio::spawn(backstitch_simulators::serve(listener, Simulators::new(Ledger::in_memory(), behaviour)));
        let calls = CallSettings { timeout_ms, delay_first_ms: 0, delay_max_ms: 0, ..CallSettings::default() };
        let settings = GatewaySettings { url: url.clone(), give_up_after_seconds, calls, ..GatewaySettings::default() };
        let gateway = HttpGateway::new(settings).unwrap();
        Self { url, gateway }
    }

    async fn charge(&self, amount: i64, attempt: u32) -> ChargeOutcome {
        self.gateway.charge(&charge(amount, attempt)).await
    }

    async fn refund(&self, amount: i64) -> RefundOutcome {
        let Charge { key, payment_id, order_id, money, .. } = charge(amount, 1);
        self.gateway.refund(&Refund { charge_key: key, payment_id, order_id, money }).await
    }

    /// Charged less refunded, and how many charges.
    async fn balance(&self) -> (i64, u64) {
        let totals: TotalsAnswer = reqwest::get(format!("{}/totals", self.url)).await.unwrap().json().await.unwrap();
        let sum = |amounts: &std::collections::BTreeMap<String, i64>| amounts.get("EUR").copied().unwrap_or_default();
        let balance = sum(&totals.totals.charged.amounts) - sum(&totals.totals.refunded.amounts);
        (balance, totals.totals.charged.count)
    }
}

fn charge(amount: i64, attempt: u32) -> Charge {
    let nil = Uuid::nil();
    Charge {
        key: format!("{nil}:{attempt}"),
        payment_id: PaymentId::new(nil),
        order_id: OrderId::new(nil),
        money: Money::new(amount, Currency::EUR),
        attempt,
    }
}

fn is_approved(outcome: &ChargeOutcome) -> bool {
    matches!(outcome, ChargeOutcome::Approved { .. })
}

#[tokio::test]
async fn an_ordinary_charge_is_made_once_though_asked_for_twice() {
    let bank = Bank::open().await;
    assert!(is_approved(&bank.charge(1_000, 1).await));
    assert!(is_approved(&bank.charge(1_000, 1).await));
    assert_eq!(bank.balance().await, (1_000, 1));
}

#[tokio::test]
async fn a_decline_is_for_good() {
    let bank = Bank::open().await;
    assert!(matches!(bank.charge(1_001, 1).await, ChargeOutcome::Declined { .. }));
    assert_eq!(bank.balance().await, (0, 0));
}

#[tokio::test]
async fn a_charge_put_off_succeeds_at_the_second_try() {
    let bank = Bank::open().await;
    assert!(matches!(bank.charge(1_002, 1).await, ChargeOutcome::NotNow { .. }));
    assert!(is_approved(&bank.charge(1_002, 2).await));
    assert_eq!(bank.balance().await, (1_002, 1));
}

#[tokio::test]
async fn a_slow_answer_is_looked_up_instead_of_waited_for() {
    let bank = Bank::open().await;
    assert!(is_approved(&bank.charge(1_003, 1).await));
    assert_eq!(bank.balance().await, (1_003, 1));
}

#[tokio::test]
async fn dropped_connections_charge_once() {
    let bank = Bank::open().await;
    assert!(is_approved(&bank.charge(1_004, 1).await));
    assert_eq!(bank.balance().await, (1_004, 1));
}

#[tokio::test]
async fn a_failing_gateway_is_asked_again_until_it_charges() {
    let bank = Bank::open().await;
    assert!(is_approved(&bank.charge(1_005, 1).await));
    assert_eq!(bank.balance().await, (1_005, 1));
}

#[tokio::test]
async fn a_gateway_that_never_answers_is_given_up_and_can_charge_no_more() {
    let bank = Bank::patient(0, 60_000).await;
    assert!(matches!(bank.charge(1_006, 1).await, ChargeOutcome::NotNow { .. }));
    assert_eq!(bank.balance().await, (0, 0));
    assert_eq!(bank.refund(1_006).await, RefundOutcome::NothingCharged);
}

#[tokio::test]
async fn a_charge_given_up_before_a_crash_is_not_made_after_it() {
    let bank = Bank::open().await;
    assert_eq!(bank.refund(1_000).await, RefundOutcome::NothingCharged);
    assert!(matches!(bank.charge(1_000, 1).await, ChargeOutcome::NotNow { .. }));
    assert_eq!(bank.balance().await, (0, 0));
}

#[tokio::test]
async fn a_refund_gives_everything_back_once() {
    let bank = Bank::open().await;
    bank.charge(1_000, 1).await;
    let all = RefundOutcome::Refunded { money: Money::new(1_000, Currency::EUR) };
    assert_eq!(bank.refund(1_000).await, all);
    assert_eq!(bank.refund(1_000).await, all);
    assert_eq!(bank.balance().await, (0, 1));
}
