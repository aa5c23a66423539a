//! One data-modifying statement, put together from named parts. Separate, because the processor, the event store and
//! each service add their own parts, and one round trip must carry them all.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgConnection, PgHasArrayType};
use sqlx::{Arguments as _, AssertSqlSafe, Encode, Postgres, Row as _, Type};

/// SQLSTATE raised when the lane is no longer ours.
pub const FENCED: &str = "BS001";
/// SQLSTATE raised when a stream was not at the expected version.
pub const CONFLICT: &str = "BS002";

/// A statement of common table expressions, each with its own arguments, and of row counts that must hold.
///
/// Every argument is an array, a part's rows lie across its arrays, and a part means the same whatever rows it is given. So
/// the statements of several lanes are one, too.
#[derive(Default)]
pub struct Statement {
    /// By name, which is their order in the text as well: so lanes that begin with other parts make the same text.
    parts: BTreeMap<&'static str, Rows>,
}

/// A part and what it is given.
struct Rows {
    sql: &'static str,
    columns: Vec<Box<dyn Column>>,
    /// How many rows it must touch, and the SQLSTATE if it does not.
    expected: Option<(i64, &'static str)>,
}

/// All that a statement's text depends on. A service has a few shapes, and each statement is one of them.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Shape(Vec<PartShape>);

#[derive(Debug, PartialEq, Eq)]
struct PartShape {
    name: &'static str,
    sql: &'static str,
    /// How many arguments come before its own.
    before: usize,
    /// Placeholder and SQLSTATE.
    check: Option<(usize, &'static str)>,
}

/// By all but the text, which the name all but says: a commit need not go through thousands of bytes once more.
impl Hash for PartShape {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.name, self.before, self.check).hash(state);
    }
}

/// The texts of the shapes met so far.
static TEXTS: LazyLock<RwLock<HashMap<Shape, Arc<str>>>> = LazyLock::new(RwLock::default);

/// An array to be bound, joined with those of the same part in other statements.
trait Column: Any + Send + Sync {
    fn bind(&self, others: &[&dyn Column], arguments: &mut PgArguments) -> Result<(), BoxDynError>;
}

/// What an array may hold.
pub trait Cell: for<'q> Encode<'q, Postgres> + Type<Postgres> + PgHasArrayType + Send + Sync + 'static {}

impl<T: for<'q> Encode<'q, Postgres> + Type<Postgres> + PgHasArrayType + Send + Sync + 'static> Cell for T {}

impl<T: Cell> Column for Vec<T> {
    fn bind(&self, others: &[&dyn Column], arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        if others.is_empty() {
            return arguments.add(self.as_slice());
        }
        let mut joined: Vec<&T> = self.iter().collect();
        for other in others {
            let other: &dyn Any = *other;
            let other: &Self = other.downcast_ref().ok_or("a part was given columns of two types")?;
            joined.extend(other);
        }
        arguments.add(joined)
    }
}

impl Shape {
    fn text(self) -> Arc<str> {
        if let Some(text) = TEXTS.read().unwrap_or_else(PoisonError::into_inner).get(&self) {
            return text.clone();
        }
        let text: Arc<str> = self.composed().into();
        TEXTS.write().unwrap_or_else(PoisonError::into_inner).insert(self, text.clone());
        text
    }

    fn composed(&self) -> String {
        let parts = self.0.iter().map(|part| format!("{} AS (\n{}\n)", part.name, renumber(part.sql, part.before)));
        let mut text = format!("WITH {}\nSELECT clock_timestamp()", parts.collect::<Vec<_>>().join(",\n"));
        for part in &self.0 {
            let Some((placeholder, code)) = part.check else { continue };
            let name = part.name;
            // The function is for what is wrong only: entering it costs more than the count.
            text.push_str(&format!(
                ",\n(SELECT CASE WHEN count(*) = ${placeholder} THEN true
                 ELSE processor.expect_rows('{name}', count(*), ${placeholder}, '{code}') END FROM {name})"
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

    /// Adds the part `name AS (sql)`, once. In `sql`, `$1`, `$2`, … count from this part's first argument, and it may
    /// refer to parts whose names come before its own in the alphabet. The text must be fixed: what varies goes into
    /// arguments.
    pub fn part(&mut self, name: &'static str, sql: &'static str) -> Part<'_> {
        let rows = Rows { sql, columns: Vec::new(), expected: None };
        let rows = self.parts.entry(name).or_insert(rows);
        Part { rows }
    }

    /// Runs it; answers the database's clock.
    ///
    /// # Errors
    /// The database's error; a broken expectation has the SQLSTATE that [`Part::expect`] named.
    pub async fn execute(&self, connection: &mut PgConnection) -> Result<DateTime<Utc>, sqlx::Error> {
        Self::execute_together(&[self], connection).await
    }

    /// Runs several as one: all or nothing.
    ///
    /// # Errors
    /// As [`Statement::execute`], without telling whose it was.
    pub async fn execute_together(
        statements: &[&Self],
        connection: &mut PgConnection,
    ) -> Result<DateTime<Utc>, sqlx::Error> {
        let (shape, arguments) = Self::joined(statements).map_err(sqlx::Error::Encode)?;
        // Safe: every piece is a `&'static str` of this program; data travels in `arguments`.
        let row = sqlx::query_with(AssertSqlSafe(shape.text()), arguments).fetch_one(connection).await?;
        row.try_get(0)
    }

    fn joined(statements: &[&Self]) -> Result<(Shape, PgArguments), BoxDynError> {
        let mut parts: BTreeMap<&'static str, Vec<&Rows>> = BTreeMap::new();
        for (name, rows) in statements.iter().flat_map(|statement| &statement.parts) {
            parts.entry(name).or_default().push(rows);
        }
        let (mut shape, mut arguments) = (Vec::with_capacity(parts.len()), PgArguments::default());
        for (name, given) in parts {
            let Some((first, others)) = given.split_first() else { continue };
            if others.iter().any(|rows| rows.sql != first.sql) {
                return Err(format!("two texts for the part `{name}`").into());
            }
            let before = arguments.len();
            for (at, column) in first.columns.iter().enumerate() {
                let rest = others.iter().map(|rows| rows.columns.get(at).map(AsRef::as_ref));
                let rest: Option<Vec<&dyn Column>> = rest.collect();
                column.bind(&rest.ok_or("a part was given fewer columns")?, &mut arguments)?;
            }
            let check = match first.expected {
                None => None,
                Some((_, code)) => {
                    arguments.add(given.iter().filter_map(|rows| rows.expected).map(|(rows, _)| rows).sum::<i64>())?;
                    Some((arguments.len(), code))
                }
            };
            shape.push(PartShape { name, sql: first.sql, before, check });
        }
        Ok((Shape(shape), arguments))
    }
}

/// One part while its arguments are bound.
pub struct Part<'a> {
    rows: &'a mut Rows,
}

impl Part<'_> {
    /// Binds the next argument.
    pub fn bind<T: Cell>(self, column: Vec<T>) -> Self {
        self.rows.columns.push(Box::new(column));
        self
    }

    /// The part (which must end in `RETURNING …`) has to touch exactly `rows` rows, or the whole statement fails with
    /// SQLSTATE `code`.
    pub fn expect(self, rows: usize, code: &'static str) {
        self.rows.expected = Some((i64::try_from(rows).unwrap_or(i64::MAX), code));
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
