//! Reading a flow from the topics. Separate from the tree, which knows no broker.
//!
//! A topic has no index: everything up to the message is read to learn which flow it belongs to, and then everything for
//! the flow's other messages. Memory holds the flow alone.

use std::sync::Arc;

use backstitch_contracts::{Catalog, Decoder, Envelope, saga};
use backstitch_messaging::{Delivery, LearningDecoder, ReadValueError, UnknownSchemas};
use backstitch_messaging_kafka::registry::Registry;
use backstitch_messaging_kafka::{KafkaSettings, ReadFrom, ReadUntil, TopicReader, partition_counts};
use indicatif::{ProgressBar, ProgressStyle};

use super::tree::Message;
use crate::cli::{Cli, TraceArgs};
use crate::connect;
use crate::exit::{Code, coded};

/// The messages of the flow that this event, or command, belongs to; or of the flow of this name. None if there is none.
pub(crate) async fn flow_of(cli: &Cli, asked: &TraceArgs) -> anyhow::Result<Vec<Message>> {
    let topics = Topics::open(cli, asked).await?;
    let mut flow = None;
    topics
        .each(|_, envelope| {
            if [envelope.event_id, envelope.correlation_id].contains(&asked.event) {
                flow = Some(envelope.correlation_id);
            }
            flow.is_none()
        })
        .await?;
    let Some(flow) = flow else { return Ok(Vec::new()) };
    let mut messages = Vec::new();
    topics
        .each(|delivery, envelope| {
            if envelope.correlation_id == flow {
                messages.push(message(delivery, envelope));
            }
            true
        })
        .await?;
    Ok(messages)
}

fn message(delivery: &Delivery, envelope: &Envelope) -> Message {
    Message {
        id: envelope.event_id,
        kind: envelope.event_type.clone(),
        version: envelope.event_version,
        aggregate: envelope.aggregate_id.clone(),
        at: envelope.occurred_at,
        cause: envelope.causation_id,
        user: envelope.user_id.clone(),
        source: envelope.metadata.get("source").cloned(),
        read: format!("{}/{}", delivery.source, delivery.offset),
        copies: 1,
    }
}

struct Topics {
    kafka: KafkaSettings,
    names: Vec<String>,
    from: ReadFrom,
    decoder: LearningDecoder,
    quiet: bool,
}

impl Topics {
    async fn open(cli: &Cli, asked: &TraceArgs) -> anyhow::Result<Self> {
        let kafka = connect::kafka(cli)?;
        let registry = Registry::new(connect::registry(cli)?).map_err(|error| coded(Code::Usage, error.to_string()))?;
        let catalog = Catalog::embedded()?;
        let there = partition_counts(&kafka).await.map_err(|error| coded(Code::Unreachable, error.to_string()))?;
        let given = |name: &&str| asked.topics.is_empty() || asked.topics.iter().any(|topic| topic == name);
        let journal = |name: &&str| asked.journal || *name != saga::EVENTS;
        let known = catalog.topics().filter(|topic| topic.schema.is_some()).map(|topic| topic.name.as_str());
        let ours = known.filter(|name| *name != saga::DEFINITIONS).filter(journal).filter(given);
        let mut names: Vec<String> = ours.map(str::to_owned).collect();
        names.extend(asked.topics.iter().filter(|topic| catalog.topic(topic).is_none()).cloned());
        if let Some(missing) = asked.topics.iter().find(|topic| !there.contains_key(topic.as_str())) {
            return Err(coded(Code::Unknown, format!("there is no topic `{missing}`")));
        }
        names.retain(|name| there.contains_key(name));
        let from = asked.since.map_or(ReadFrom::Beginning, |since| ReadFrom::Time(since.timestamp_millis()));
        let decoder = LearningDecoder::new(Arc::new(Decoder::new(&catalog)?), Arc::new(registry));
        Ok(Self { kafka, names, from, decoder, quiet: cli.json })
    }

    /// Reads to the end, for as long as `look` wants more. What is no envelope is passed over: it has no place in a flow.
    async fn each(&self, mut look: impl FnMut(&Delivery, &Envelope) -> bool) -> anyhow::Result<()> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let opened = TopicReader::open(&self.kafka, &names, self.from.clone(), ReadUntil::EndAtStart).await;
        let mut reader =
            opened.map_err(|error| coded(Code::Unreachable, format!("{:#}", anyhow::Error::new(error))))?;
        let mut unknown = UnknownSchemas::default();
        let bar = if self.quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        bar.set_style(ProgressStyle::with_template("{spinner} {pos} messages read")?);
        while let Some(delivery) = reader.next().await {
            bar.inc(1);
            let Some(value) = delivery.value.as_deref() else { continue };
            let envelope = match self.decoder.read(delivery.topic(), value, &mut unknown).await {
                Ok(envelope) => envelope,
                Err(ReadValueError::Undecodable(_)) => continue,
                Err(ReadValueError::Unavailable { reason }) => {
                    return Err(coded(Code::Unreachable, format!("the schema registry does not answer: {reason}")));
                }
            };
            if !look(&delivery, &envelope) {
                break;
            }
        }
        bar.finish_and_clear();
        Ok(())
    }
}
