//! The engine's times and the database's. Separate, because lanes, rows and the API turn one into the other alike.

use backstitch_saga::Timestamp;
use chrono::{DateTime, Utc};

/// The engine's time as everybody else's; one that is too far away is the last there is.
pub(crate) fn time(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.as_micros()).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// A time as the engine's, in whole microseconds.
pub(crate) fn timestamp(at: DateTime<Utc>) -> Timestamp {
    Timestamp::from_micros(at.timestamp_micros())
}
