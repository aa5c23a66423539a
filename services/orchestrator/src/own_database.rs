//! A database of a test's own on the real Postgres. Separate, because the API's tests and the store's need one.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};
use uuid::Uuid;

/// An empty one with the orchestrator's tables.
pub(crate) async fn create() -> PgPool {
    create_as_of(i64::MAX).await
}

/// The same as a release left it whose last migration was this.
pub(crate) async fn create_as_of(last: i64) -> PgPool {
    let name = format!("orchestrator_test_{}", Uuid::new_v4().simple());
    let admin = admin();
    let mut connection = PgConnection::connect(&admin).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
    let (server, _) = admin.rsplit_once('/').unwrap();
    let db = PgPool::connect(&format!("{server}/{name}")).await.unwrap();
    let mut migrations = crate::migrations();
    migrations.migrations.to_mut().retain(|migration| migration.version <= last);
    migrations.run(&db).await.unwrap();
    db
}

/// Leaves nothing behind on the server.
pub(crate) async fn drop(db: PgPool) {
    let name: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&db).await.unwrap();
    let mut connection = PgConnection::connect(&admin()).await.unwrap();
    let drop = AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
    sqlx::query(drop).execute(&mut connection).await.unwrap();
}

fn admin() -> String {
    std::env::var("POSTGRES_ADMIN_URL").expect("load target/stack/env: this test needs a real Postgres")
}
