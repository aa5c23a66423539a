//! What is sent to the booking desk.

use std::collections::BTreeMap;

use backstitch_contracts::Envelope;
use backstitch_messaging::{Delivery, Header, TopicPartition};
use backstitch_processor::{Input, Message};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::booking::How;

/// The flow of most stories.
pub(crate) const FLOW: &str = "0001-flow";

/// When stories begin.
pub(crate) fn morning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// A message to be sent to the desk.
#[derive(Clone)]
pub(crate) struct Letter {
    topic: &'static str,
    id: Uuid,
    flow: String,
    event_type: &'static str,
    data: Value,
    headers: Vec<Header>,
}

impl Letter {
    pub(crate) fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned().into(), value.to_string().into_bytes()));
        self
    }

    pub(crate) fn attempt(self, attempt: u32) -> Self {
        self.header("saga-try", attempt)
    }

    pub(crate) fn undoing(self, forward: u128) -> Self {
        self.header("saga-undoes", Uuid::from_u128(forward))
    }

    /// The letter as the processor hands it over.
    pub(crate) fn arrives(self, offset: i64, now: DateTime<Utc>) -> Input {
        let delivery = Delivery {
            source: TopicPartition::new(self.topic, 0),
            offset,
            timestamp_millis: None,
            key: Some(self.flow.clone().into_bytes()),
            value: None,
            headers: self.headers,
        };
        let envelope = Envelope {
            event_id: self.id,
            event_type: self.event_type.to_owned(),
            event_version: 1,
            aggregate_id: self.flow,
            aggregate_type: "Flow".to_owned(),
            occurred_at: now,
            correlation_id: Uuid::from_u128(77),
            causation_id: None,
            user_id: Some("ada".to_owned()),
            metadata: BTreeMap::new(),
            data: self.data,
        };
        Input::Message(Box::new(Message {
            topic: self.topic.to_owned(),
            delivery,
            envelope,
            trace: None,
            elsewhere: Vec::new(),
        }))
    }

    pub(crate) fn of(mut self, flow: &str) -> Self {
        if let Some(field) = self.data.get_mut("flow") {
            *field = flow.into();
        }
        flow.clone_into(&mut self.flow);
        self
    }
}

pub(crate) fn book(id: u128, seat: &str, how: How) -> Letter {
    let data = json!({"flow": FLOW, "seat": seat, "how": how});
    letter("bookings.commands", id, "Book", data)
}

pub(crate) fn unbook(id: u128, how: How) -> Letter {
    letter("bookings.commands", id, "Unbook", json!({"flow": FLOW, "how": how}))
}

pub(crate) fn shout(id: u128, word: &str) -> Letter {
    letter("street.events", id, "Shout", json!({"word": word}))
}

pub(crate) fn letter(topic: &'static str, id: u128, event_type: &'static str, data: Value) -> Letter {
    Letter { topic, id: Uuid::from_u128(id), flow: FLOW.to_owned(), event_type, data, headers: Vec::new() }
}
