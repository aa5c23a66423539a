//! A database of its own for each load, as ours has.

use anyhow::{Context as _, Result};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};

/// As many as our own store is measured with.
const CONNECTIONS: u32 = 16;

pub(crate) struct Database {
    admin: String,
    name: String,
    pub(crate) pool: PgPool,
}

impl Database {
    pub(crate) async fn fresh(admin: &str) -> Result<Self> {
        let name = format!("peer_{}", uuid::Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(admin).await.context("could not reach Postgres")?;
        connection.execute(format!("CREATE DATABASE {name}").as_str()).await?;
        // Message DB wants its schema found; to the others it means nothing.
        let options: PgConnectOptions = admin.parse()?;
        let options = options.database(&name).options([("search_path", "message_store,public")]);
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await?;
        Ok(Self { admin: admin.to_owned(), name, pool })
    }

    pub(crate) async fn drop(self) -> Result<()> {
        self.pool.close().await;
        let mut connection = PgConnection::connect(&self.admin).await?;
        connection.execute(format!("DROP DATABASE {} WITH (FORCE)", self.name).as_str()).await?;
        Ok(())
    }
}
