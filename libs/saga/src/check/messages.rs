//! Looking up the messages that a definition names, and what its author is told when there is none.
//!
//! Separate because topics and types are looked up from everywhere, and a topic without a schema is told once.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::shape::{Messages, Record, Shape, Shapes};
use crate::definition::suggest::one_slip_away;
use crate::definition::{Code, Problem};

/// The lookups of one definition.
pub(super) struct Lookup<'s> {
    shapes: &'s Shapes,
    told: BTreeSet<String>,
}

/// Where a name stands in the document.
#[derive(Clone, Copy)]
pub(super) struct Named<'n> {
    pub(super) topic: &'n str,
    pub(super) topic_path: &'n str,
    pub(super) message: &'n str,
    pub(super) message_path: &'n str,
}

impl<'s> Lookup<'s> {
    pub(super) fn new(shapes: &'s Shapes) -> Self {
        Self { shapes, told: BTreeSet::new() }
    }

    /// What a reader of this message finds.
    pub(super) fn read(&mut self, named: Named<'_>) -> Result<Shape, Option<Problem>> {
        let messages = self.topic(named)?;
        messages.read(named.message).ok_or_else(|| Some(self.no_message(named, messages)))
    }

    /// What a writer of this message has to say.
    pub(super) fn written(&mut self, named: Named<'_>, version: i32) -> Result<Arc<Record>, Option<Problem>> {
        let messages = self.topic(named)?;
        if let Some(record) = messages.written(named.message, version) {
            return Ok(Arc::clone(record));
        }
        let versions = messages.versions(named.message);
        if versions.is_empty() {
            return Err(Some(self.no_message(named, messages)));
        }
        let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
        let message = format!(
            "`{}` has no version {version} on `{}`; there is {}",
            named.message,
            named.topic,
            versions.join(", ")
        );
        Err(Some(Problem::of(Code::UnknownMessage, named.message_path, message)))
    }

    /// The messages of a topic. Without a schema there is nothing to check, which is told once for each topic.
    fn topic(&mut self, named: Named<'_>) -> Result<&'s Messages, Option<Problem>> {
        let topic = named.topic;
        if let Some(messages) = self.shapes.topic(topic) {
            return Ok(messages);
        }
        if !self.told.insert(topic.to_owned()) {
            return Err(None);
        }
        if let Some(near) = one_slip_away(topic, self.shapes.topics()) {
            let message = format!(
                "no schema has the topic `{topic}`, and one has another of nearly that name; if both exist, give the \
                 schema of this one"
            );
            let problem = Problem::of(Code::UnknownTopic, named.topic_path, message);
            return Err(Some(problem.word(topic, vec![near.to_owned()])));
        }
        let message = format!("the schema of `{topic}` is not known: nothing that is sent or read there was checked");
        Err(Some(Problem::of(Code::Unchecked, named.topic_path, message)))
    }

    fn no_message(&self, named: Named<'_>, messages: &Messages) -> Problem {
        let Named { topic, message, message_path, .. } = named;
        let elsewhere: Vec<&str> = self.shapes.carriers(message).collect();
        let hint = match elsewhere.as_slice() {
            [] => String::new(),
            topics => format!(" (it is on `{}`)", topics.join("`, `")),
        };
        let text = format!("no schema of `{topic}` has a message `{message}`{hint}");
        Problem::of(Code::UnknownMessage, message_path, text).word(message, messages.types())
    }
}
