//! The order service's process: database, Kafka, lanes, HTTP.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use backstitch_contracts::orders::{COMMANDS, EVENTS};
use backstitch_contracts::{customers, inventory, payments, shipping};
use backstitch_event_store_postgres::PostgresStore;
use backstitch_messaging_kafka::InboxPlan;
use backstitch_order::handlers::Orders;
use backstitch_order::http::{Api, router};
use backstitch_order::read::{self, PgQueries};
use backstitch_order::settings::{ReadSource, Settings};
use backstitch_participant::{ParticipantLogic, Settings as ParticipantSettings};
use backstitch_participant_http::{Reader, Sender};
use backstitch_processor::NoCalls;
use backstitch_projection::StoreSource;
use backstitch_service_kit::{Context, Service, database};
use backstitch_wiring::Wires;
use backstitch_wiring::sections::DatabaseSettings;

const NAME: &str = "order";
/// Of the read side: in Postgres's lists, and in the names of its consumer groups.
const READ_SIDE: &str = "order-read";
/// Connections by which it reads orders' own events, where it reads them from their store.
const READERS_MAX: u32 = 4;

fn main() -> ExitCode {
    Service::<Settings>::new(NAME, env!("CARGO_PKG_VERSION")).migrate(migrate).run(start)
}

async fn migrate(settings: Arc<Settings>) -> anyhow::Result<()> {
    let pool = database::connect(&settings.database, NAME).await?;
    backstitch_processor::migrations().run(&pool).await?;
    backstitch_event_store_postgres::migrations().run(&pool).await?;
    // Whoever subscribes here reads everything.
    backstitch_event_store_postgres::index_selections(&[], &pool).await?;
    let pool = database::connect(&settings.read_database, READ_SIDE).await?;
    backstitch_projection::migrations().run(&pool).await?;
    read::install(&pool).await?;
    Ok(())
}

/// The topics that the read side reads where their events are stored, through connections of its own: it must not take
/// those of the lanes.
fn stores(settings: &Settings) -> anyhow::Result<BTreeMap<&'static str, StoreSource>> {
    if settings.read.source == ReadSource::Topic {
        return Ok(BTreeMap::new());
    }
    let few = DatabaseSettings { max_connections: READERS_MAX, ..settings.database.clone() };
    let store = PostgresStore::new(database::connect_lazily(&few, READ_SIDE)?);
    Ok(BTreeMap::from([(EVENTS, read::own_store(Arc::new(store)))]))
}

async fn start(context: Context<Settings>) -> anyhow::Result<()> {
    let wires = Wires::connect(NAME, context.config.as_ref())?;
    let store = Arc::new(wires.event_store(&context).await?);
    let settings = ParticipantSettings::new(NAME, EVENTS, wires.encoder(EVENTS).await?);
    let settings = Arc::new(settings.with_snapshots(context.config.snapshots.every, wires.pool.clone()));
    let choreography = &context.config.choreography;
    let orders = Orders { patience: choreography.patience(), sagas_only: !choreography.enabled };
    let mut inputs = vec![inventory::EVENTS.to_owned(), shipping::EVENTS.to_owned()];
    if choreography.enabled {
        inputs.push(payments::EVENTS.to_owned());
    }
    let plan = InboxPlan { group: NAME.to_owned(), lane_topic: COMMANDS.to_owned(), inputs };
    let make = move |_| ParticipantLogic::new(Arc::new(orders), settings.clone());
    wires.processor(&context, plan, Arc::new(NoCalls), make).await?;
    let written =
        [(COMMANDS, wires.encoder(COMMANDS).await?), (customers::EVENTS, wires.encoder(customers::EVENTS).await?)];
    let messages = Sender::new(NAME, wires.publisher.clone(), written);
    let read_pool = database::connect_lazily(&context.config.read_database, READ_SIDE)?;
    let models = read::models(read_pool.clone())?;
    if context.config.projections.run {
        wires.projections(&context, READ_SIDE, &models, stores(&context.config)?);
    }
    let api = Api::new(Reader::new(orders, store), messages, Arc::new(PgQueries::new(read_pool)));
    let routes = router(api.placing(context.config.choreography.flow), models);
    context.serve(&context.config.http, &context.config.auth, routes).await?;
    Ok(())
}
