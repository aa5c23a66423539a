//! JSON into the expression language's values.
//!
//! Separate because the language's own conversion makes every positive whole number unsigned, and `1 + 1u` has no
//! meaning there; a person writing `event.quantity + 1` expects a sum.

use std::collections::HashMap;
use std::sync::Arc;

use cel::objects::{Key, Map};
use serde_json::Value;

/// The expression language's value of a JSON value; whole numbers are signed where they fit.
pub(super) fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(answer) => cel::Value::Bool(*answer),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => cel::Value::Int(whole),
            (None, Some(large)) => cel::Value::UInt(large),
            (None, None) => number.as_f64().map_or(cel::Value::Null, cel::Value::Float),
        },
        Value::String(text) => cel::Value::String(Arc::new(text.clone())),
        Value::Array(items) => cel::Value::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Object(fields) => {
            let map: HashMap<Key, cel::Value> =
                fields.iter().map(|(name, value)| (Key::from(name.clone()), to_cel(value))).collect();
            cel::Value::Map(Map { map: Arc::new(map) })
        }
    }
}
