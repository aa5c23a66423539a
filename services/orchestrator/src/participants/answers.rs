//! Which events are whose answers. Separate, because lanes ask it of every event while some participant is silent: it is
//! put together once for each claim.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use backstitch_saga::sub_saga;

use crate::definitions::Definitions;

/// Participants by what they answer with: the topic of the answer, then its type.
#[derive(Debug, Default)]
pub struct Answers(HashMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Answers {
    /// Of all participants that any definition asks. Sub-sagas are none.
    #[must_use]
    pub fn of(definitions: &Definitions) -> Self {
        let mut answers = Self::default();
        for definition in definitions.all() {
            for (participant, topic, event) in definition.answers().filter(|(asked, ..)| *asked != sub_saga::TOPIC) {
                let events = answers.0.entry(topic.to_owned()).or_default();
                events.entry(event.to_owned()).or_default().insert(participant.to_owned());
            }
        }
        answers
    }

    /// The participants that such an event may be an answer of.
    pub fn from(&self, topic: &str, event: &str) -> impl Iterator<Item = &str> {
        self.0.get(topic).and_then(|events| events.get(event)).into_iter().flatten().map(String::as_str)
    }
}
