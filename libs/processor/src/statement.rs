//! One data-modifying statement, put together from named parts. Separate, because the processor, the event store and
//! each service add their own parts, and one round trip must carry them all.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

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
    shape: Shape,
    arguments: PgArguments,
    failure: Option<sqlx::error::BoxDynError>,
}

/// All that a statement's text depends on. A service has a few shapes, and each statement is one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Shape {
    /// Name, text, and how many arguments come before it.
    parts: Vec<(&'static str, &'static str, usize)>,
    checks: Vec<Check>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Check {
    name: &'static str,
    placeholder: usize,
    code: &'static str,
}

/// The texts of the shapes met so far.
static TEXTS: LazyLock<RwLock<HashMap<Shape, Arc<str>>>> = LazyLock::new(RwLock::default);

impl Shape {
    fn text(&self) -> Arc<str> {
        if let Some(text) = TEXTS.read().unwrap_or_else(PoisonError::into_inner).get(self) {
            return text.clone();
        }
        let text: Arc<str> = self.composed().into();
        TEXTS.write().unwrap_or_else(PoisonError::into_inner).insert(self.clone(), text.clone());
        text
    }

    fn composed(&self) -> String {
        let parts = self.parts.iter().map(|(name, sql, before)| format!("{name} AS (\n{}\n)", renumber(sql, *before)));
        let mut text = format!("WITH {}\nSELECT clock_timestamp()", parts.collect::<Vec<_>>().join(",\n"));
        for Check { name, placeholder, code } in &self.checks {
            // The function is for what is wrong only: entering it costs as much as the count.
            let count = format!("(SELECT count(*) FROM {name})");
            text.push_str(&format!(
                ", CASE WHEN {count} = ${placeholder} THEN true
                   ELSE processor.expect_rows('{name}', {count}, ${placeholder}, '{code}') END"
            ));
        }
        text
    }
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
        self.shape.parts.push((name, sql, self.arguments.len()));
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
        // Safe: every piece is a `&'static str` of this program; data travels in `arguments`.
        let text = AssertSqlSafe(self.shape.text());
        let row = sqlx::query_with(text, self.arguments).fetch_one(connection).await?;
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
        self.statement.shape.checks.push(Check { name: self.name, placeholder, code });
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
