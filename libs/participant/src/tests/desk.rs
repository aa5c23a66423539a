//! One lane of the booking desk over a store in memory: sends inputs through load, decide, write and commit as the
//! processor does, and tells what came out.

use std::collections::BTreeMap;
use std::sync::Arc;

use backstitch_contracts::Envelope;
use backstitch_event_store::{AppendError, MemoryStore, Snapshot, StreamId, StreamVersion};
use backstitch_messaging::Record;
use backstitch_processor::{Answered, Input, Job, Loading, Logic as _, Rejection, Timer};
use chrono::{DateTime, Utc};

use super::booking::{Booking, Outcome, flow_stream};
use super::letters::{FLOW, Letter, morning};
use super::schema::{decoded, settings};
use crate::ParticipantLogic;
use crate::in_memory::{Album, MemorySource, at_once, request, write};
use crate::logic::Decided;

pub(crate) struct Desk {
    pub(crate) store: Arc<MemoryStore>,
    logic: ParticipantLogic<Booking>,
    forgetful: bool,
    /// Kept from one life to the next, where it has any.
    album: Option<Album>,
    offset: i64,
    pub(crate) now: DateTime<Utc>,
    pub(crate) jobs: Vec<Job>,
    pub(crate) timers: BTreeMap<String, Timer>,
    /// Streams read from the store, in batches.
    pub(crate) reads: Vec<Vec<String>>,
    /// Everything published so far.
    pub(crate) published: Vec<Record>,
}

impl Desk {
    pub(crate) fn at(store: Arc<MemoryStore>, forgetful: bool) -> Self {
        Self {
            store,
            logic: ParticipantLogic::new(Arc::new(Booking), settings()),
            forgetful,
            album: None,
            offset: 0,
            now: morning(),
            jobs: Vec::new(),
            timers: BTreeMap::new(),
            reads: Vec::new(),
            published: Vec::new(),
        }
    }

    /// The same story three times: with everything in memory, with a restart before each input, and with a restart from
    /// snapshots before each input.
    pub(crate) fn each(story: impl Fn(Self)) {
        story(Self::at(Arc::default(), false));
        story(Self::at(Arc::default(), true));
        story(Self::from_snapshots());
    }

    /// A stream's snapshot is another one from now on.
    pub(crate) fn reforms(&mut self, stream: &StreamId, reform: impl FnOnce(&mut Snapshot)) {
        self.album.as_mut().expect("it takes snapshots").reforms(stream, reform);
    }

    /// It takes a snapshot after every event, and begins anew from them before each input.
    pub(crate) fn from_snapshots() -> Self {
        let mut desk = Self::at(Arc::default(), true);
        let album = desk.album.insert(Album::new());
        desk.logic.snapshots = Some(album.snapshots.clone());
        desk
    }

    /// What the desk publishes for a letter, as `Type detail`.
    pub(crate) fn gets(&mut self, letter: Letter) -> Vec<String> {
        self.try_gets(letter).unwrap()
    }

    pub(crate) fn try_gets(&mut self, letter: Letter) -> Result<Vec<String>, Rejection> {
        let input = self.input(letter);
        self.batch(vec![input]).remove(0)
    }

    /// What it publishes for each letter of one batch.
    pub(crate) fn gets_at_once(&mut self, letters: Vec<Letter>) -> Vec<Result<Vec<String>, Rejection>> {
        let inputs = letters.into_iter().map(|letter| self.input(letter)).collect();
        self.batch(inputs)
    }

    /// The outcome of the call that was asked for last.
    pub(crate) fn hears_back(&mut self, outcome: Outcome) -> Vec<String> {
        let job = self.jobs.last().cloned().expect("a call was asked for");
        self.hears_back_of(job, outcome)
    }

    pub(crate) fn hears_back_of(&mut self, job: Job, outcome: Outcome) -> Vec<String> {
        let input = Input::Answered(Answered { job, outcome: serde_json::to_value(outcome).unwrap() });
        self.batch(vec![input]).remove(0).unwrap()
    }

    /// The only timer's time comes.
    pub(crate) fn wakes(&mut self) -> Vec<String> {
        let (_, timer) = self.timers.pop_first().expect("a timer is set");
        self.now = timer.due_at;
        self.batch(vec![Input::Timer(timer)]).remove(0).unwrap()
    }

    pub(crate) fn input(&mut self, letter: Letter) -> Input {
        self.offset += 1;
        letter.arrives(self.offset, self.now)
    }

    pub(crate) fn batch(&mut self, inputs: Vec<Input>) -> Vec<Result<Vec<String>, Rejection>> {
        if self.forgetful {
            self.restart();
        }
        let inputs: Vec<&Input> = inputs.iter().collect();
        for loading in [Loading::Optimistic, Loading::Thorough] {
            self.load(&inputs, loading);
            let decided: Vec<_> = inputs.iter().map(|input| self.logic.decided(input, self.now)).collect();
            let appended = request(self.logic.take_appended());
            match write(&self.store, appended) {
                Ok(_) => {
                    self.is_committed();
                    return decided.into_iter().map(|one| one.map(|decided| self.perform(decided))).collect();
                }
                Err(AppendError::Conflict { .. }) => self.logic.aborted(),
                Err(other) => panic!("{other}"),
            }
        }
        panic!("a conflict although everything was read");
    }

    /// The steps of a batch, one by one.
    pub(crate) fn loads(&mut self, inputs: &[Input]) {
        self.load(&inputs.iter().collect::<Vec<_>>(), Loading::Optimistic);
    }

    pub(crate) fn decides(&mut self, input: &Input) -> Vec<String> {
        let decided = self.logic.decided(input, self.now).unwrap().unwrap_or_default();
        decided.records.iter().map(|record| self.read(record)).collect()
    }

    pub(crate) fn commits(&mut self) {
        let appended = request(self.logic.take_appended());
        write(&self.store, appended).unwrap();
        self.is_committed();
    }

    fn is_committed(&mut self) {
        self.logic.committed();
        if let Some(album) = &mut self.album {
            album.keep();
        }
    }

    /// The batch was not written.
    pub(crate) fn aborts(&mut self) {
        self.logic.aborted();
    }

    fn load(&mut self, inputs: &[&Input], loading: Loading) {
        let mut source = MemorySource::of(&self.store, self.album.as_ref());
        let loaded = at_once(self.logic.load_from(inputs, loading, &mut source));
        loaded.expect("a store in memory makes nobody wait").unwrap();
        let read = |(stream, after): &(StreamId, StreamVersion)| format!("{stream} after {after}");
        self.reads.extend(source.reads.iter().map(|streams| streams.iter().map(read).collect()));
    }

    /// All memory is lost.
    pub(crate) fn restart(&mut self) {
        *self = Self {
            offset: self.offset,
            now: self.now,
            jobs: std::mem::take(&mut self.jobs),
            timers: std::mem::take(&mut self.timers),
            reads: std::mem::take(&mut self.reads),
            published: std::mem::take(&mut self.published),
            album: self.album.take(),
            ..Self::at(Arc::clone(&self.store), self.forgetful)
        };
        self.logic.snapshots = self.album.as_ref().map(|album| album.snapshots.clone());
    }

    fn perform(&mut self, decided: Option<Decided>) -> Vec<String> {
        let decided = decided.unwrap_or_default();
        for (id, kind, payload) in decided.calls {
            self.jobs.push(Job { id, kind, payload, trace: None });
        }
        for (id, timer) in decided.timers {
            match timer {
                Some((due_at, payload)) => {
                    let mut timer = Timer::reminder(id.clone(), due_at, None);
                    timer.payload = payload;
                    self.timers.insert(id, timer);
                }
                None => drop(self.timers.remove(&id)),
            }
        }
        let told = decided.records.iter().map(|record| self.read(record)).collect();
        self.published.extend(decided.records);
        told
    }

    fn read(&self, record: &Record) -> String {
        let envelope = self.envelope(record);
        let detail = envelope.data.as_object().and_then(|fields| fields.values().next()?.as_str().map(str::to_owned));
        format!("{} {}", envelope.event_type, detail.unwrap_or_default())
    }

    pub(crate) fn envelope(&self, record: &Record) -> Envelope {
        decoded(record)
    }

    /// The types of all events of a stream.
    pub(crate) fn stream(&self, stream: &StreamId) -> Vec<String> {
        let events = self.store.load_now(&[(stream.clone(), StreamVersion::NONE)]);
        events.into_iter().map(|stored| stored.event.event_type).collect()
    }

    /// The types of all events of the flow's own stream.
    pub(crate) fn history(&self) -> Vec<String> {
        self.stream(&flow_stream(FLOW))
    }
}
