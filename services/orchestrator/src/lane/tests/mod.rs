//! A lane without database and broker: messages and timers in, records out.

mod batches;
mod moving;
mod participants;
mod people;
mod replies;
mod residents;
mod starts;
mod sub_sagas;
mod timers;
mod turns;
mod unsendable;

use std::ops::Deref;
use std::sync::Arc;

use backstitch_contracts::{Envelope, saga};
use backstitch_messaging::{LaneId, Record};
use backstitch_processor::{Effects, Input, Logic, Message, Rejection, Timer};
use backstitch_saga::Definition;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{SagaLane, row};
use crate::definitions::Definitions;
use crate::samples::{headers, noon, order_fulfilment, order_placed, outgoing, quick_charge, read};
use crate::store::SagaRow;

/// A lane and the batch it is deciding.
struct Desk {
    lane: SagaLane,
    effects: Effects,
    now: DateTime<Utc>,
}

/// A record, read.
#[derive(Debug, PartialEq)]
struct Sent {
    record: Record,
    envelope: Envelope,
}

/// What an input led to, in order.
#[derive(Debug, PartialEq)]
struct Answer(Vec<Sent>);

impl Desk {
    fn of(definitions: Vec<Definition>) -> Self {
        let lane = SagaLane::new(LaneId(3), Arc::new(Definitions::of(definitions)), Arc::new(outgoing()));
        Self { lane, effects: Effects::default(), now: noon() }
    }

    fn new() -> Self {
        Self::of(vec![order_fulfilment(), quick_charge()])
    }

    fn decide(&mut self, input: &Input) -> Result<Answer, Rejection> {
        let before = self.effects.records().len();
        self.lane.decide(input, self.now, &mut self.effects)?;
        let read = |record: &Record| Sent { record: record.clone(), envelope: read(record) };
        Ok(Answer(self.effects.records()[before..].iter().map(read).collect()))
    }

    fn hears(&mut self, message: Message) -> Answer {
        self.decide(&Input::Message(Box::new(message))).unwrap()
    }

    fn rejects(&mut self, message: Message) -> Rejection {
        self.decide(&Input::Message(Box::new(message))).unwrap_err()
    }

    /// Topics and keys of what is sent on unread.
    fn passes_on(&mut self, message: Message) -> Vec<(String, Option<Vec<u8>>)> {
        let before = self.effects.records().len();
        self.lane.decide(&Input::Message(Box::new(message)), self.now, &mut self.effects).unwrap();
        self.effects.records()[before..].iter().map(|record| (record.topic.clone(), record.key.clone())).collect()
    }

    /// The saga's timer rings at this time.
    fn rings(&mut self, saga: Uuid, at: DateTime<Utc>) -> Answer {
        self.now = at;
        self.decide(&Input::Timer(Timer::reminder(saga.to_string(), at, None))).unwrap()
    }

    /// When this batch wants the saga's timer to ring.
    fn due_at(&self, saga: Uuid) -> Option<DateTime<Utc>> {
        self.effects.rings_at(&saga.to_string())
    }

    fn commits(&mut self) {
        self.lane.committed();
        self.effects = Effects::default();
    }

    /// A minute in which the lane does something else: whoever waits is packed.
    fn much_later(&mut self) {
        self.now += TimeDelta::minutes(1);
        self.hears(order_placed(&format!("order at {}", self.now)));
        self.commits();
        self.lane.live.pack_idle(self.lane.now);
    }

    fn is_packed(&self, saga: Uuid) -> bool {
        self.lane.live.contains(&saga) && self.lane.find(saga).is_none()
    }

    fn aborts(&mut self) {
        self.lane.aborted();
        self.effects = Effects::default();
    }

    /// The rows of sagas that the batch would write.
    fn rows(&self) -> Vec<SagaRow> {
        self.lane.staged.iter().map(|(id, staged)| row(*id, staged)).collect()
    }

    /// The journal rows that the batch would write: whose, and at which place.
    fn journal(&self) -> Vec<(Uuid, i64)> {
        self.lane.journal.iter().map(|row| (row.saga_id, row.seq)).collect()
    }

    /// What a lane learns for a batch with a command to a saga that is not its own.
    fn hears_of(&mut self, row: &SagaRow) {
        self.lane.strangers.insert(row.id, row.key.clone());
    }

    /// What a lane does after a claim with a live saga, or for a batch with one that has ended.
    fn recalls(&mut self, row: SagaRow) {
        let (id, live) = self.lane.restore(row).unwrap();
        self.lane.recalled.insert(id, live);
    }
}

impl Answer {
    /// Commands and events, `TOPIC <- TYPE`.
    fn commands(&self) -> Vec<String> {
        let others = self.iter().filter(|sent| sent.record.topic != saga::EVENTS);
        others.map(|sent| format!("{} <- {}", sent.record.topic, sent.envelope.event_type)).collect()
    }

    /// Types of the journal entries.
    fn entries(&self) -> Vec<&str> {
        let entries = self.iter().filter(|sent| sent.record.topic == saga::EVENTS);
        entries.map(|sent| sent.envelope.event_type.as_str()).collect()
    }

    /// Places of the journal entries.
    fn places(&self) -> Vec<&str> {
        let entries = self.iter().filter(|sent| sent.record.topic == saga::EVENTS);
        entries.map(|sent| sent.envelope.metadata["seq"].as_str()).collect()
    }

    fn find(&self, event_type: &str) -> &Sent {
        let found = self.iter().find(|sent| sent.envelope.event_type == event_type);
        found.unwrap_or_else(|| panic!("no {event_type} among {:?} {:?}", self.commands(), self.entries()))
    }

    fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }
}

impl Deref for Answer {
    type Target = [Sent];

    fn deref(&self) -> &[Sent] {
        &self.0
    }
}

impl Sent {
    fn header(&self, name: &str) -> Option<&str> {
        headers(&self.record).get(name).copied()
    }
}
