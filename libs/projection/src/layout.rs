//! Schemas and views: where a version's tables are, and what queries see of them. Separate, because names become part of
//! statements here and nowhere else.

use sqlx::{AssertSqlSafe, Executor as _, PgConnection, PgPool};

use crate::projection::{Projection, Tables};

/// A projection's name that can be part of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name(&'static str);

/// Why a projection could not be made at home in the database.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// It becomes the name of a schema.
    #[error("`{name}` is no name for a projection: lower case letters, digits and underscores, 40 at most")]
    Name {
        /// The name.
        name: &'static str,
    },
    /// The database said no.
    #[error("the projection `{name}` could not be made; has `migrate` run?")]
    Database {
        /// The projection.
        name: &'static str,
        /// The database's words.
        #[source]
        source: sqlx::Error,
    },
}

impl Name {
    pub(crate) fn new(name: &'static str) -> Result<Self, InstallError> {
        let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
        let good = !name.is_empty() && name.len() <= 40 && name.chars().all(fits) && name != "read";
        good.then_some(Self(name)).ok_or(InstallError::Name { name })
    }

    pub(crate) const fn text(self) -> &'static str {
        self.0
    }

    /// The schema of a version's tables.
    pub(crate) fn schema(self, version: i32) -> String {
        format!("{}_v{version}", self.0)
    }
}

/// Makes the first version of a projection, and shows it, if there is none yet. Done once, however often and by however
/// many it is asked for.
///
/// # Errors
/// [`InstallError`].
pub async fn install<P: Projection>(projection: &P, pool: &PgPool) -> Result<(), InstallError> {
    let name = Name::new(projection.name())?;
    let wrong = |source| InstallError::Database { name: name.text(), source };
    let mut transaction = pool.begin().await.map_err(wrong)?;
    first_version(name, projection.shape(), projection.tables(), &mut transaction).await.map_err(wrong)?;
    transaction.commit().await.map_err(wrong)
}

async fn first_version(name: Name, shape: i32, tables: Tables, db: &mut PgConnection) -> Result<(), sqlx::Error> {
    lock(name, db).await?;
    let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM projection.versions WHERE name = $1)")
        .bind(name.text())
        .fetch_one(&mut *db)
        .await?;
    if known {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO projection.versions (name, version, shape, state, swaps_by_itself, asked_by, live_at)
         VALUES ($1, 1, $2, 'live', true, 'install', clock_timestamp())",
    )
    .bind(name.text())
    .bind(shape)
    .execute(&mut *db)
    .await?;
    make_tables(name, 1, tables, db).await?;
    show(name, 1, tables, db).await
}

/// Until the transaction ends, nobody else changes this projection's versions.
pub(crate) async fn lock(name: Name, db: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('projection ' || $1, 0))")
        .bind(name.text())
        .execute(db)
        .await?;
    Ok(())
}

/// Makes a version's schema with its tables.
pub(crate) async fn make_tables(
    name: Name,
    version: i32,
    tables: Tables,
    db: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let schema = name.schema(version);
    let sql = format!("CREATE SCHEMA \"{schema}\"; SET LOCAL search_path TO \"{schema}\"; {};", tables.ddl);
    db.execute(AssertSqlSafe(sql)).await?;
    Ok(())
}

/// From the commit on, queries see this version.
pub(crate) async fn show(name: Name, version: i32, tables: Tables, db: &mut PgConnection) -> Result<(), sqlx::Error> {
    let schema = name.schema(version);
    for table in tables.shown {
        // A view's columns may only grow; where a table has lost one, the view is made anew, in this same transaction.
        let replace = format!("CREATE OR REPLACE VIEW read.\"{table}\" AS SELECT * FROM \"{schema}\".\"{table}\"");
        db.execute("SAVEPOINT view").await?;
        if let Err(error) = db.execute(AssertSqlSafe(replace.clone())).await {
            if error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() != Some("42P16") {
                return Err(error);
            }
            db.execute("ROLLBACK TO SAVEPOINT view").await?;
            db.execute(AssertSqlSafe(format!("DROP VIEW read.\"{table}\"; {replace}"))).await?;
        }
        db.execute("RELEASE SAVEPOINT view").await?;
    }
    Ok(())
}

/// Removes a version's schema, and how far it has read. Fails while a view still shows it.
pub(crate) async fn drop_version(
    name: Name,
    version: i32,
    tables: Tables,
    db: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let schema = name.schema(version);
    let shown = tables.shown.iter().chain(tables.compared).collect::<std::collections::BTreeSet<_>>();
    for table in shown {
        // Without CASCADE: what is shown must not vanish.
        db.execute(AssertSqlSafe(format!("DROP TABLE IF EXISTS \"{schema}\".\"{table}\""))).await?;
    }
    db.execute(AssertSqlSafe(format!("DROP SCHEMA IF EXISTS \"{schema}\" CASCADE"))).await?;
    sqlx::query("DELETE FROM projection.checkpoints WHERE name = $1 AND version = $2")
        .bind(name.text())
        .bind(version)
        .execute(db)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn a_name_that_could_not_be_a_schema_is_refused() {
        for bad in ["", "Orders", "orders;", "orders by day", "read", &"x".repeat(41)] {
            assert!(Name::new(String::from(bad).leak()).is_err(), "{bad}");
        }
        assert_eq!(Name::new("orders_2").map(|name| name.schema(3)).ok().as_deref(), Some("orders_2_v3"));
    }
}
