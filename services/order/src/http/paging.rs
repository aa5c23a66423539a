//! Pages of a list: how long they are, and where the next begins. A page begins after a row and not after a number of
//! rows, so that what is added meanwhile moves nothing.

use backstitch_service_kit::http::Problem;
use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::read::{Place, QueryError};

const LIMIT: i64 = 50;
const LIMIT_MAX: i64 = 500;

/// How many rows a page has.
pub(super) fn limit(asked: Option<i64>) -> Result<i64, Problem> {
    let limit = asked.unwrap_or(LIMIT);
    if (1..=LIMIT_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::bad_request("limit_out_of_range", format!("`limit` should be from 1 to {LIMIT_MAX}")))
}

/// A place among orders, as callers hand it back.
pub(super) fn cursor_of(place: Place) -> String {
    format!("{}_{}", place.placed_at.timestamp_micros(), place.order_id)
}

/// The place that a cursor means.
pub(super) fn place_of(cursor: &str) -> Result<Place, Problem> {
    let read = || {
        let (micros, order) = cursor.split_once('_')?;
        let placed_at = DateTime::<Utc>::from_timestamp_micros(micros.parse().ok()?)?;
        Some(Place { placed_at, order_id: Uuid::try_parse(order).ok()? })
    };
    read().ok_or_else(not_ours)
}

/// A place among sales, as callers hand it back.
pub(super) fn sales_cursor(day: NaiveDate, product_id: &str, currency: &str) -> String {
    format!("{day}_{currency}_{product_id}")
}

/// The place that a cursor among sales means.
pub(super) fn sales_place(cursor: &str) -> Result<(NaiveDate, String, String), Problem> {
    let read = || {
        let (day, rest) = cursor.split_once('_')?;
        let (currency, product_id) = rest.split_once('_')?;
        Some((day.parse().ok()?, product_id.to_owned(), currency.to_owned()))
    };
    read().ok_or_else(not_ours)
}

/// A range that holds nothing was hardly meant.
pub(super) fn check_range<T: PartialOrd>(names: [&str; 2], from: Option<T>, before: Option<T>) -> Result<(), Problem> {
    match (from, before) {
        (Some(from), Some(before)) if from >= before => {
            let [from, before] = names;
            Err(Problem::bad_request("range_empty", format!("`{from}` should be earlier than `{before}`")))
        }
        _ => Ok(()),
    }
}

fn not_ours() -> Problem {
    Problem::bad_request("cursor_invalid", "`after` should be the `next` of the page before, unchanged")
}

/// The read database is away: worth asking again.
pub(super) fn unanswered(error: QueryError) -> Problem {
    tracing::warn!(error = format!("{:#}", anyhow::Error::new(error)), "the read models could not be asked");
    Problem::unavailable("read_database_unavailable", "the read database does not answer; ask again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_place_and_anything_else_is_refused() {
        let place =
            Place { placed_at: DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap(), order_id: Uuid::nil() };
        assert_eq!(place_of(&cursor_of(place)).unwrap(), place);
        for other in ["", "1", "x_y", "99999999999999999999_6f1a4d1e-51b2-4a58-9d1f-0c2f6f3c9d10"] {
            assert!(place_of(other).is_err(), "{other}");
        }
        let day = NaiveDate::from_ymd_opt(2026, 11, 25).unwrap();
        let back = sales_place(&sales_cursor(day, "desk_lamp", "EUR")).unwrap();
        assert_eq!(back, (day, "desk_lamp".to_owned(), "EUR".to_owned()));
    }

    #[test]
    fn a_page_is_neither_empty_nor_endless() {
        assert_eq!(limit(None).unwrap(), LIMIT);
        assert!(limit(Some(0)).is_err() && limit(Some(LIMIT_MAX + 1)).is_err());
    }
}
