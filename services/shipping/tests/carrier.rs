//! The carrier's client against the simulated carrier: whatever goes wrong on the way, one key is one parcel or none, and
//! the outcome is certain.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::time::Duration;

use backstitch_domain::{Address, AddressParts, OrderId};
use backstitch_external_call::CallSettings;
use backstitch_shipping::carrier::{Carrier, CarrierSettings, HttpCarrier};
use backstitch_shipping::domain::{CallBack, Parcel, ParcelOutcome};
use backstitch_simulators::TotalsAnswer;
use backstitch_simulators::ledger::Ledger;
use backstitch_simulators::server::{Behaviour, Simulators};
use tokio::net::TcpListener;
use uuid::Uuid;

struct Depot {
    url: String,
    carrier: HttpCarrier,
}

impl Depot {
    async fn open() -> Self {
        Self::patient(3_600, 200).await
    }

    async fn patient(give_up_after_seconds: u64, timeout_ms: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let behaviour = Behaviour { slow: Duration::from_secs(86_400), delivery: Some(Duration::ZERO) };
        tokio::spawn(backstitch_simulators::serve(listener, Simulators::new(Ledger::in_memory(), behaviour)));
        let calls = CallSettings { timeout_ms, delay_first_ms: 0, delay_max_ms: 0, ..CallSettings::default() };
        let settings = CarrierSettings { url: url.clone(), give_up_after_seconds, calls, ..CarrierSettings::default() };
        let carrier = HttpCarrier::new(settings).unwrap();
        Self { url, carrier }
    }

    async fn ship(&self, postal_code: &str) -> ParcelOutcome {
        let parts = AddressParts {
            line1: "1 Main St".into(),
            city: "Springfield".into(),
            postal_code: postal_code.into(),
            country: "US".into(),
            ..AddressParts::default()
        };
        let address = Address::new(parts).unwrap();
        self.carrier.ship(&Parcel { key: "k:1".into(), order_id: OrderId::new(Uuid::nil()), address }).await
    }

    async fn call_back(&self) {
        self.carrier.call_back(&CallBack { key: "k:1".into(), order_id: OrderId::new(Uuid::nil()) }).await;
    }

    /// Parcels taken, and parcels called back.
    async fn parcels(&self) -> (u64, u64) {
        let totals: TotalsAnswer = reqwest::get(format!("{}/totals", self.url)).await.unwrap().json().await.unwrap();
        (totals.totals.shipped, totals.totals.cancelled)
    }
}

fn is_taken(outcome: &ParcelOutcome) -> bool {
    matches!(outcome, ParcelOutcome::Taken { .. })
}

#[tokio::test]
async fn an_ordinary_parcel_is_taken_once_though_asked_for_twice() {
    let depot = Depot::open().await;
    let first = depot.ship("12345").await;
    assert!(is_taken(&first));
    assert_eq!(depot.ship("12345").await, first);
    assert_eq!(depot.parcels().await, (1, 0));
}

#[tokio::test]
async fn a_refusal_is_for_good() {
    let depot = Depot::open().await;
    assert!(!is_taken(&depot.ship("00001").await));
    assert_eq!(depot.parcels().await, (0, 0));
}

#[tokio::test]
async fn slow_dropped_and_failing_answers_ship_once() {
    for postal_code in ["00002", "00003", "00004"] {
        let depot = Depot::open().await;
        assert!(is_taken(&depot.ship(postal_code).await), "{postal_code}");
        assert_eq!(depot.parcels().await, (1, 0), "{postal_code}");
    }
}

#[tokio::test]
async fn a_carrier_that_does_not_answer_in_time_is_given_up_and_what_it_took_is_called_back() {
    let depot = Depot::patient(0, 60_000).await;
    assert!(!is_taken(&depot.ship("00002").await));
    let (taken, called_back) = depot.parcels().await;
    assert_eq!(taken, called_back);
    assert!(!is_taken(&depot.ship("00002").await));
    assert_eq!(depot.parcels().await, (taken, called_back));
}

#[tokio::test]
async fn a_parcel_is_called_back_once_and_before_it_was_taken_it_never_will_be() {
    let depot = Depot::open().await;
    depot.call_back().await;
    depot.call_back().await;
    assert!(!is_taken(&depot.ship("12345").await));
    assert_eq!(depot.parcels().await, (0, 0));
}

#[tokio::test]
async fn the_carrier_tells_when_a_parcel_arrived() {
    let depot = Depot::open().await;
    assert_eq!(depot.carrier.delivered_at("k:1").await, None);
    depot.ship("12345").await;
    assert!(depot.carrier.delivered_at("k:1").await.is_some());
    depot.call_back().await;
    assert_eq!(depot.carrier.delivered_at("k:1").await, None);
}
