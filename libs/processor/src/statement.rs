//! One data-modifying statement, put together from named parts. Separate, because the processor, the event store and
//! each service add their own parts, and one round trip must carry them all.

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::{Arguments as _, AssertSqlSafe, Encode, Postgres, Row as _, Type};

/// SQLSTATE raised when the lane is no longer ours.
pub const FENCED: &str = "BS001";
/// SQLSTATE raised when a stream was not at the expected version.
pub const CONFLICT: &str = "BS002";

/// A statement of common table expressions, each with its own arguments, and of row counts that must hold.
#[derive(Default)]
pub struct Statement {
    ctes: Vec<String>,
    checks: Vec<String>,
    arguments: PgArguments,
    failure: Option<sqlx::error::BoxDynError>,
}

impl Statement {
    /// An empty statement.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the part `name AS (sql)`. In `sql`, `$1`, `$2`, … count from this part's first argument.
    /// The text must be fixed: what varies goes into arguments.
    pub fn part(&mut self, name: &'static str, sql: &'static str) -> Part<'_> {
        let offset = self.arguments.len();
        self.ctes.push(format!("{name} AS (\n{}\n)", renumber(sql, offset)));
        Part { statement: self, name }
    }

    fn bind<'q, T: Encode<'q, Postgres> + Type<Postgres>>(&mut self, value: T) {
        if let Err(failure) = self.arguments.add(value) {
            self.failure.get_or_insert(failure);
        }
    }

    /// Runs it; answers the database's clock.
    ///
    /// # Errors
    /// The database's error; a broken expectation has the SQLSTATE that [`Part::expect`] named.
    pub async fn execute(self, connection: &mut PgConnection) -> Result<DateTime<Utc>, sqlx::Error> {
        if let Some(failure) = self.failure {
            return Err(sqlx::Error::Encode(failure));
        }
        let mut text = String::from("WITH ");
        text.push_str(&self.ctes.join(",\n"));
        text.push_str("\nSELECT clock_timestamp()");
        for check in &self.checks {
            text.push_str(", ");
            text.push_str(check);
        }
        // Safe: every piece is a `&'static str` of this program; data travels in `arguments`.
        let row = sqlx::query_with(AssertSqlSafe(text), self.arguments).fetch_one(connection).await?;
        row.try_get(0)
    }
}

/// One part while its arguments are bound.
pub struct Part<'a> {
    statement: &'a mut Statement,
    name: &'static str,
}

impl Part<'_> {
    /// Binds the next argument.
    pub fn bind<'q, T: Encode<'q, Postgres> + Type<Postgres>>(self, value: T) -> Self {
        self.statement.bind(value);
        self
    }

    /// The part (which must end in `RETURNING …`) has to touch exactly `rows` rows, or the whole statement fails with
    /// SQLSTATE `code`.
    pub fn expect(self, rows: usize, code: &'static str) -> Self {
        let placeholder = self.statement.arguments.len() + 1;
        let name = self.name;
        self.statement
            .checks
            .push(format!("processor.expect_rows('{name}', (SELECT count(*) FROM {name}), ${placeholder}, '{code}')"));
        self.statement.bind(i64::try_from(rows).unwrap_or(i64::MAX));
        self
    }
}

fn renumber(sql: &str, offset: usize) -> String {
    let mut text = String::with_capacity(sql.len() + 16);
    let mut rest = sql;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..=at]);
        rest = &rest[at + 1..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        match rest[..digits].parse::<usize>() {
            Ok(number) => text.push_str(&(number + offset).to_string()),
            Err(_) => text.push_str(&rest[..digits]),
        }
        rest = &rest[digits..];
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_counts_its_arguments_from_one() {
        assert_eq!(renumber("SELECT $1, $12 WHERE a = $2", 3), "SELECT $4, $15 WHERE a = $5");
    }
}
