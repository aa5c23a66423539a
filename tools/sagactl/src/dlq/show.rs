//! One dead letter with all that is known about it.

use serde_json::{Map, Value, json};

use super::letter::{Letter, LetterId};
use super::read::letter;
use crate::cli::Cli;
use crate::connect;
use crate::exit::{Code, coded};
use crate::output::{print, print_json};
use crate::sagas::text;
use crate::schemas;

/// How much of bytes that are no message is shown.
const PREVIEW_BYTES: usize = 256;

pub(crate) async fn show(cli: &Cli, id: &str) -> anyhow::Result<Code> {
    let id: LetterId = id.parse().map_err(|what: String| coded(Code::Usage, what))?;
    let letter = letter(&connect::kafka(cli)?, &id).await?;
    let message = message(cli, &letter).await;
    let mut shown = serde_json::to_value(letter.summary())?;
    shown["headers"] = headers(&letter);
    match message {
        Ok(message) => shown["message"] = message,
        Err(why) => {
            shown["unreadable"] = Value::from(why);
            shown["value_hex"] = Value::from(hex(letter.delivery.value.as_deref().unwrap_or_default()));
        }
    }
    if cli.json {
        print_json(&shown)?;
        return Ok(Code::Done);
    }
    for (name, value) in shown.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::Object(_) => print(&format!("{name}\n{}", serde_json::to_string_pretty(value)?)),
            other => print(&format!("{name:<12} {}", text(other))),
        }
    }
    Ok(Code::Done)
}

fn headers(letter: &Letter) -> Value {
    let shown = letter.delivery.headers.iter().map(|(name, value)| {
        let text = std::str::from_utf8(value).map_or_else(|_| hex(value), ToOwned::to_owned);
        (name.to_string(), Value::from(text))
    });
    Value::Object(shown.collect::<Map<_, _>>())
}

/// The envelope inside, or why there is none to be seen.
async fn message(cli: &Cli, letter: &Letter) -> Result<Value, String> {
    let bytes = letter.delivery.value.as_deref().ok_or("it has no value")?;
    let registry = connect::registry(cli).map_err(|error| error.to_string())?;
    let envelope = schemas::decode(&registry, &letter.origin(), bytes).await.map_err(|error| format!("{error:#}"))?;
    Ok(json!(envelope))
}

fn hex(bytes: &[u8]) -> String {
    let shown: String = bytes.iter().take(PREVIEW_BYTES).map(|byte| format!("{byte:02x}")).collect();
    if bytes.len() > PREVIEW_BYTES { format!("{shown}… ({} bytes)", bytes.len()) } else { shown }
}
