//! Bounds on what callers send. The lane has them too, but there a message too large is a dead letter; here the caller is
//! told.

use backstitch_saga::definition::DATA_BYTES_MAX;
use backstitch_service_kit::http::Problem;
use serde_json::Value;

const KEY_BYTES_MAX: usize = 200;
const REASON_CHARS_MAX: usize = 1000;

/// Data as the text that travels.
pub(super) fn data(data: &Value) -> Result<String, Problem> {
    let text = data.to_string();
    if text.len() > DATA_BYTES_MAX {
        let detail = format!("`data` has {} bytes of JSON; at most {DATA_BYTES_MAX} are allowed", text.len());
        return Err(Problem::refused("data_too_large", detail));
    }
    Ok(text)
}

/// A saga's key.
pub(super) fn key(key: &str) -> Result<(), Problem> {
    if (1..=KEY_BYTES_MAX).contains(&key.len()) {
        return Ok(());
    }
    Err(Problem::bad_request("key_out_of_range", format!("`key` should have from 1 to {KEY_BYTES_MAX} bytes")))
}

/// A reason, journaled for ever.
pub(super) fn reason(reason: Option<String>) -> Result<Option<String>, Problem> {
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON_CHARS_MAX) {
        let detail = format!("`reason` should have at most {REASON_CHARS_MAX} characters");
        return Err(Problem::bad_request("reason_too_long", detail));
    }
    Ok(reason)
}
