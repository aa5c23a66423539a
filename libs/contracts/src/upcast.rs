//! Old versions of messages as the newest: the steps of each type of event that ever changed. The chain itself is
//! `backstitch_upcaster`'s, which event stores read by, too. Separate from reading, so that a consumer says when.

pub use backstitch_upcaster::{DATA_LOSS, UPCASTED_AT, UPCASTED_FROM};
use backstitch_upcaster::{Step, Upcasters};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::Envelope;

/// Every step from an older version to the next, for topics and stores alike.
pub const UPCASTERS: Upcasters = Upcasters::of(&[
    Step { event_type: "OrderPlaced", from: 1, upcast: with_currency, lost: "currency (read as USD)" },
    Step { event_type: "OrderPlaced", from: 2, upcast: with_line_totals, lost: "shipping_address" },
]);

/// Whether this version is turned into a newer one before anybody sees it.
#[must_use]
pub fn is_upcast(event_type: &str, event_version: i32) -> bool {
    UPCASTERS.takes(event_type, event_version)
}

impl Envelope {
    /// The same message with its data in the newest version. The time is the caller's to say: only the caller knows
    /// which clock counts.
    #[must_use]
    pub fn upcasted(mut self, at: DateTime<Utc>) -> Self {
        let data = std::mem::take(&mut self.data);
        let upcast = UPCASTERS.upcast(&self.event_type, self.event_version, data, &self.aggregate_id);
        for (key, note) in upcast.notes(at) {
            self.metadata.insert(key.to_owned(), note);
        }
        self.event_version = upcast.event_version;
        self.data = upcast.data;
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
