//! The payment service's process: gateway, database, Kafka, lanes, HTTP.

use std::process::ExitCode;
use std::sync::Arc;

use backstitch_contracts::payments::{COMMANDS, EVENTS};
use backstitch_contracts::{inventory, orders};
use backstitch_messaging_kafka::InboxPlan;
use backstitch_participant::{CallsOf, ParticipantLogic, Settings as ParticipantSettings};
use backstitch_participant_http::Reader;
use backstitch_payment::gateway;
use backstitch_payment::handlers::{GatewayCalls, Payments};
use backstitch_payment::http::{Api, router};
use backstitch_payment::settings::Settings;
use backstitch_service_kit::{Context, Service, database};
use backstitch_wiring::Wires;

const NAME: &str = "payment";

fn main() -> ExitCode {
    Service::<Settings>::new(NAME, env!("CARGO_PKG_VERSION")).migrate(migrate).run(start)
}

async fn migrate(settings: Arc<Settings>) -> anyhow::Result<()> {
    let pool = database::connect(&settings.database, NAME).await?;
    backstitch_processor::migrations().run(&pool).await?;
    backstitch_event_store_postgres::migrations().run(&pool).await?;
    // Whoever subscribes here reads everything.
    backstitch_event_store_postgres::index_selections(&[], &pool).await?;
    Ok(())
}

async fn start(context: Context<Settings>) -> anyhow::Result<()> {
    let wires = Wires::connect(NAME, context.config.as_ref())?;
    let store = Arc::new(wires.event_store(&context).await?);
    let calls = CallsOf(GatewayCalls(gateway::open(context.config.gateway.clone())?));
    let settings = ParticipantSettings::new(NAME, EVENTS, wires.encoder(EVENTS).await?);
    let settings = Arc::new(settings.with_snapshots(context.config.snapshots.every, wires.pool.clone()));
    let payments =
        Payments { retries: context.config.choreography.retries(), instant: context.config.gateway.instant() };
    let heard = if context.config.choreography.enabled { &[orders::EVENTS, inventory::EVENTS][..] } else { &[] };
    let inputs = heard.iter().copied().map(str::to_owned).collect();
    let plan = InboxPlan { group: NAME.to_owned(), lane_topic: COMMANDS.to_owned(), inputs };
    let make = move |_| ParticipantLogic::new(Arc::new(payments), settings.clone());
    wires.processor(&context, plan, Arc::new(calls), make).await?;
    let routes = router(Api::new(Reader::new(payments, store)));
    context.serve(&context.config.http, &context.config.auth, routes).await?;
    Ok(())
}
