//! What participants bear, as all definitions together say. Separate from the engine's arithmetic: which definitions count
//! is known here.

use std::collections::BTreeMap;

use backstitch_saga::participant::Limits;

use crate::definitions::Definitions;

/// The strictest limits of the definitions that new sagas start on. A participant that only older ones limit is named
/// without limits: their sagas wait for turns, and get them.
#[must_use]
pub fn limits(definitions: &Definitions) -> BTreeMap<String, Limits> {
    let mut limits: BTreeMap<String, Limits> = BTreeMap::new();
    for definition in definitions.all_deployed() {
        for (topic, more) in definition.limits() {
            let known = limits.entry(topic.clone()).or_default();
            *known = known.stricter(*more);
        }
    }
    for definition in definitions.all() {
        for topic in definition.limits().keys() {
            limits.entry(topic.clone()).or_default();
        }
    }
    limits
}
