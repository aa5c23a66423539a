//! The inventory service's process: database, Kafka, lanes, HTTP.

use std::process::ExitCode;
use std::sync::Arc;

use backstitch_contracts::inventory::{COMMANDS, EVENTS};
use backstitch_contracts::orders;
use backstitch_inventory::handlers::Warehouse;
use backstitch_inventory::http::{Api, router};
use backstitch_inventory::settings::Settings;
use backstitch_messaging_kafka::InboxPlan;
use backstitch_participant::{ParticipantLogic, Settings as ParticipantSettings};
use backstitch_participant_http::{Reader, Sender};
use backstitch_processor::NoCalls;
use backstitch_service_kit::{Context, Service, database};
use backstitch_wiring::Wires;

const NAME: &str = "inventory";

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
    let warehouse = Warehouse { hold: context.config.reservations.hold() };
    let settings = ParticipantSettings::new(NAME, EVENTS, wires.encoder(EVENTS).await?);
    let settings = Arc::new(settings.with_snapshots(context.config.snapshots.every, wires.pool.clone()));
    let inputs = vec![orders::EVENTS.to_owned()];
    let plan = InboxPlan { group: NAME.to_owned(), lane_topic: COMMANDS.to_owned(), inputs };
    let make = move |_| ParticipantLogic::new(Arc::new(warehouse), settings.clone());
    wires.processor(&context, plan, Arc::new(NoCalls), make).await?;
    let commands = Sender::new(NAME, wires.publisher.clone(), [(COMMANDS, wires.encoder(COMMANDS).await?)]);
    let routes = router(Api::new(Reader::new(warehouse, store), commands));
    context.serve(&context.config.http, &context.config.auth, routes).await?;
    Ok(())
}
