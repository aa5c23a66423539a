//! A database for one test.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what helps a test fails it by panicking")]
#![allow(dead_code, reason = "each test takes what it needs")]

use backstitch_event_store_postgres::{PostgresStore, migrations};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool};

pub(crate) struct Database {
    admin: String,
    name: String,
    pub(crate) pool: PgPool,
}

impl Database {
    pub(crate) async fn fresh() -> Self {
        let admin = std::env::var("POSTGRES_ADMIN_URL").expect("POSTGRES_ADMIN_URL: source target/stack/env");
        let name = format!("event_store_{}", uuid::Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(&admin).await.expect("Postgres answers");
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        let server = admin.rsplit_once('/').expect("a URL with a database").0;
        let options = PgPoolOptions::new().max_connections(20);
        let pool = options.connect(&format!("{server}/{name}")).await.unwrap();
        migrations().run(&pool).await.unwrap();
        Self { admin, name, pool }
    }

    pub(crate) fn store(&self) -> PostgresStore {
        PostgresStore::new(self.pool.clone())
    }

    pub(crate) async fn drop(self) {
        self.pool.close().await;
        let mut connection = PgConnection::connect(&self.admin).await.unwrap();
        connection.execute(AssertSqlSafe(format!("DROP DATABASE {} WITH (FORCE)", self.name))).await.unwrap();
    }
}
