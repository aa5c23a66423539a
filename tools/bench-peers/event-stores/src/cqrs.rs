//! cqrs-es on Postgres: aggregates, one statement an event. Commits are made with the context that loading leaves, so that an
//! append is not measured together with a read.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Result;
use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::{EventStoreAggregateContext, PersistedEventStore};
use cqrs_es::{Aggregate, AggregateContext as _, DomainEvent, EventStore as _};
use postgres_es::PostgresEventRepository;
use serde::{Deserialize, Serialize};
use sqlx::{Executor as _, PgPool};
use uuid::Uuid;

use crate::loads::{Appended, Store};
use crate::note::{Note, Sum};

/// The table of its documentation.
const TABLE: &str = "CREATE TABLE events (
    aggregate_type text NOT NULL, aggregate_id text NOT NULL, sequence bigint CHECK (sequence >= 0) NOT NULL,
    event_type text NOT NULL, event_version text NOT NULL, payload json NOT NULL, metadata json NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence))";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Event {
    Noted(Note),
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        Note::TYPE.to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Account(Sum);

impl Aggregate for Account {
    const TYPE: &'static str = "bench";
    type Command = ();
    type Event = Event;
    type Error = std::convert::Infallible;
    type Services = ();

    async fn handle(&mut self, (): (), (): &(), _: &EventSink<Self>) -> Result<(), Self::Error> {
        Ok(())
    }

    fn apply(&mut self, Event::Noted(note): Event) {
        self.0.add(&note);
    }
}

#[derive(Clone)]
pub(crate) struct Cqrs(Arc<PersistedEventStore<PostgresEventRepository, Account>>);

impl Cqrs {
    pub(crate) async fn open(pool: PgPool) -> Result<Self> {
        pool.execute(TABLE).await?;
        Ok(Self(Arc::new(PersistedEventStore::new_event_store(PostgresEventRepository::new(pool)))))
    }
}

impl Store for Cqrs {
    type Stream = (String, usize);

    fn stream(&self) -> Self::Stream {
        (Uuid::new_v4().to_string(), 0)
    }

    async fn append(&self, (id, version): &mut Self::Stream, events: usize) -> Result<Appended> {
        let context = EventStoreAggregateContext {
            aggregate_id: id.clone(),
            aggregate: Account::default(),
            current_sequence: *version,
            current_snapshot: None,
        };
        let new = (0..events).map(|_| Event::Noted(Note::new())).collect();
        self.0.commit(new, context, HashMap::new()).await?;
        *version += events;
        Ok(Appended::Made)
    }

    async fn recover(&self, (id, _): &Self::Stream) -> Result<Sum> {
        Ok(self.0.load_aggregate(id).await?.aggregate().0.clone())
    }
}
