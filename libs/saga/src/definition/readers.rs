//! What a definition reads, laid out for looking up: by topic and type, and where such an event names its saga.
//!
//! Separate because it is asked of every message that arrives, whether or not anybody cares for it.

use std::collections::HashMap;
use std::sync::Arc;

use super::Definition;
use super::plan::WaitSource;
use crate::expression::Expression;

/// Key expressions by topic and event type, each text once; none where only the message's own key can tell.
#[derive(Debug, Default)]
pub(super) struct Readers(HashMap<String, HashMap<String, Vec<Arc<Expression>>>>);

impl Readers {
    /// All answers, events that take a step back, and events waited for.
    pub(super) fn of(definition: &Definition) -> Self {
        let mut readers = Self::default();
        for ask in definition.asks() {
            let events = ask.done.iter().chain(&ask.refused).chain(&ask.retry);
            events.for_each(|event| readers.add(&ask.answers_on, &event.event, ask.key.as_ref()));
        }
        for command in definition.steps.iter().filter_map(|step| step.action.command()) {
            let undone = command.undone.iter().map(|undone| &undone.event.event);
            undone.for_each(|event| readers.add(&command.ask.answers_on, event, command.ask.key.as_ref()));
        }
        for wait in definition.steps.iter().filter_map(|step| step.action.wait()) {
            if let WaitSource::Event { topic, event, key } = &wait.source {
                readers.add(topic, &event.event, key.as_ref());
            }
        }
        for (_, observed) in definition.observed() {
            let events = observed.done.iter().chain(&observed.refused).chain(&observed.undone);
            events.for_each(|event| readers.add(&observed.topic, &event.event, observed.key.as_ref()));
        }
        for trigger in definition.triggers() {
            trigger.undone.iter().for_each(|event| readers.add(&trigger.topic, &event.event, Some(&trigger.key)));
        }
        readers
    }

    fn add(&mut self, topic: &str, event: &str, key: Option<&Arc<Expression>>) {
        let keys = self.0.entry(topic.to_owned()).or_default().entry(event.to_owned()).or_default();
        let is_new = |key: &&Arc<Expression>| keys.iter().all(|known| known.source() != key.source());
        let new = key.filter(is_new).cloned();
        keys.extend(new);
    }

    /// Where events of this type name their saga; absent if nobody reads them.
    pub(super) fn keys(&self, topic: &str, event_type: &str) -> Option<&[Arc<Expression>]> {
        self.0.get(topic)?.get(event_type).map(Vec::as_slice)
    }

    /// Topics whose events are read.
    pub(super) fn topics(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
