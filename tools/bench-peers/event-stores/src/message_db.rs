//! Message DB: SQL functions alone. A write takes a lock on its category, so writers of one category go one after another.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use crate::loads::{Appended, Store};
use crate::note::{Note, Sum};

/// What its install script runs, in its order, without views and privileges.
const SCRIPTS: [&str; 19] = [
    "schema/message-store",
    "extensions/pgcrypto",
    "tables/messages",
    "types/message",
    "functions/message-store-version",
    "functions/hash-64",
    "functions/acquire-lock",
    "functions/category",
    "functions/is-category",
    "functions/id",
    "functions/cardinal-id",
    "functions/stream-version",
    "functions/write-message",
    "functions/get-stream-messages",
    "functions/get-category-messages",
    "functions/get-last-stream-message",
    "indexes/messages-id",
    "indexes/messages-stream",
    "indexes/messages-category",
];
const WRITE: &str = "SELECT write_message($1::varchar, $2::varchar, $3::varchar, $4, $5, $6)";
const READ: &str = "SELECT data, position FROM get_stream_messages($1::varchar, $2, $3)";
const PAGE: i64 = 1_000;

/// Runs its scripts from `folder`.
pub(crate) async fn install(pool: &PgPool, folder: &Path) -> Result<()> {
    for script in SCRIPTS {
        let path = folder.join(format!("{script}.sql"));
        let sql = std::fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
        sqlx::raw_sql(&sql).execute(pool).await.with_context(|| format!("{script} failed"))?;
    }
    Ok(())
}

#[derive(Clone)]
pub(crate) struct MessageDb(PgPool);

impl MessageDb {
    pub(crate) async fn open(pool: PgPool) -> Result<Self> {
        Ok(Self(pool))
    }
}

impl Store for MessageDb {
    /// Name, and position of the last event; -1 when there is none.
    type Stream = (String, i64);

    fn stream(&self) -> Self::Stream {
        (format!("bench-{}", Uuid::new_v4().simple()), -1)
    }

    async fn append(&self, (name, last): &mut Self::Stream, events: usize) -> Result<Appended> {
        let mut transaction = if events > 1 { Some(self.0.begin().await?) } else { None };
        for _ in 0..events {
            let write = sqlx::query_scalar::<_, i64>(WRITE)
                .bind(Uuid::new_v4().to_string())
                .bind(name.as_str())
                .bind(Note::TYPE)
                .bind(serde_json::to_value(Note::new())?)
                .bind(json!({"source": "bench"}))
                .bind(*last);
            *last = match &mut transaction {
                Some(transaction) => write.fetch_one(&mut **transaction).await?,
                None => write.fetch_one(&self.0).await?,
            };
        }
        if let Some(transaction) = transaction {
            transaction.commit().await?;
        }
        Ok(Appended::Made)
    }

    async fn recover(&self, (name, _): &Self::Stream) -> Result<Sum> {
        let mut sum = Sum::default();
        let mut from = 0;
        loop {
            let page: Vec<(String, i64)> =
                sqlx::query_as(READ).bind(name.as_str()).bind(from).bind(PAGE).fetch_all(&self.0).await?;
            for (data, _) in &page {
                sum.add(&serde_json::from_str(data)?);
            }
            match page.last() {
                Some((_, position)) if page.len() as i64 == PAGE => from = position + 1,
                _ => return Ok(sum),
            }
        }
    }
}
