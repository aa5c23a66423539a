//! What makes a Rust type the data of an event or command. Separate, because typed reading needs no schema.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A type that is the data of one version of one event or command.
pub trait Payload: Serialize + DeserializeOwned {
    /// The name, without version: `OrderPlaced`.
    const EVENT_TYPE: &'static str;
    /// The version, from 1.
    const EVENT_VERSION: i32 = 1;
    /// The topic it is published to.
    const TOPIC: &'static str;
}

/// The name of the union member that carries this type and version: `OrderPlaced`, `OrderPlacedV2`.
#[must_use]
pub fn member_name(event_type: &str, event_version: i32) -> String {
    if event_version == 1 { event_type.to_owned() } else { format!("{event_type}V{event_version}") }
}

/// Declares which event or command, of which topic, a type is the data of.
macro_rules! payload {
    ($type:ident, $topic:ident) => {
        payload!($type, stringify!($type), 1, $topic);
    };
    ($type:ident, $name:expr, $version:literal, $topic:ident) => {
        impl $crate::Payload for $type {
            const EVENT_TYPE: &'static str = $name;
            const EVENT_VERSION: i32 = $version;
            const TOPIC: &'static str = $topic;
        }
    };
}
pub(crate) use payload;
