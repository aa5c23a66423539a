//! Connections to everything outside, and a processor on top of them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use backon::{ExponentialBuilder, Retryable as _};
use backstitch_contracts::{Catalog, Decoder, Encoder};
use backstitch_messaging::{Inbox as _, LaneId, Publisher, Record};
use backstitch_messaging_kafka::registry::{FindError, Registry};
use backstitch_messaging_kafka::{InboxPlan, KafkaInbox, KafkaPublisher};
use backstitch_processor::{Caller, LogicOn, Ports, Processor};
use backstitch_service_kit::{Context, current_trace_headers, database};
use sqlx::PgPool;

use crate::settings::Shared;

/// How long a start waits for the registry, Kafka or Postgres to come up.
pub(crate) const START_PATIENCE: Duration = Duration::from_secs(60);
/// For HTTP, readiness and what a lane that pauses has not given back yet.
const SPARE_CONNECTIONS: u32 = 4;
/// A membership that has not turned to the broker for so long hangs.
const POLL_SILENCE_MAX: Duration = Duration::from_secs(30);

/// What a service is connected to.
#[derive(Clone)]
pub struct Wires {
    /// Its database.
    pub pool: PgPool,
    /// The way out to Kafka.
    pub publisher: Arc<KafkaPublisher>,
    /// The schema registry.
    pub registry: Arc<Registry>,
    /// The schemas this release was built with.
    pub catalog: Arc<Catalog>,
    /// Reads messages.
    pub decoder: Arc<Decoder>,
}

/// Asks the registry again for a minute while it does not answer.
async fn patiently<T, F: Future<Output = Result<T, FindError>>>(
    topic: &str,
    ask: impl FnMut() -> F,
) -> Result<T, FindError> {
    let patience = ExponentialBuilder::default()
        .with_jitter()
        .with_max_delay(Duration::from_secs(3))
        .without_max_times()
        .with_total_delay(Some(START_PATIENCE));
    ask.retry(patience)
        .when(|error| matches!(error, FindError::Unavailable { .. }))
        .notify(|error, _| tracing::warn!(topic, %error, "waiting for the schema registry"))
        .await
}

impl Wires {
    /// Connects. The database and the broker may come up later; what needs them waits.
    ///
    /// # Errors
    /// If a setting is refused.
    pub fn connect<C: Shared>(name: &str, config: &C) -> anyhow::Result<Self> {
        let pool = database::connect_lazily(config.database(), name).context("the database's settings")?;
        let publisher = KafkaPublisher::new(config.kafka()).context("the Kafka producer's settings")?;
        let registry = Registry::new(config.registry().clone()).context("the registry's settings")?;
        let catalog = Arc::new(Catalog::embedded().context("the built-in schemas")?);
        Ok(Self {
            pool,
            publisher: Arc::new(publisher),
            registry: Arc::new(registry),
            decoder: Arc::new(Decoder::new(&catalog).context("the built-in schemas")?),
            catalog,
        })
    }

    /// The newest schema that the registry has for the topic; `None` when it has none.
    ///
    /// # Errors
    /// If the registry does not answer for a minute.
    pub async fn newest_schema(&self, topic: &str) -> anyhow::Result<Option<String>> {
        let subject = format!("{topic}-value");
        let ask = || async {
            match self.registry.latest(&subject).await {
                Ok(newest) => Ok(Some(newest.schema)),
                Err(FindError::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        };
        patiently(topic, ask).await.with_context(|| format!("looking for a schema of `{topic}`"))
    }

    /// An encoder for the topic: by the schema of this release where it has one, else by the registry's newest.
    ///
    /// # Errors
    /// If the registry does not know the schema, or does not answer for a minute.
    pub async fn encoder(&self, topic: &str) -> anyhow::Result<Encoder> {
        let subject = format!("{topic}-value");
        let ask = || async {
            match self.catalog.topic(topic).and_then(|known| known.schema.as_ref()) {
                Some(text) => self.registry.id_of(&subject, text).await.map(|id| (id, text.clone())),
                None => self.registry.latest(&subject).await.map(|latest| (latest.id, latest.schema.to_string())),
            }
        };
        let (id, text) = patiently(topic, ask)
            .await
            .with_context(|| format!("no schema for `{topic}`; has `sagactl schemas push` run?"))?;
        Encoder::new(&text, id).with_context(|| format!("the schema of `{topic}`"))
    }

    /// A processor for these inputs, as a member of the group.
    ///
    /// # Errors
    /// If a topic is missing or a Kafka setting is refused.
    pub async fn processor<C: Shared, L: LogicOn>(
        &self,
        context: &Context<C>,
        plan: InboxPlan,
        caller: Arc<dyn Caller>,
        make_logic: impl Fn(LaneId) -> L + Send + Sync + 'static,
    ) -> anyhow::Result<()> {
        let group = plan.group.clone();
        let inbox = Arc::new(KafkaInbox::start(context.config.kafka(), plan).await.context("the Kafka consumer")?);
        let lanes = u32::try_from(inbox.topology().lanes()).unwrap_or(u32::MAX);
        let connections = context.config.database().max_connections;
        ensure!(
            connections >= lanes.saturating_add(SPARE_CONNECTIONS),
            "`database.max_connections` is {connections}, but this process may own {lanes} lanes, each with a \
             connection of its own, and needs {SPARE_CONNECTIONS} more"
        );
        let ports = Ports {
            pool: self.pool.clone(),
            inbox: inbox.clone(),
            publisher: self.publisher.clone(),
            schemas: self.registry.clone(),
            caller,
            decoder: self.decoder.clone(),
        };
        let processor = Processor::new(group.clone(), context.config.processor().bounds(), ports, make_logic);
        let health = processor.health();
        context.readiness.check("lanes", move || std::future::ready(health.problem().map_or(Ok(()), Err)));
        context.readiness.check("group", move || {
            let silence = inbox.since_polled();
            let hangs = silence > POLL_SILENCE_MAX;
            std::future::ready(if hangs { Err(format!("no poll for {} s", silence.as_secs())) } else { Ok(()) })
        });
        context.readiness.database("database", self.pool.clone());
        let stop = context.shutdown.clone();
        context.tasks.spawn(format!("processor {group}"), async move { Ok(processor.run(stop).await?) });
        Ok(())
    }

    /// Publishes one record, on the current span's trace, and waits until it is durable.
    ///
    /// # Errors
    /// If it is refused, or not durable in time.
    pub async fn publish(&self, mut record: Record, patience: Duration) -> anyhow::Result<()> {
        for (name, value) in current_trace_headers() {
            record = record.header(name, value);
        }
        let receipt = self.publisher.publish(vec![record]).await?;
        match tokio::time::timeout(patience, receipt).await {
            Ok(Ok(outcome)) => Ok(outcome?),
            Ok(Err(_)) => bail!("the publisher went away"),
            Err(_) => bail!("the broker has not acknowledged within {} s", patience.as_secs()),
        }
    }
}
