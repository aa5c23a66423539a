//! EventCore on Postgres: several streams an append, expected versions checked by a trigger.

use anyhow::Result;
use eventcore_postgres::PostgresEventStore;
use eventcore_types::{Event, EventStore as _, StreamId, StreamVersion, StreamWrites};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use uuid::Uuid;

use crate::loads::{Appended, Store};
use crate::note::{Note, Sum};

#[derive(Clone)]
pub(crate) struct Eventcore(PostgresEventStore);

/// Its events know their stream.
#[derive(Clone, Serialize, Deserialize)]
struct Noted {
    stream: StreamId,
    note: Note,
}

impl Event for Noted {
    fn stream_id(&self) -> &StreamId {
        &self.stream
    }

    fn event_type_name() -> &'static str {
        Note::TYPE
    }
}

impl Eventcore {
    pub(crate) async fn open(pool: PgPool) -> Result<Self> {
        let store = PostgresEventStore::from_pool(pool);
        store.migrate().await;
        Ok(Self(store))
    }
}

impl Store for Eventcore {
    type Stream = (String, usize);

    fn stream(&self) -> Self::Stream {
        (format!("bench-{}", Uuid::new_v4()), 0)
    }

    async fn append(&self, (name, version): &mut Self::Stream, events: usize) -> Result<Appended> {
        let stream = StreamId::try_new(name.as_str())?;
        let mut writes = StreamWrites::new().register_stream(stream.clone(), StreamVersion::new(*version))?;
        for _ in 0..events {
            writes = writes.append(Noted { stream: stream.clone(), note: Note::new() })?;
        }
        self.0.append_events(writes).await?;
        *version += events;
        Ok(Appended::Made)
    }

    async fn recover(&self, (name, _): &Self::Stream) -> Result<Sum> {
        let mut events = self.0.read_stream::<Noted>(StreamId::try_new(name.as_str())?).await?;
        let mut sum = Sum::default();
        while let Some(event) = events.next().await {
            sum.add(&event?.note);
        }
        Ok(sum)
    }
}
