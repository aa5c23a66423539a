//! Old versions of events as the newest: a chain of pure steps over JSON, one version each. Separate from reading, so
//! that an event store can use the same chain on what it stored long ago.
//!
//! The metadata tells what happened: `upcasted_from` (the version that was written), `upcasted_at`, and `data_loss`
//! (what the old version did not say and the new one wants to know).

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use crate::Envelope;

/// Metadata: the version that was written.
pub const UPCASTED_FROM: &str = "upcasted_from";
/// Metadata: when it was read as the newest, RFC 3339.
pub const UPCASTED_AT: &str = "upcasted_at";
/// Metadata: what the written version did not say.
pub const DATA_LOSS: &str = "data_loss";

/// One step of a chain.
struct Step {
    event_type: &'static str,
    from: i32,
    /// From the old data, and the id of the aggregate it is about, to the new.
    upcast: fn(Map<String, Value>, &str) -> Map<String, Value>,
    /// What the old version did not say.
    lost: &'static str,
}

const STEPS: &[Step] = &[
    Step { event_type: "OrderPlaced", from: 1, upcast: with_currency, lost: "currency (read as USD)" },
    Step { event_type: "OrderPlaced", from: 2, upcast: with_line_totals, lost: "shipping_address" },
];

impl Envelope {
    /// The same message with its data in the newest version. The time is the caller's to say: only the caller knows
    /// which clock counts.
    #[must_use]
    pub fn upcasted(mut self, at: DateTime<Utc>) -> Self {
        let written = self.event_version;
        let mut losses = Vec::new();
        while let Some(step) = STEPS.iter().find(|s| s.event_type == self.event_type && s.from == self.event_version) {
            let Value::Object(data) = &mut self.data else { break };
            let data = std::mem::take(data);
            self.data = Value::Object((step.upcast)(data, &self.aggregate_id));
            self.event_version += 1;
            losses.push(step.lost);
        }
        if self.event_version != written {
            self.metadata.insert(UPCASTED_FROM.to_owned(), written.to_string());
            self.metadata.insert(UPCASTED_AT.to_owned(), at.to_rfc3339_opts(SecondsFormat::Micros, true));
            self.metadata.insert(DATA_LOSS.to_owned(), losses.join(", "));
        }
        self
    }
}

/// Version 1 knew one currency only.
fn with_currency(mut data: Map<String, Value>, _aggregate_id: &str) -> Map<String, Value> {
    data.insert("currency".to_owned(), json!("USD"));
    data
}

/// Version 3 names the order, calls items and prices what they are, and has totals per line.
fn with_line_totals(mut data: Map<String, Value>, aggregate_id: &str) -> Map<String, Value> {
    let lines = match data.remove("items") {
        Some(Value::Array(items)) => items.into_iter().map(line).collect(),
        _ => Vec::new(),
    };
    data.insert("order_id".to_owned(), json!(aggregate_id));
    data.insert("order_items".to_owned(), Value::Array(lines));
    data.insert("shipping_address".to_owned(), Value::Null);
    data.insert("flow".to_owned(), json!("orchestrated"));
    data
}

fn line(item: Value) -> Value {
    let Value::Object(mut line) = item else { return item };
    let price = line.remove("price").unwrap_or(Value::Null);
    let total = price.as_i64().unwrap_or(0).saturating_mul(line.get("quantity").and_then(Value::as_i64).unwrap_or(0));
    line.insert("unit_price".to_owned(), price);
    line.insert("line_total".to_owned(), json!(total));
    Value::Object(line)
}
