//! The rows of one service's database and what one statement does to them: all of it, or nothing. Separate from
//! connections and locks, which say when.

use std::collections::{BTreeMap, BTreeSet};

use backstitch_event_store::{NewEvent, StreamId};
use backstitch_messaging::{LaneId, Record};
use backstitch_orchestrator::store::{JournalRow, SagaRow};
use backstitch_participant::Placed;
use backstitch_processor::{CONFLICT, Claim, Effects, FENCED, Fence, Job, Positions, Timer, TimerChange};
use backstitch_saga::{Event, State};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::error::{UNIQUE, refused};
use super::openings::Breakers;
use crate::mutation::Mutation;

#[derive(Debug, Default, Clone)]
pub(crate) struct Lane {
    pub(crate) epoch: i64,
    pub(crate) commits: i64,
    pub(crate) positions: Positions,
    pub(crate) published: i64,
}

/// The rows.
#[derive(Default)]
pub(crate) struct Tables {
    pub(super) layout: Option<(String, i32)>,
    pub(crate) lanes: BTreeMap<i32, Lane>,
    pub(crate) outbox: BTreeMap<(i32, i64), Vec<Record>>,
    timers: BTreeMap<(i32, String), Timer>,
    jobs: BTreeMap<(i32, String), Job>,
    pub(crate) sagas: BTreeMap<Uuid, (i32, SagaRow)>,
    pub(crate) journal: BTreeMap<(Uuid, i64), JournalRow>,
    pub(crate) streams: BTreeMap<StreamId, Vec<NewEvent>>,
    /// Of all events: the tables have no unique key for them.
    event_ids: BTreeSet<Uuid>,
    /// Events that were written more than once.
    pub(crate) repeated: Vec<String>,
    pub(crate) breakers: Breakers,
    /// Writes under claims that were no longer valid.
    pub(crate) zombies: Vec<String>,
    /// What the journals fold to so far.
    folded: BTreeMap<Uuid, State>,
    /// Sagas whose stored state was not what their journal folds to.
    pub(crate) drifted: Vec<String>,
}

/// What one statement of a lane writes.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) lane: i32,
    epoch: i64,
    commits: i64,
    positions: Positions,
    published: i64,
    records: Vec<Record>,
    timers: Vec<(String, TimerChange)>,
    jobs: Vec<Job>,
    answered: Vec<String>,
    pub(super) sagas_new: Vec<(i32, SagaRow)>,
    pub(super) sagas_moved: Vec<SagaRow>,
    pub(super) journal: Vec<JournalRow>,
    pub(super) events: Vec<Placed>,
}

impl Batch {
    pub(super) fn open(fence: &Fence<'_>, effects: &Effects) -> Self {
        Self {
            lane: fence.lane.0,
            epoch: fence.epoch,
            commits: fence.commits,
            positions: fence.positions.clone(),
            published: fence.published,
            records: effects.records().to_vec(),
            timers: effects.timers().map(|(id, change)| (id.to_owned(), change.clone())).collect(),
            jobs: effects.jobs().to_vec(),
            answered: effects.answered().to_vec(),
            sagas_new: Vec::new(),
            sagas_moved: Vec::new(),
            journal: Vec::new(),
            events: Vec::new(),
        }
    }

    /// For the trace.
    pub(super) fn describe(&self) -> String {
        let mut parts = vec![format!("lane {} commit {} epoch {}", self.lane, self.commits + 1, self.epoch)];
        let entries = self.journal.iter().map(|row| format!("{}#{} {}", short(row.saga_id), row.seq, row.kind));
        parts.extend(entries);
        parts.extend(
            self.events.iter().map(|(stream, version, event)| format!("{stream}@{version} {}", event.event_type)),
        );
        if !self.records.is_empty() {
            parts.push(format!("{} records", self.records.len()));
        }
        parts.join(", ")
    }
}

fn short(id: Uuid) -> String {
    id.to_string().chars().take(8).collect()
}

impl Tables {
    pub(super) fn claim(&mut self, lane: LaneId, now: DateTime<Utc>, mutation: Option<Mutation>) -> Claim {
        let row = self.lanes.entry(lane.0).or_default();
        row.epoch += 1;
        let mut positions = row.positions.clone();
        match mutation {
            Some(Mutation::ClaimForgetsTheOutbox) => row.published = row.commits,
            Some(Mutation::ClaimSkipsAMessage) => positions.values_mut().for_each(|next| *next += 1),
            _ => {}
        }
        let of = |(at, _): &(i32, String)| *at == lane.0;
        let waiting = self.outbox.range((lane.0, row.published + 1)..=(lane.0, i64::MAX));
        Claim {
            epoch: row.epoch,
            commits: row.commits,
            positions,
            published: row.published,
            now,
            unpublished: waiting.map(|((_, seq), records)| (*seq, records.clone())).collect(),
            timers: self.timers.iter().filter(|(key, _)| of(key)).map(|(_, timer)| timer.clone()).collect(),
            jobs: self.jobs.iter().filter(|(key, _)| of(key)).map(|(_, job)| job.clone()).collect(),
        }
    }

    /// Whether the batch may be written, as the statement's expectations and unique keys have it.
    pub(super) fn check(&self, batch: &Batch, mutation: Option<Mutation>) -> Result<(), sqlx::Error> {
        let lane = self.lanes.get(&batch.lane);
        let ours = lane.is_some_and(|lane| (lane.epoch, lane.commits) == (batch.epoch, batch.commits));
        if !ours && mutation != Some(Mutation::FenceComparesNothing) {
            return Err(refused(FENCED, "fence: 0 of 1 rows"));
        }
        if mutation == Some(Mutation::StartsAreNotUnique) {
            return self.check_events(&batch.events);
        }
        if batch.sagas_new.iter().any(|(_, row)| self.sagas.contains_key(&row.id)) {
            return Err(refused(UNIQUE, "duplicate key: sagas_pkey"));
        }
        if batch.sagas_moved.iter().any(|row| !self.sagas.contains_key(&row.id)) {
            return Err(refused(CONFLICT, "sagas_moved"));
        }
        if batch.journal.iter().any(|row| self.journal.contains_key(&(row.saga_id, row.seq))) {
            return Err(refused(UNIQUE, "duplicate key: journal_pkey"));
        }
        self.check_events(&batch.events)
    }

    fn check_events(&self, events: &[Placed]) -> Result<(), sqlx::Error> {
        let mut heads: BTreeMap<&StreamId, u64> = BTreeMap::new();
        for (stream, version, _) in events {
            let head = heads.entry(stream).or_insert_with(|| self.head(stream));
            if version.0 != *head + 1 {
                return Err(refused(CONFLICT, format!("{stream} is at {head}, not before {version}")));
            }
            *head += 1;
        }
        Ok(())
    }

    pub(super) fn head(&self, stream: &StreamId) -> u64 {
        self.streams.get(stream).map_or(0, |events| events.len() as u64)
    }

    pub(super) fn apply(&mut self, batch: Batch, mutation: Option<Mutation>) {
        self.fold(&batch);
        let at = batch.lane;
        let lane = self.lanes.entry(at).or_default();
        if lane.epoch != batch.epoch {
            self.zombies.push(format!("lane {at} was written under epoch {}, after {}", batch.epoch, lane.epoch));
        }
        lane.commits = lane.commits.max(batch.commits + 1);
        lane.positions = batch.positions;
        lane.published = batch.published;
        let seq = batch.commits + 1;
        if !batch.records.is_empty() && mutation != Some(Mutation::OutboxIsOnlyInMemory) {
            self.outbox.insert((at, seq), batch.records);
        }
        let published = lane.published;
        self.outbox.retain(|(lane, seq), _| *lane != at || *seq > published);
        for (id, change) in batch.timers {
            match change {
                TimerChange::Set(timer) if timer.is_stored() => drop(self.timers.insert((at, id), timer)),
                TimerChange::Set(_) => {}
                TimerChange::Cancel => drop(self.timers.remove(&(at, id))),
            }
        }
        for job in batch.jobs {
            self.jobs.entry((at, job.id.clone())).or_insert(job);
        }
        for id in batch.answered {
            self.jobs.remove(&(at, id));
        }
        self.apply_rows(batch.sagas_new, batch.sagas_moved, batch.journal, mutation);
        for (stream, _, event) in batch.events {
            if !self.event_ids.insert(event.event_id) {
                self.repeated.push(format!("the event {} of {stream} was written before", event.event_id));
            }
            self.streams.entry(stream).or_default().push(event);
        }
    }

    /// At every commit the journal folds to the state that is stored with it.
    fn fold(&mut self, batch: &Batch) {
        for entry in &batch.journal {
            let Ok(event) = serde_json::from_str::<Event>(&entry.data) else { continue };
            let state = self.folded.entry(entry.saga_id).or_default();
            *state = backstitch_saga::evolve(std::mem::take(state), &event);
        }
        for row in batch.sagas_new.iter().map(|(_, row)| row).chain(&batch.sagas_moved) {
            let folded = self.folded.get(&row.id).and_then(|state| serde_json::to_string(state).ok());
            if folded.as_ref() != Some(&row.state) {
                self.drifted.push(format!("{} at entry {} is not what its journal folds to", row.id, row.seq));
            }
        }
    }

    fn apply_rows(
        &mut self,
        new: Vec<(i32, SagaRow)>,
        moved: Vec<SagaRow>,
        journal: Vec<JournalRow>,
        mutation: Option<Mutation>,
    ) {
        for (lane, row) in new {
            self.sagas.insert(row.id, (lane, row));
        }
        for row in moved {
            if let Some((_, known)) = self.sagas.get_mut(&row.id) {
                // What the statement sets, and nothing else.
                known.seq = row.seq;
                known.status = row.status;
                known.reason = row.reason;
                known.state = row.state;
                known.updated_at = row.updated_at;
                known.finished_at = row.finished_at;
                known.definition_hash = row.definition_hash;
            }
        }
        for row in journal {
            if mutation == Some(Mutation::JournalLosesRows) && row.seq % 7 == 5 {
                continue;
            }
            self.journal.insert((row.saga_id, row.seq), row);
        }
    }
}
