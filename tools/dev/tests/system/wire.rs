//! Kafka as a stranger uses it: any bytes to any partition, and whatever is on a topic.
//!
//! Apart from the order API, because these tests send what no service of ours would.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use backstitch_contracts::{Encoder, Envelope};
use backstitch_messaging::{Delivery, Publisher, Record};
use backstitch_messaging_kafka::{KafkaPublisher, KafkaSettings, ReadFrom, ReadUntil, TopicReader, partition_counts};
use chrono::Utc;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::system::System;

/// A producer, a reader, and the registry.
pub(crate) struct Wire {
    system: &'static System,
    settings: KafkaSettings,
    publisher: KafkaPublisher,
    encoders: Mutex<HashMap<String, Encoder>>,
}

impl Wire {
    /// Connects with the partitioner that Java has.
    pub(crate) fn open(system: &'static System) -> Result<Self> {
        Self::open_with(system, &[])
    }

    /// Connects with raw client settings on top.
    pub(crate) fn open_with(system: &'static System, extra: &[(&str, &str)]) -> Result<Self> {
        let mut settings = KafkaSettings::plaintext(system.env("KAFKA_BOOTSTRAP")?);
        settings.client_id = "a-stranger".to_owned();
        settings.extra.0 = extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let publisher = KafkaPublisher::new(&settings)?;
        Ok(Self { system, settings, publisher, encoders: Mutex::default() })
    }

    /// Publishes records; returns once they are durable.
    pub(crate) fn publish(&self, records: Vec<Record>) -> Result<()> {
        self.system.block_on(async {
            let published = self.publisher.publish(records).await?;
            tokio::time::timeout(Duration::from_secs(60), published).await.context("Kafka does not answer")???;
            Ok(())
        })
    }

    /// Sends a command about an order, with nothing of ours but the envelope: no header, no saga.
    pub(crate) fn command(&self, topic: &str, kind: &str, order: Uuid, data: &Value) -> Result<Uuid> {
        let envelope = envelope(kind, &order.to_string(), data.clone());
        let id = envelope.event_id;
        self.publish(vec![self.record(topic, &order.to_string(), &envelope)?])?;
        Ok(id)
    }

    /// An envelope as a record, by the schema that the registry has for the topic.
    pub(crate) fn record(&self, topic: &str, key: &str, envelope: &Envelope) -> Result<Record> {
        let mut encoders = self.encoders.lock().unwrap_or_else(PoisonError::into_inner);
        if !encoders.contains_key(topic) {
            let (id, schema) = self.schema_of(topic)?;
            encoders.insert(topic.to_owned(), Encoder::new(&schema, id)?);
        }
        let encoder = encoders.get(topic).context("the encoder is there")?;
        Ok(Record::new(topic, key, encoder.encode(envelope)?))
    }

    /// Id and text of a topic's newest schema.
    pub(crate) fn schema_of(&self, topic: &str) -> Result<(u32, String)> {
        let url = format!("{}/subjects/{topic}-value/versions/latest", self.system.env("SCHEMA_REGISTRY_URL")?);
        let answer: Value =
            self.system.block_on(async { reqwest::get(&url).await?.error_for_status()?.json().await })?;
        let id = answer["id"].as_u64().and_then(|id| u32::try_from(id).ok()).context("the registry gave no id")?;
        Ok((id, answer["schema"].as_str().context("the registry gave no schema")?.to_owned()))
    }

    /// Gives the registry a schema under a subject of its own; the id.
    pub(crate) fn register(&self, subject: &str, schema: &str) -> Result<u32> {
        let url = format!("{}/subjects/{subject}/versions", self.system.env("SCHEMA_REGISTRY_URL")?);
        let request = reqwest::Client::new().post(&url).json(&json!({ "schema": schema }));
        let answer: Value = self.system.block_on(async { request.send().await?.error_for_status()?.json().await })?;
        answer["id"].as_u64().and_then(|id| u32::try_from(id).ok()).context("the registry gave no id")
    }

    /// How many partitions a topic has.
    pub(crate) fn partitions(&self, topic: &str) -> Result<i32> {
        let counts = self.system.block_on(partition_counts(&self.settings))?;
        counts.get(topic).copied().with_context(|| format!("there is no topic {topic}"))
    }

    /// Everything on these topics now.
    pub(crate) fn everything_on(&self, topics: &[&str]) -> Result<Vec<Delivery>> {
        self.system.block_on(async {
            let mut reader =
                TopicReader::open(&self.settings, topics, ReadFrom::Beginning, ReadUntil::EndAtStart).await?;
            let mut all = Vec::new();
            while let Some(delivery) = reader.next().await {
                all.push(delivery);
            }
            Ok(all)
        })
    }

    /// How many dead letters there are on all topics together.
    pub(crate) fn count_of_dead_letters(&self) -> Result<usize> {
        let counts = self.system.block_on(partition_counts(&self.settings))?;
        let topics: Vec<&str> = counts.keys().map(String::as_str).filter(|topic| topic.ends_with(".dlq")).collect();
        ensure!(!topics.is_empty(), "there are no topics for dead letters");
        Ok(self.everything_on(&topics)?.len())
    }

    /// Dead letters of a topic that carry this key.
    pub(crate) fn dead_letters(&self, topic: &str, key: &str) -> Result<Vec<Delivery>> {
        let mut letters = self.everything_on(&[&format!("{topic}.dlq")])?;
        letters.retain(|letter| letter.key.as_deref() == Some(key.as_bytes()));
        Ok(letters)
    }
}

/// An envelope around a command or event of version 1, as any program could write one.
pub(crate) fn envelope(kind: &str, aggregate: &str, data: Value) -> Envelope {
    Envelope {
        event_id: Uuid::new_v4(),
        event_type: kind.to_owned(),
        event_version: 1,
        aggregate_id: aggregate.to_owned(),
        aggregate_type: "Order".to_owned(),
        occurred_at: Utc::now(),
        correlation_id: Uuid::new_v4(),
        causation_id: None,
        user_id: None,
        metadata: [("source".to_owned(), "a-stranger".to_owned())].into(),
        data,
    }
}
