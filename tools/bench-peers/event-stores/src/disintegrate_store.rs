//! Disintegrate on Postgres: no streams, but queries over domain ids; an append is serialisable and names the last event that
//! its query has seen.

use anyhow::Result;
use disintegrate::serde::json::Json;
use disintegrate::{Event, EventStore as _, StreamItem, query};
use disintegrate_postgres::{Error, PgEventId, PgEventStore};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use uuid::Uuid;

use crate::loads::{Appended, Store};
use crate::note::{Note, Sum};

/// Two transactions could not be put in an order; Postgres says so of strangers, too.
const NOT_SERIALISABLE: &str = "40001";

#[derive(Debug, Clone, PartialEq, Eq, Event, Serialize, Deserialize)]
pub(crate) enum Entry {
    Noted {
        #[id]
        account: String,
        note: Note,
    },
}

#[derive(Clone)]
pub(crate) struct Disintegrate(PgEventStore<Entry, Json<Entry>>);

impl Disintegrate {
    pub(crate) async fn open(pool: PgPool) -> Result<Self> {
        Ok(Self(PgEventStore::try_new(pool, Json::default()).await?))
    }
}

impl Store for Disintegrate {
    type Stream = (String, PgEventId);

    fn stream(&self) -> Self::Stream {
        (Uuid::new_v4().to_string(), 0)
    }

    async fn append(&self, (id, last): &mut Self::Stream, events: usize) -> Result<Appended> {
        let new = (0..events).map(|_| Entry::Noted { account: id.clone(), note: Note::new() }).collect();
        match self.0.append(new, query!(Entry; account == id.clone()), *last).await {
            Ok(stored) => {
                *last = stored.last().map_or(*last, |event| event.id());
                Ok(Appended::Made)
            }
            Err(Error::Concurrency) => Ok(Appended::Conflict),
            Err(Error::Database(sqlx::Error::Database(error))) if error.code().as_deref() == Some(NOT_SERIALISABLE) => {
                Ok(Appended::Conflict)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn recover(&self, (id, _): &Self::Stream) -> Result<Sum> {
        let mut sum = Sum::default();
        let query = query!(Entry; account == id.clone());
        let mut events = self.0.stream::<Entry>(&query);
        while let Some(item) = events.next().await {
            if let StreamItem::Event(event) = item? {
                let Entry::Noted { note, .. } = event.into_inner();
                sum.add(&note);
            }
        }
        Ok(sum)
    }
}
