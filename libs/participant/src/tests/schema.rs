//! What the booking desk publishes, as its topic's schema has it.

use std::sync::{Arc, LazyLock};

use backstitch_contracts::{Catalog, Decoder, Encoder, Envelope};
use backstitch_messaging::Record;
use serde_json::{Value, json};

use crate::Settings;

const TOPIC: &str = "bookings.events";
const SCHEMA_ID: u32 = 7;

static CODEC: LazyLock<(Arc<Settings>, Decoder)> = LazyLock::new(|| {
    let (settings, decoder) = codec();
    (Arc::new(settings), decoder)
});

/// The desk's place among topics.
pub(crate) fn settings() -> Arc<Settings> {
    Arc::clone(&CODEC.0)
}

/// The same, to be changed.
#[allow(dead_code, reason = "for the tests on a database")]
pub(crate) fn other_settings() -> Settings {
    codec().0
}

/// A record as its readers see it.
pub(crate) fn decoded(record: &Record) -> Envelope {
    CODEC.1.decode(TOPIC, record.value.as_deref().unwrap()).unwrap()
}

// The envelope of any topic of ours around three events of the desk's.
fn codec() -> (Settings, Decoder) {
    let catalog = Catalog::embedded().unwrap();
    let schema = catalog.topic("inventory.events").unwrap().schema.as_ref().unwrap();
    let mut schema: Value = serde_json::from_str(schema).unwrap();
    let event = |name: &str, field: &str| json!({"type": "record", "name": name, "fields": [{"name": field, "type": "string"}]});
    let fields = schema["fields"].as_array_mut().unwrap();
    let data = fields.iter_mut().find(|field| field["name"] == "data").unwrap();
    data["type"] = json!([event("Booked", "seat"), event("BookingFailed", "reason"), event("Unbooked", "seat")]);
    let decoder = Decoder::new(&catalog).unwrap();
    decoder.learn(SCHEMA_ID, &schema.to_string()).unwrap();
    let encoder = Encoder::new(&schema.to_string(), SCHEMA_ID).unwrap();
    (Settings::new("booking", TOPIC, encoder), decoder)
}
