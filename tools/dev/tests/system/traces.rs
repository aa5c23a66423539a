//! One saga is one trace over all five services. The collector is a FAKE that keeps what it is sent; everything that sends
//! is real.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use prost::Message as _;

use crate::orders::Wish;
use crate::system::{System, system};

const SERVICES: [&str; 5] = ["order", "inventory", "payment", "shipping", "orchestrator"];

/// Names of the spans of each service, by trace.
type Spans = BTreeMap<Vec<u8>, BTreeSet<(String, String)>>;

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Spans>>);

impl Collector {
    /// Listens on a free port; answers its address.
    async fn listen(self) -> Result<String> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let routes = Router::new().route("/v1/traces", post(Self::take)).with_state(self);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(format!("http://{address}"))
    }

    async fn take(State(collector): State<Self>, body: Bytes) -> &'static str {
        if let Ok(request) = ExportTraceServiceRequest::decode(body) {
            collector.keep(request);
        }
        ""
    }

    fn keep(&self, request: ExportTraceServiceRequest) {
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for of_service in request.resource_spans {
            let attributes = of_service.resource.map(|resource| resource.attributes).unwrap_or_default();
            let name = attributes.into_iter().find(|attribute| attribute.key == "service.name");
            let Some(any_value::Value::StringValue(service)) = name.and_then(|it| it.value?.value) else { continue };
            for span in of_service.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                spans.entry(span.trace_id).or_default().insert((service.clone(), span.name));
            }
        }
    }

    /// The spans of the trace in which the order was placed.
    fn of_the_order(&self) -> BTreeSet<(String, String)> {
        let spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let placed = ("order".to_owned(), "PlaceOrder".to_owned());
        spans.values().find(|trace| trace.contains(&placed)).cloned().unwrap_or_default()
    }
}

fn restart_all(system: &System, settings: &[(&str, &str)]) -> Result<()> {
    for service in SERVICES {
        system.stop(service)?;
        system.stack().start(service, settings)?;
    }
    Ok(())
}

#[test]
fn one_saga_is_one_trace_over_all_five_services() -> Result<()> {
    let system = system()?;
    let collector = Collector::default();
    let address = system.block_on(collector.clone().listen())?;
    restart_all(system, &[("BACKSTITCH_TELEMETRY__OTLP_ENDPOINT", &address)])?;
    let product = system.product_with(1)?;
    let order = system.place(&Wish::of(&product))?;
    system.until("the order has shipped", || {
        Ok(system.saga_of(order)?.is_some_and(|saga| saga.status() == "completed"))
    })?;
    let expected: BTreeSet<(String, String)> = [
        ("order", "PlaceOrder"),
        ("orchestrator", "OrderPlaced"),
        ("inventory", "ReserveInventory"),
        ("orchestrator", "InventoryReserved"),
        ("payment", "ProcessPayment"),
        ("orchestrator", "PaymentProcessed"),
        ("order", "ConfirmOrder"),
        ("orchestrator", "OrderConfirmed"),
        ("shipping", "ShipOrder"),
        ("orchestrator", "OrderShipped"),
    ]
    .map(|(service, span)| (service.to_owned(), span.to_owned()))
    .into();
    let seen = system.until("all its spans are in one trace", || Ok(collector.of_the_order().is_superset(&expected)));
    restart_all(system, &[])?;
    seen.inspect_err(|_| eprintln!("the order's trace has only: {:#?}", collector.of_the_order()))
}
