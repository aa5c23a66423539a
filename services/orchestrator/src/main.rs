//! The orchestrator's process: definitions, database, Kafka, lanes, HTTP.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use backstitch_contracts::saga;
use backstitch_messaging_kafka::{Backlogs, InboxPlan};
use backstitch_orchestrator::api::{Api, SagaCommands};
use backstitch_orchestrator::definitions::Definitions;
use backstitch_orchestrator::lane::SagaLane;
use backstitch_orchestrator::outgoing::Outgoing;
use backstitch_orchestrator::participants::Participants;
use backstitch_orchestrator::participants::backlogs::Courses;
use backstitch_orchestrator::settings::Settings;
use backstitch_orchestrator::{api, deployed, migrations, participants, retention};
use backstitch_processor::NoCalls;
use backstitch_service_kit::{Context, Service, database};
use backstitch_wiring::Wires;

const NAME: &str = "orchestrator";

fn main() -> ExitCode {
    Service::<Settings>::new(NAME, env!("CARGO_PKG_VERSION")).migrate(migrate).run(start)
}

async fn migrate(settings: Arc<Settings>) -> anyhow::Result<()> {
    let pool = database::connect(&settings.database, NAME).await?;
    backstitch_processor::migrations().run(&pool).await?;
    migrations().run(&pool).await?;
    Ok(())
}

async fn start(context: Context<Settings>) -> anyhow::Result<()> {
    let wires = Wires::connect(NAME, context.config.as_ref())?;
    let foreign = async |topic: &str| wires.newest_schema(topic).await;
    let deployed = deployed::load(&context.config.sagas.dir, &wires.catalog, foreign).await?;
    let mut db = wires.pool.acquire().await.context("the database")?;
    let definitions = Definitions::keep(deployed, &mut db).await?;
    drop(db);
    let definitions = Arc::new(definitions);
    let outgoing = Arc::new(outgoing(&definitions, &wires).await?);
    // Each time, since a process may have ended before it did; the topic is compacted.
    for definition in definitions.all_deployed() {
        let record = outgoing.definition(definition, chrono::Utc::now())?;
        wires.publish(record, Duration::from_secs(30)).await.context("publishing a definition")?;
    }
    let mut inputs: Vec<String> = definitions.event_topics().into_iter().collect();
    inputs.push(saga::COMMANDS.to_owned());
    let plan = InboxPlan { group: NAME.to_owned(), lane_topic: saga::INPUTS.to_owned(), inputs };
    let participants = Arc::new(Participants::new(context.config.participants.rules()));
    let pause = || tokio::time::sleep(participants::READ_EVERY);
    let keeping = participants::keep(participants.clone(), wires.pool.clone(), context.shutdown.clone(), pause);
    context.tasks.spawn("participants", async move {
        keeping.await;
        Ok(())
    });
    let retention_days = context.config.sagas.journal_retention_days;
    let keeping = retention::keep(wires.pool.clone(), retention_days, context.shutdown.clone());
    context.tasks.spawn("retention", async move {
        keeping.await;
        Ok(())
    });
    let lanes = (definitions.clone(), outgoing.clone(), participants.clone());
    let make = move |lane| SagaLane::new(lane, lanes.0.clone(), lanes.1.clone()).sharing(lanes.2.clone());
    wires.processor(&context, plan, Arc::new(NoCalls), make).await?;
    let commands = SagaCommands::new(wires.publisher.clone(), wires.encoder(saga::COMMANDS).await?);
    let startable: Vec<_> = definitions.all_deployed().cloned().collect();
    let courses = Arc::new(Courses::default());
    let topics = startable.iter().flat_map(|definition| definition.command_topics()).map(str::to_owned).collect();
    let backlogs = Backlogs::new(&context.config.kafka)?;
    let looking = participants::backlogs::look(courses.clone(), backlogs, topics, context.shutdown.clone());
    context.tasks.spawn("backlogs", async move {
        looking.await;
        Ok(())
    });
    let api = Api::new(wires.pool.clone(), Arc::new(commands), &startable).judging_by(*participants.rules());
    let routes = api::router(api.telling_backlogs(courses));
    context.serve(&context.config.http, &context.config.auth, routes).await?;
    Ok(())
}

/// Encoders for everything the deployed and running definitions write.
async fn outgoing(definitions: &Definitions, wires: &Wires) -> anyhow::Result<Outgoing> {
    let mut topics = definitions.written_topics();
    // Sagas tell those that started them on the topic of commands to sagas.
    topics.extend([saga::COMMANDS.to_owned(), saga::EVENTS.to_owned(), saga::DEFINITIONS.to_owned()]);
    let mut encoders = HashMap::new();
    for topic in topics {
        encoders.insert(topic.clone(), wires.encoder(&topic).await?);
    }
    Ok(Outgoing::new(encoders))
}
