//! The projection under test: it counts what it is told by key, and says of each key whether it came in order.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use backstitch_contracts::Envelope;
use backstitch_event_store::{EventStore, NewEvent, StoredEvent, StreamId};
use backstitch_projection::{Event, Projection, StoreSource, Sums, Table, Tables, Unfit};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;

pub(crate) const TOPIC: &str = "toys.events";
pub(crate) const OTHER: &str = "toys.others";

/// The store behind a topic of toys: each key has a stream.
pub(crate) fn store_of(topic: &str, store: Arc<dyn EventStore>, shares: u32) -> StoreSource {
    let categories = vec![category(topic)];
    StoreSource { store, categories, shares: NonZeroU32::new(shares).unwrap(), published: Arc::new(published) }
}

pub(crate) fn stream(topic: &str, key: &str) -> StreamId {
    StreamId::of(category(topic), key)
}

fn category(topic: &str) -> &'static str {
    if topic == TOPIC { "toy" } else { "other" }
}

/// A toy as it is stored.
pub(crate) fn stored(envelope: Envelope) -> NewEvent {
    NewEvent {
        event_id: envelope.event_id,
        event_type: envelope.event_type,
        event_version: envelope.event_version,
        aggregate_type: envelope.aggregate_type,
        occurred_at: envelope.occurred_at,
        correlation_id: envelope.correlation_id,
        causation_id: envelope.causation_id,
        user_id: envelope.user_id,
        data: envelope.data,
        metadata: json!({}),
    }
}

fn published(stored: &StoredEvent) -> Option<Envelope> {
    let event = stored.event.clone();
    (event.data["told"] != "private").then(|| Envelope {
        event_id: event.event_id,
        event_type: event.event_type,
        event_version: event.event_version,
        aggregate_id: stored.stream.key().to_owned(),
        aggregate_type: event.aggregate_type,
        occurred_at: event.occurred_at,
        correlation_id: event.correlation_id,
        causation_id: event.causation_id,
        user_id: event.user_id,
        metadata: BTreeMap::new(),
        data: event.data,
    })
}

const TABLES: Tables = Tables {
    ddl: "CREATE TABLE tallies (
            key      text PRIMARY KEY,
            count    bigint NOT NULL DEFAULT 0,
            last     bigint NOT NULL DEFAULT -1,
            in_order boolean NOT NULL DEFAULT true
        );
        CREATE TABLE sums (word text PRIMARY KEY, times bigint NOT NULL)",
    shown: &["tallies", "sums"],
    compared: &["tallies", "sums"],
};
const TALLIES: Table = Table::new("tallies", "key", "text");

/// Of this shape; nothing else about it changes.
pub(crate) struct Toy {
    pub(crate) shape: i32,
}

#[derive(Debug, Clone)]
pub(crate) struct Fact {
    key: String,
    told: String,
    number: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Tally {
    key: String,
    count: i64,
    last: i64,
    in_order: bool,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Word {
    word: &'static str,
}

#[async_trait]
impl Projection for Toy {
    type Fact = Fact;

    fn name(&self) -> &'static str {
        "toy"
    }

    fn shape(&self) -> i32 {
        self.shape
    }

    fn topics(&self) -> &'static [&'static str] {
        &[TOPIC, OTHER]
    }

    fn tables(&self) -> Tables {
        TABLES
    }

    fn read(&self, event: &Event) -> Result<Option<Fact>, Unfit> {
        let data = &event.envelope.data;
        let told = data["told"].as_str().unwrap_or_default().to_owned();
        let number = data["number"].as_i64().unwrap_or_default();
        match told.as_str() {
            "unfit" => Err(Unfit::new("invalid", "told to be unfit")),
            "nothing" => Ok(None),
            // Postgres has no NUL in texts: refused with SQLSTATE 22021.
            "poison" => Ok(Some(Fact { key: "poison\0".to_owned(), told, number })),
            _ => Ok(Some(Fact { key: event.envelope.aggregate_id.clone(), told, number })),
        }
    }

    async fn apply(&self, facts: Vec<Fact>, db: &mut PgConnection) -> Result<(), sqlx::Error> {
        assert!(facts.iter().all(|fact| fact.told != "panic"), "told to panic");
        let keys: BTreeSet<String> = facts.iter().map(|fact| fact.key.clone()).collect();
        let mut rows: BTreeMap<String, Tally> = TALLIES.lock(&keys, db).await?;
        let mut sums = Sums::new("sums", ["times"]);
        for fact in &facts {
            if fact.told == "take" {
                sums.take([(Word { word: "counted" }, [1])]);
            } else if let Some(row) = rows.get_mut(&fact.key) {
                row.in_order &= row.last < fact.number;
                (row.count, row.last) = (row.count + 1, fact.number);
                sums.add([(Word { word: "counted" }, [1])]);
            }
        }
        TALLIES.save(&rows.into_values().collect::<Vec<_>>(), db).await?;
        sums.save(db).await
    }
}
