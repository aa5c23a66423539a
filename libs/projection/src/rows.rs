//! Rows in batches: locked and read by one statement, written by one, sums added by one. Separate from the projections,
//! which only say how a row changes.
//!
//! Rows travel as one JSON argument that Postgres spreads over the table's own columns. So a statement needs no list of
//! twenty arrays, and a row is one Rust struct: its fields are the columns.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

/// A table whose rows are folded, each by its key. Every column but the key has a default.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    name: &'static str,
    key: &'static str,
    key_type: &'static str,
}

impl Table {
    /// By its name, its key's column and that column's type.
    #[must_use]
    pub const fn new(name: &'static str, key: &'static str, key_type: &'static str) -> Self {
        Self { name, key, key_type }
    }

    /// The rows of these keys, made where they are missing, and locked until the transaction ends. In the keys' order,
    /// so that two lanes never wait for each other.
    ///
    /// # Errors
    /// The database's.
    pub async fn lock<K, R>(&self, keys: &BTreeSet<K>, db: &mut PgConnection) -> Result<BTreeMap<K, R>, sqlx::Error>
    where
        K: Ord + Display + FromStr,
        R: DeserializeOwned + Unpin + Send,
    {
        if keys.is_empty() {
            return Ok(BTreeMap::new());
        }
        let Self { name, key, key_type } = self;
        let texts: Vec<String> = keys.iter().map(ToString::to_string).collect();
        // A missing row cannot be locked, and two lanes must not both take it to be missing.
        let missing = format!(
            "INSERT INTO {name} ({key}) SELECT k FROM unnest($1::text[]::{key_type}[]) AS k ORDER BY k
             ON CONFLICT ({key}) DO NOTHING"
        );
        sqlx::query(AssertSqlSafe(missing)).bind(&texts).execute(&mut *db).await?;
        let locked = format!(
            "SELECT t.{key}::text, to_jsonb(t) FROM {name} AS t WHERE t.{key} = ANY ($1::text[]::{key_type}[])
             ORDER BY t.{key} FOR UPDATE"
        );
        let rows = sqlx::query(AssertSqlSafe(locked)).bind(&texts).fetch_all(&mut *db).await?;
        let read = |row: sqlx::postgres::PgRow| {
            let text: String = row.try_get(0)?;
            let Json(value): Json<R> = row.try_get(1)?;
            let key = text.parse().map_err(|_| sqlx::Error::Decode(format!("`{text}` is no key").into()))?;
            Ok((key, value))
        };
        rows.into_iter().map(read).collect()
    }

    /// Writes rows that were locked. Their fields are the table's columns, the key among them.
    ///
    /// # Errors
    /// The database's.
    pub async fn save<R: Serialize>(&self, rows: &[R], db: &mut PgConnection) -> Result<(), sqlx::Error> {
        let rows = rows.iter().map(to_json).collect::<Result<Vec<_>, _>>()?;
        let Some(first) = rows.first() else { return Ok(()) };
        let Self { name, key, .. } = self;
        let columns: Vec<String> = columns_of(first).filter(|column| column != key).collect();
        let sql = format!(
            "UPDATE {name} AS t SET ({}) = ROW ({})
             FROM jsonb_populate_recordset(NULL::{name}, $1) AS r WHERE t.{key} = r.{key}",
            listed(&columns, ""),
            listed(&columns, "r."),
        );
        sqlx::query(AssertSqlSafe(sql)).bind(Json(rows)).execute(db).await?;
        Ok(())
    }
}

/// What a batch adds to a table of sums and takes from it: the fields of `K` are its primary key, and `N` columns are
/// added up. So what a row counts for is said once: taken away as it was, added as it has become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums<K, const N: usize> {
    table: &'static str,
    columns: [&'static str; N],
    by_key: BTreeMap<K, [i64; N]>,
}

impl<K: Ord + Serialize, const N: usize> Sums<K, N> {
    /// Of these columns of this table; nothing so far.
    #[must_use]
    pub const fn new(table: &'static str, columns: [&'static str; N]) -> Self {
        Self { table, columns, by_key: BTreeMap::new() }
    }

    /// What a row counts for now.
    pub fn add(&mut self, counts: impl IntoIterator<Item = (K, [i64; N])>) {
        self.change(counts, 1);
    }

    /// What it counted for before.
    pub fn take(&mut self, counts: impl IntoIterator<Item = (K, [i64; N])>) {
        self.change(counts, -1);
    }

    fn change(&mut self, counts: impl IntoIterator<Item = (K, [i64; N])>, sign: i64) {
        for (key, counts) in counts {
            let sums = self.by_key.entry(key).or_insert([0; N]);
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum = sum.saturating_add(count.saturating_mul(sign));
            }
        }
    }

    /// What changes, by key.
    #[must_use]
    pub fn changes(self) -> BTreeMap<K, [i64; N]> {
        self.by_key.into_iter().filter(|(_, sums)| *sums != [0; N]).collect()
    }

    /// Adds them to the table, in the keys' order; rows that are missing begin at nothing.
    ///
    /// # Errors
    /// The database's.
    pub async fn save(self, db: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (table, columns) = (self.table, self.columns);
        let mut rows = Vec::new();
        let mut keys = Vec::new();
        let mut any_taken = false;
        for (key, sums) in self.changes() {
            any_taken |= sums.iter().any(|sum| *sum < 0);
            let mut row = to_json(&key)?;
            keys = columns_of(&row).collect();
            if let Value::Object(row) = &mut row {
                row.extend(columns.iter().zip(sums).map(|(column, sum)| ((*column).to_owned(), sum.into())));
            }
            rows.push(row);
        }
        if rows.is_empty() {
            return Ok(());
        }
        let columns = columns.map(str::to_owned);
        let all = [&keys[..], &columns[..]].concat();
        let sets = columns.each_ref().map(|column| format!("\"{column}\" = t.\"{column}\" + excluded.\"{column}\""));
        let key_names = keys;
        let keys = listed(&key_names, "");
        let sql = format!(
            "INSERT INTO {table} AS t ({}) SELECT {} FROM jsonb_populate_recordset(NULL::{table}, $1) AS r
             ORDER BY {keys} ON CONFLICT ({keys}) DO UPDATE SET {}",
            listed(&all, ""),
            listed(&all, "r."),
            sets.join(", "),
        );
        sqlx::query(AssertSqlSafe(sql)).bind(Json(&rows)).execute(&mut *db).await?;
        if any_taken {
            // What comes to nothing leaves no row, as if it had never counted: a rebuild that meets the giving and the
            // taking in one batch makes none either.
            let same = key_names.iter().map(|key| format!("t.\"{key}\" = r.\"{key}\""));
            let nothing = columns.iter().map(|column| format!("t.\"{column}\" = 0"));
            let conditions: Vec<String> = same.chain(nothing).collect();
            let sql = format!(
                "DELETE FROM {table} AS t USING jsonb_populate_recordset(NULL::{table}, $1) AS r WHERE {}",
                conditions.join(" AND ")
            );
            sqlx::query(AssertSqlSafe(sql)).bind(Json(&rows)).execute(db).await?;
        }
        Ok(())
    }
}

fn to_json(row: &impl Serialize) -> Result<Value, sqlx::Error> {
    serde_json::to_value(row).map_err(|error| sqlx::Error::Encode(error.into()))
}

fn columns_of(row: &Value) -> impl Iterator<Item = String> {
    row.as_object().into_iter().flat_map(|fields| fields.keys().cloned())
}

// Names of a struct's fields: fixed texts of this program, never data.
fn listed(columns: &[String], prefix: &str) -> String {
    columns.iter().map(|column| format!("{prefix}\"{column}\"")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::Sums;

    #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord, Debug)]
    struct Key(&'static str);

    #[test]
    fn what_comes_to_nothing_is_not_written() {
        let mut sums = Sums::new("sales", ["orders", "units"]);
        sums.add([(Key("lamp"), [1, 2]), (Key("desk"), [1, 1])]);
        sums.take([(Key("lamp"), [1, 2])]);
        sums.add([(Key("desk"), [0, 3])]);
        assert_eq!(sums.changes().into_iter().collect::<Vec<_>>(), [(Key("desk"), [1, 4])]);
    }
}
