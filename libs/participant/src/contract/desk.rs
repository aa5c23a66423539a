//! One lane of a participant over a store in memory: messages go through load, decide, write and commit as the processor
//! has them do. Separate from what is tried, which knows nothing of lanes.

use std::collections::{BTreeMap, BTreeSet};

use backstitch_contracts::{Envelope, headers};
use backstitch_event_store::{MemoryStore, StoredEvent, StreamId, StreamVersion};
use backstitch_messaging::{Delivery, Record, TopicPartition};
use backstitch_processor::{Answered, Input, Job, Loading, Logic as _, Message};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize as _;
use uuid::Uuid;

use super::{Ask, Trial};
use crate::draft::Placed;
use crate::in_memory::{Album, MemorySource, at_once, request, write};
use crate::note::{Marks, Standing};
use crate::{Participant, ParticipantLogic};

/// The forward command's id, the compensation's, and one for all that comes before.
pub(super) const FORWARD: Uuid = Uuid::from_u128(0xf0);
pub(super) const BACK: Uuid = Uuid::from_u128(0xb0);
const BEFORE: u128 = 0xa000;

/// A message as the processor hands it over.
pub(super) fn message(ask: &Ask, id: Uuid, headers: &[(&str, String)]) -> Message {
    let delivery = Delivery {
        source: TopicPartition::new(ask.topic.as_str(), 0),
        offset: 0,
        timestamp_millis: None,
        key: Some(ask.key.clone().into_bytes()),
        value: None,
        headers: headers.iter().map(|(name, value)| ((*name).to_owned().into(), value.clone().into_bytes())).collect(),
    };
    let envelope = Envelope {
        event_id: id,
        event_type: ask.command.clone(),
        event_version: 1,
        aggregate_id: ask.key.clone(),
        aggregate_type: "Saga".to_owned(),
        occurred_at: morning(),
        correlation_id: Uuid::from_u128(0xc0),
        causation_id: None,
        user_id: None,
        metadata: BTreeMap::new(),
        data: ask.data.clone(),
    };
    Message { topic: ask.topic.clone(), delivery, envelope, trace: None, elsewhere: Vec::new() }
}

/// When everything begins.
fn morning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default()
}

/// What a desk knows when a message comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// All that was.
    Keeps,
    /// Nothing: each time, its streams are read from their first events.
    Loses,
    /// Nothing: each time, its streams are read from snapshots.
    Photographs,
}

impl Memory {
    pub(super) const ALL: [Self; 3] = [Self::Keeps, Self::Loses, Self::Photographs];
}

/// A participant at work.
pub(super) struct Desk<'t, P: Participant> {
    trial: &'t Trial<P>,
    store: MemoryStore,
    logic: ParticipantLogic<P>,
    memory: Memory,
    album: Album,
    offset: i64,
    now: DateTime<Utc>,
    jobs: Vec<Job>,
    written: BTreeSet<StreamId>,
}

impl<'t, P: Participant> Desk<'t, P> {
    /// Everything that comes before has come.
    pub(super) fn opened(trial: &'t Trial<P>, memory: Memory) -> Self {
        let mut desk = Self {
            trial,
            store: MemoryStore::new(),
            logic: ParticipantLogic::new(trial.participant.clone(), trial.settings.clone()),
            memory,
            album: Album::new(),
            offset: 0,
            now: morning(),
            jobs: Vec::new(),
            written: BTreeSet::new(),
        };
        for (ask, number) in trial.before.iter().zip(1..) {
            desk.gets(message(ask, Uuid::from_u128(BEFORE + number), &[]));
            desk.calls_are_answered();
        }
        desk
    }

    /// What the forward command is told, and its call's outcome.
    pub(super) fn forward(&mut self, attempt: u32) -> Vec<Envelope> {
        let mut told = self.forward_alone(attempt);
        told.extend(self.calls_are_answered());
        told
    }

    /// The same, with its call still open.
    pub(super) fn forward_alone(&mut self, attempt: u32) -> Vec<Envelope> {
        self.gets(message(&self.trial.forward, FORWARD, &[(headers::SAGA_TRY, attempt.to_string())]))
    }

    /// What the compensation is told, and its call's outcome.
    pub(super) fn back(&mut self, compensation: &Ask) -> Vec<Envelope> {
        let mut told = self.back_alone(compensation);
        told.extend(self.calls_are_answered());
        told
    }

    /// The same, with all calls still open.
    pub(super) fn back_alone(&mut self, compensation: &Ask) -> Vec<Envelope> {
        self.gets(message(compensation, BACK, &[(headers::SAGA_UNDOES, FORWARD.to_string())]))
    }

    /// What a compensation is told whose sender sets none of our headers.
    pub(super) fn back_by_a_stranger(&mut self, compensation: &Ask) -> Vec<Envelope> {
        let mut told = self.gets(message(compensation, BACK, &[]));
        told.extend(self.calls_are_answered());
        told
    }

    /// What is published once every open call is answered.
    pub(super) fn calls_are_answered(&mut self) -> Vec<Envelope> {
        let mut told = Vec::new();
        while !self.jobs.is_empty() {
            let job = self.jobs.remove(0);
            let Some(caller) = &self.trial.caller else {
                panic!("{}: an external call is made: say with `calling` who answers it", job.kind)
            };
            let outcome = at_once(caller.call(&job)).unwrap_or_else(|| {
                panic!("{}: in a trial, an external call is answered at once", job.kind);
            });
            let kind = job.kind.clone();
            told.extend(self.decide(&Input::Answered(Answered { job, outcome }), &kind));
        }
        told
    }

    pub(super) fn has_open_calls(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// Every event that was written, in every stream.
    pub(super) fn events(&self) -> Vec<StoredEvent> {
        let all: Vec<_> = self.written.iter().map(|stream| (stream.clone(), StreamVersion::NONE)).collect();
        self.store.load_now(&all)
    }

    /// How the forward command stands, as its events say.
    pub(super) fn standing(&self) -> Option<Standing> {
        let events = self.events();
        let of_forward = events.iter().rev().filter(|stored| stored.event.causation_id == Some(FORWARD));
        let mut marks = of_forward.filter_map(|stored| Marks::deserialize(&stored.event.metadata).ok());
        marks.find_map(|marks| marks.command).map(|mark| mark.standing)
    }

    fn gets(&mut self, mut message: Message) -> Vec<Envelope> {
        self.offset += 1;
        message.delivery.offset = self.offset;
        let name = message.envelope.event_type.clone();
        self.decide(&Input::Message(Box::new(message)), &name)
    }

    fn decide(&mut self, input: &Input, name: &str) -> Vec<Envelope> {
        self.now += TimeDelta::seconds(1);
        if self.memory != Memory::Keeps {
            self.logic = ParticipantLogic::new(self.trial.participant.clone(), self.trial.settings.clone());
        }
        if self.memory == Memory::Photographs {
            self.logic.snapshots = Some(self.album.snapshots.clone());
        }
        for loading in [Loading::Optimistic, Loading::Thorough] {
            self.load(input, loading);
            let decided = self.logic.decided(input, self.now);
            let decided = decided.unwrap_or_else(|rejection| panic!("{name}: it becomes a dead letter: {rejection}"));
            let appended = self.logic.take_appended();
            if self.write(appended) {
                self.logic.committed();
                self.album.keep();
                let decided = decided.unwrap_or_default();
                let calls = decided.calls.into_iter();
                self.jobs.extend(calls.map(|(id, kind, payload)| Job { id, kind, payload, trace: None }));
                return decided.records.iter().map(|record| self.read(record)).collect();
            }
            self.logic.aborted();
        }
        panic!("{name}: its events conflict though every stream was read")
    }

    fn load(&mut self, input: &Input, loading: Loading) {
        let mut source = MemorySource::of(&self.store, Some(&self.album));
        let loaded = at_once(self.logic.load_from(&[input], loading, &mut source));
        assert!(matches!(loaded, Some(Ok(()))), "a store in memory makes nobody wait, and does not fail");
    }

    fn write(&mut self, appended: Vec<Placed>) -> bool {
        let request = request(appended);
        self.written.extend(request.streams());
        write(&self.store, request).is_ok()
    }

    fn read(&self, record: &Record) -> Envelope {
        let bytes = record.value.as_deref().unwrap_or_default();
        self.trial.decoder.decode(&record.topic, bytes).unwrap_or_else(|error| {
            panic!("what is published on `{}` cannot be read again: {error}", record.topic);
        })
    }
}
