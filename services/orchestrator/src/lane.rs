//! The engine on a lane: live sagas in memory, decisions staged and written with the batch. The only place where the
//! pure core meets storage; it decides nothing itself.

mod residents;
mod sayable;
mod timers;
mod turns;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use backstitch_contracts::{headers, saga};
use backstitch_messaging::{LaneId, Record, TraceContext};
use backstitch_processor::{Effects, Input, Loading, Logic, LogicOn, Message, Rejection, Timer, chain};
use backstitch_saga::participant::{Heard, Turns};
use backstitch_saga::{
    By, Definition, Direction, Event, Fact, Input as SagaInput, JournalError, Move, SagaId, Seen, State, StepName,
    Timestamp, Unsendable, command_id, decide_move, migrate::moved_to,
};
use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use uuid::Uuid;

use crate::definitions::Definitions;
use crate::engine::{Engine, Sound};
use crate::outgoing::{About, Entry, Outgoing, OutgoingError};
use crate::participants::{Answers, Participants};
use crate::route::{Target, flow_keys, is_a_persons, targets};
use crate::store::{JournalRow, SagaRow, SagaStore};
use crate::time::{time, timestamp};
use residents::{Residents, UnpackError};
use timers::Held;

/// A saga in memory.
#[derive(Debug, Clone, PartialEq)]
struct Live {
    definition: Arc<Definition>,
    key: String,
    state: State,
    seq: i64,
    correlation_id: Uuid,
    user_id: Option<String>,
    trace: Option<TraceContext>,
    started_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// What it can be found by, computed at its start.
    search: BTreeMap<String, String>,
    /// Whether its end has been counted.
    counted: bool,
    /// Whether the database has a row of it.
    stored: bool,
}

/// What caused a decision, for the journal.
struct Cause {
    id: Option<Uuid>,
    person: Option<String>,
    input: Option<String>,
    /// The trace to go on with, where it is not that of the input being decided.
    trace: Option<TraceContext>,
}

/// What a decision leads to, kept apart until all of it is known to be sendable.
#[derive(Default)]
struct Told {
    records: Vec<Record>,
    rows: Vec<JournalRow>,
    silent: Vec<(String, Timestamp)>,
}

/// What a saga is asked.
enum Asked<'a> {
    /// To take note of something.
    Input(&'a SagaInput),
    /// To go on under another definition.
    Move { to: &'a str, by: &'a By },
}

/// The sagas of one lane.
pub struct SagaLane<E = Sound> {
    lane: LaneId,
    engine: E,
    definitions: Arc<Definitions>,
    outgoing: Arc<Outgoing>,
    /// When the last input was decided.
    now: DateTime<Utc>,
    live: Residents,
    stuck: HashSet<Uuid>,
    /// Sagas that had to be looked up for this batch.
    recalled: HashMap<Uuid, Live>,
    /// Keys of sagas that a person's command of this batch names, and that live in other lanes.
    strangers: HashMap<Uuid, String>,
    staged: BTreeMap<Uuid, Staged>,
    journal: Vec<JournalRow>,
    /// What the input being decided has replaced in `staged`.
    replaced: Vec<(Uuid, Option<Staged>)>,
    participants: Arc<Participants>,
    /// What participants answer with.
    answers: Answers,
    /// Participants that this batch found silent, and when.
    silent: Vec<(String, Timestamp)>,
    /// When participants were last heard to answer anybody.
    heard_from: HashMap<String, Timestamp>,
    held: Held,
    turns: Turns,
}

impl Live {
    /// Whoever mends a saga does not take it over: what it sends stays on behalf of the one it runs for.
    fn about(&self, id: Uuid, now: DateTime<Utc>) -> About<'_> {
        About { saga_id: id, correlation_id: self.correlation_id, user_id: self.user_id.as_deref(), now }
    }
}

/// A saga as the batch will leave it, and its state as it will be stored.
#[derive(Clone)]
struct Staged {
    live: Live,
    state: String,
}

impl SagaLane {
    /// A lane with nothing in memory yet.
    #[must_use]
    pub fn new(lane: LaneId, definitions: Arc<Definitions>, outgoing: Arc<Outgoing>) -> Self {
        Self::on(Sound, lane, definitions, outgoing)
    }
}

impl<E: Engine> SagaLane<E> {
    /// The same on another engine.
    #[must_use]
    pub fn on(engine: E, lane: LaneId, definitions: Arc<Definitions>, outgoing: Arc<Outgoing>) -> Self {
        let answers = Answers::of(&definitions);
        let mut lane = Self {
            lane,
            engine,
            definitions,
            outgoing,
            now: DateTime::UNIX_EPOCH,
            live: Residents::default(),
            stuck: HashSet::new(),
            recalled: HashMap::new(),
            strangers: HashMap::new(),
            staged: BTreeMap::new(),
            journal: Vec::new(),
            replaced: Vec::new(),
            participants: Arc::default(),
            answers,
            silent: Vec::new(),
            heard_from: HashMap::new(),
            held: Held::default(),
            turns: Turns::default(),
        };
        lane.share_limits(1);
        lane
    }

    /// The same beside other lanes of its process, which share what they hear of participants.
    #[must_use]
    pub fn sharing(mut self, participants: Arc<Participants>) -> Self {
        self.participants = participants;
        self
    }

    fn restore(&self, row: SagaRow) -> Result<(Uuid, Live), sqlx::Error> {
        let wrong = |what: String| sqlx::Error::Decode(format!("saga {}: {what}", row.id).into());
        let definition = self.definitions.get(&row.definition_hash).ok_or_else(|| {
            wrong(format!("its definition {} is not stored in saga.definitions", row.definition_hash))
        })?;
        let state: State = serde_json::from_str(&row.state).map_err(|error| wrong(error.to_string()))?;
        let live = Live {
            definition,
            key: row.key,
            user_id: state.saga().and_then(|saga| saga.user_id.clone()),
            // A tombstone's row was written before the flow was known.
            correlation_id: state.correlation_id().unwrap_or(row.correlation_id),
            state,
            seq: row.seq,
            trace: row.trace,
            started_at: row.started_at,
            updated_at: row.updated_at,
            search: row.search,
            counted: row.finished_at.is_some(),
            stored: true,
        };
        Ok((row.id, live))
    }

    /// A saga that is found at the claim; answers its timer.
    fn take_in(&mut self, row: SagaRow) -> Result<Option<Timer>, sqlx::Error> {
        let (id, live) = self.restore(row)?;
        if matches!(live.state, State::Stuck(_)) {
            self.stuck.insert(id);
        }
        self.turns.moved(SagaId::from_uuid(id), Some((live.definition.as_ref(), &live.state)));
        let timer = due_at(&live).map(|due_at| Timer::reminder(id.to_string(), due_at, live.trace.clone()));
        self.live.lay_down(id, live);
        Ok(timer)
    }

    fn note_stuck(&mut self, id: Uuid, live: &Live) {
        if !matches!(live.state, State::Stuck(_)) {
            self.stuck.remove(&id);
        } else if self.stuck.insert(id) {
            let reason = live.state.reason().unwrap_or_default();
            tracing::error!(saga_id = %id, key = live.key, reason, "a saga is stuck and asks for a person");
        }
    }

    fn find(&self, id: Uuid) -> Option<&Live> {
        self.staged
            .get(&id)
            .map(|staged| &staged.live)
            .or_else(|| self.live.get(&id))
            .or_else(|| self.recalled.get(&id))
    }

    /// Before anything is asked of a saga: it may have waited for long.
    fn wake(&mut self, id: Uuid, now: DateTime<Utc>) -> Result<(), Rejection> {
        self.live.wake(id, now).map_err(|error| unreadable(&error))
    }

    fn on_message(&mut self, message: &Message, now: DateTime<Utc>, effects: &mut Effects) -> Result<(), Rejection> {
        self.listen(message, now);
        let targets = targets(&self.definitions, message)?;
        for target in &targets {
            self.wake(target.saga_id(), now)?;
        }
        let delivery = &message.delivery;
        let cause = Cause {
            id: Some(message.envelope.event_id),
            person: message.envelope.user_id.clone().filter(|_| is_a_persons(message)),
            input: Some(format!("{}/{}", delivery.source, delivery.offset)),
            trace: None,
        };
        let mut moved = false;
        let mut begun = Vec::new();
        let asker = self.asker(message.envelope.causation_id, &targets);
        for target in &targets {
            // An answer to one saga's command is nothing to another of the same key.
            if asker.is_some_and(|asker| asker != target.saga_id()) {
                continue;
            }
            // A saga that this very message starts has not waited for it.
            if begun.contains(&target.saga_id()) {
                continue;
            }
            moved |= self.on_target(target, &cause, now, effects)? || self.pass_on(message, target, effects);
            if matches!(target, Target::Begin { .. }) {
                begun.push(target.saga_id());
            }
        }
        if !moved {
            effects.skip();
        }
        Ok(())
    }

    /// Any answer says that its participant is there, also one that comes too late for its saga. Told at once: it stays
    /// true whatever becomes of the batch.
    fn listen(&mut self, message: &Message, now: DateTime<Utc>) {
        let (at, listens) = (timestamp(now), self.participants.listens());
        for participant in self.answers.from(&message.topic, &message.envelope.event_type) {
            match self.heard_from.get_mut(participant) {
                Some(last) => *last = at,
                None => drop(self.heard_from.insert(participant.to_owned(), at)),
            }
            if listens {
                self.participants.hear(participant, Heard::Answer, at);
            }
        }
    }

    /// Who has answered others since this step was first asked is there: then only this one command is not answered.
    fn has_answered_nobody_since(&self, participant: &str, state: &State, step: &StepName) -> bool {
        let asked_at = state.open().iter().find(|open| open.step == *step).map(|open| open.since);
        asked_at.zip(self.heard_from.get(participant)).is_none_or(|(asked_at, heard)| *heard < asked_at)
    }

    /// A command that names a saga by its id alone says nothing of its home: it is sent again under the saga's key.
    fn pass_on(&self, message: &Message, target: &Target, effects: &mut Effects) -> bool {
        let (Target::Continue { saga_id, .. } | Target::Move { saga_id, .. }) = target else { return false };
        let key = self.strangers.get(saga_id).filter(|key| message.key_text() != Some(key.as_str()));
        let Some(key) = key.filter(|_| self.find(*saga_id).is_none()) else { return false };
        let mut headers = message.delivery.headers.clone();
        headers.retain(|(name, _)| name != headers::FORWARDED_FROM);
        let value = message.delivery.value.clone();
        effects.publish(Record {
            topic: saga::COMMANDS.to_owned(),
            partition: None,
            key: Some(key.clone().into_bytes()),
            value,
            headers,
        });
        true
    }

    fn on_target(
        &mut self,
        target: &Target,
        cause: &Cause,
        now: DateTime<Utc>,
        effects: &mut Effects,
    ) -> Result<bool, Rejection> {
        match target {
            Target::Continue { saga_id, input, at_step } => match self.find(*saga_id) {
                Some(live) if stands_at(live, at_step.as_deref()) => {
                    self.apply(*saga_id, live.clone(), &Asked::Input(input), cause, now, effects)
                }
                _ => Ok(false),
            },
            Target::Move { saga_id, to, by } => match self.find(*saga_id) {
                Some(live) => self.apply(*saga_id, live.clone(), &Asked::Move { to, by }, cause, now, effects),
                None => Ok(false),
            },
            Target::Begin { saga_id, definition, key, input } => {
                let live = match self.find(*saga_id) {
                    Some(live) => live.clone(),
                    None => match self.definitions.deployed(definition) {
                        Some(definition) => new_saga(definition.clone(), key, input, *saga_id, effects, now),
                        None => return Ok(false),
                    },
                };
                self.apply(*saga_id, live, &Asked::Input(input), cause, now, effects)
            }
        }
    }

    /// The live saga among several that asked for this answer, by the command that it names.
    fn asker(&self, causation: Option<Uuid>, targets: &[Target]) -> Option<Uuid> {
        let causation = causation.filter(|_| targets.len() > 1)?;
        let asked =
            |target: &&Target| self.find(target.saga_id()).is_some_and(|live| asked(live, target.saga_id(), causation));
        targets.iter().find(asked).map(Target::saga_id)
    }

    /// Decides, folds, and stages: state, journal, commands. Answers whether anything followed.
    fn apply(
        &mut self,
        id: Uuid,
        mut live: Live,
        asked: &Asked<'_>,
        cause: &Cause,
        now: DateTime<Utc>,
        effects: &mut Effects,
    ) -> Result<bool, Rejection> {
        let at = timestamp(now);
        let to = match asked {
            Asked::Input(_) => None,
            Asked::Move { to, .. } => self.definitions.get(to),
        };
        let decide = |unsendable: &[Unsendable]| match (asked, unsendable) {
            (Asked::Input(input), []) => self.engine.decide(&live.definition, &live.state, input, at),
            (Asked::Input(input), known) => self.engine.decide_without(&live.definition, &live.state, input, at, known),
            (Asked::Move { to: hash, by }, known) => {
                decide_move(&live.definition, &Move { hash, to: to.as_deref(), by }, &live.state, at, known)
            }
        };
        let react = |event: &Event| self.engine.react(to.as_ref().unwrap_or(&live.definition), event);
        let decided = sayable::decide(&self.outgoing, &live.about(id, now), decide, react);
        let decided = decided.map_err(|error| unsendable(&error))?;
        if decided.is_empty() {
            return Ok(false);
        }
        if let Some(to) = to.filter(|_| decided.iter().any(|(event, _)| moved_to(event).is_some())) {
            live.definition = to;
        }
        let mut told = Told::default();
        for (event, said) in decided {
            told.records.extend(said);
            self.note(id, &mut live, &event, cause, now, &mut told).map_err(|error| unsendable(&error))?;
        }
        live.updated_at = now;
        let state = serde_json::to_string(&live.state)
            .map_err(|error| unsendable(&OutgoingError::from(JournalError::Write(error))))?;
        for record in told.records {
            effects.publish(on_trace(record, cause.trace.as_ref()));
        }
        self.journal.extend(told.rows);
        self.silent.extend(told.silent);
        remind(id, Some(&live), cause.trace.as_ref(), effects);
        let before = self.staged.insert(id, Staged { live, state });
        self.replaced.push((id, before));
        self.note_place(id);
        Ok(true)
    }

    fn note(
        &mut self,
        id: Uuid,
        live: &mut Live,
        event: &Event,
        cause: &Cause,
        now: DateTime<Utc>,
        told: &mut Told,
    ) -> Result<(), OutgoingError> {
        live.seq += 1;
        note_step(live, event);
        if let Fact::StepTimedOut { step, .. } = &event.fact
            && let Some(participant) = live.definition.participant_of(&live.state, step)
            && self.has_answered_nobody_since(participant, &live.state, step)
        {
            told.silent.push((participant.to_owned(), event.at));
        }
        let state = std::mem::take(&mut live.state);
        live.state = self.engine.evolve(state, event);
        if let Fact::SagaStarted(started) = &event.fact {
            // A cancel that came before knew neither.
            live.correlation_id = started.correlation_id;
            live.user_id.clone_from(&started.user_id);
            live.search = live.state.saga().map(|saga| live.definition.search_attributes(saga)).unwrap_or_default();
        }
        let json = event.to_json()?;
        let entry = Entry {
            definition: &live.definition,
            lane: self.lane,
            seq: live.seq,
            kind: event.kind(),
            json: &json,
            caused_by: cause.id,
            input: cause.input.as_deref(),
        };
        let about = live.about(id, now);
        let about = About { user_id: cause.person.as_deref().or(about.user_id), ..about };
        told.records.push(self.outgoing.journal(&entry, &about)?);
        told.rows.push(JournalRow {
            saga_id: id,
            saga_started_at: live.started_at,
            seq: live.seq,
            kind: event.kind(),
            at: now,
            caused_by: cause.id,
            user_id: cause.person.clone(),
            input: cause.input.clone(),
            data: json,
        });
        Ok(())
    }

    /// What the input had staged never happened: what earlier inputs of the batch left stands again.
    fn give_back(&mut self, journaled: usize, effects: &mut Effects, is_message: bool) {
        self.journal.truncate(journaled);
        for (id, before) in std::mem::take(&mut self.replaced).into_iter().rev() {
            match before {
                Some(staged) => self.staged.insert(id, staged),
                None => self.staged.remove(&id),
            };
            self.note_place(id);
            // A timer that could not be handled has said itself when it rings again.
            if is_message {
                remind(id, self.find(id), None, effects);
            }
        }
    }
}

impl<E> SagaLane<E> {
    fn show_counts(&self) {
        metrics::gauge!("sagas_live", "lane" => self.lane.to_string()).set(self.live.len() as f64);
        metrics::gauge!("sagas_stuck", "lane" => self.lane.to_string()).set(self.stuck.len() as f64);
        for (participant, waiting, taken) in self.turns.counts() {
            let labels = [("participant", participant.to_owned()), ("lane", self.lane.to_string())];
            metrics::gauge!("participant_turns_waiting", &labels).set(waiting as f64);
            metrics::gauge!("participant_in_flight", &labels).set(f64::from(taken));
        }
    }
}

/// A lane that moved away is counted where it went.
impl<E> Drop for SagaLane<E> {
    fn drop(&mut self) {
        self.live.clear();
        self.stuck.clear();
        self.turns.clear();
        self.show_counts();
    }
}

impl<E: Engine> Logic for SagaLane<E> {
    fn flow_keys<'a>(&self, message: &'a Message) -> Vec<Cow<'a, str>> {
        flow_keys(&self.definitions, message).into_iter().map(Cow::Owned).collect()
    }

    fn decide(&mut self, input: &Input, now: DateTime<Utc>, effects: &mut Effects) -> Result<(), Rejection> {
        self.now = now;
        self.replaced.clear();
        let (journaled, silent) = (self.journal.len(), self.silent.len());
        let decided = match input {
            Input::Message(message) => self.on_message(message, now, effects),
            Input::Timer(timer) => self.on_timer(timer, now, effects),
            Input::Answered(_) => Ok(()),
        };
        if decided.is_err() {
            self.silent.truncate(silent);
            self.give_back(journaled, effects, matches!(input, Input::Message(_)));
        } else {
            self.give_turns(now, effects);
        }
        decided
    }

    fn committed(&mut self) {
        for (id, Staged { mut live, .. }) in std::mem::take(&mut self.staged) {
            live.stored = true;
            self.note_stuck(id, &live);
            match live.state.outcome() {
                Some(outcome) => {
                    // A sub-saga that only says again how it ended does not end again.
                    if !live.counted {
                        note_finished(&live, outcome.as_str());
                    }
                    self.live.remove(&id);
                }
                None => {
                    live.counted = false;
                    self.live.insert(id, live);
                }
            }
        }
        self.journal.clear();
        self.recalled.clear();
        for (participant, at) in self.silent.drain(..) {
            self.participants.hear(&participant, Heard::Silence, at);
        }
        self.held.committed();
        self.show_counts();
    }

    fn aborted(&mut self) {
        for id in std::mem::take(&mut self.staged).into_keys() {
            self.note_place(id);
        }
        self.journal.clear();
        self.silent.clear();
        self.held.aborted();
    }
}

#[async_trait]
impl<E: Engine, D: SagaStore> LogicOn<D> for SagaLane<E> {
    async fn claimed(&mut self, lane: LaneId, db: &mut D) -> Result<Vec<Timer>, sqlx::Error> {
        self.lane = lane;
        self.heard_from.clear();
        self.definitions.refresh(&mut *db).await.map_err(|error| sqlx::Error::Decode(chain(&error).into()))?;
        self.answers = Answers::of(&self.definitions);
        self.participants.learn(db.openings().await?);
        self.share_limits(db.lanes().await?);
        self.live.clear();
        self.stuck.clear();
        let mut timers = Vec::new();
        let mut rows = db.live_sagas(lane);
        while let Some(row) = rows.try_next().await? {
            timers.extend(self.take_in(row)?);
        }
        drop(rows);
        timers.extend(self.first_turns());
        self.show_counts();
        Ok(timers)
    }

    async fn load(&mut self, inputs: &[&Input], loading: Loading, db: &mut D) -> Result<(), sqlx::Error> {
        self.live.pack_idle(self.now);
        self.recalled.clear();
        self.strangers.clear();
        let (mut begun, mut named) = (HashSet::new(), HashSet::new());
        for input in inputs {
            let Input::Message(message) = input else { continue };
            let by_person = is_a_persons(message);
            if loading == Loading::Optimistic && !by_person {
                continue;
            }
            for target in targets(&self.definitions, message).unwrap_or_default() {
                let id = target.saga_id();
                match target {
                    _ if self.live.contains(&id) => {}
                    // A start whose saga exists already, ended or from another time: read all that this batch begins.
                    Target::Begin { .. } if loading == Loading::Thorough => drop(begun.insert(id)),
                    // Known by its id alone, it may be at home in any lane.
                    Target::Continue { .. } | Target::Move { .. } if by_person => drop(named.insert(id)),
                    Target::Begin { .. } | Target::Continue { .. } | Target::Move { .. } => {}
                }
            }
        }
        let ids: Vec<Uuid> = begun.union(&named).copied().collect();
        if ids.is_empty() {
            return Ok(());
        }
        for row in db.sagas(&ids).await? {
            if !begun.contains(&row.id) {
                self.strangers.extend(row.finished_at.is_none().then_some((row.id, row.key)));
                continue;
            }
            let (id, live) = self.restore(row)?;
            self.recalled.insert(id, live);
        }
        Ok(())
    }

    fn write(&mut self, batch: &mut D::Batch) {
        let rows: Vec<(bool, SagaRow)> =
            self.staged.iter().map(|(id, staged)| (staged.live.stored, row(*id, staged))).collect();
        let part = |stored: bool| rows.iter().filter(|(is, _)| *is == stored).map(|(_, row)| row).collect::<Vec<_>>();
        D::insert_sagas(self.lane, &part(false), batch);
        D::update_sagas(&part(true), batch);
        D::insert_journal(&self.journal, batch);
    }
}

fn unsendable(error: &OutgoingError) -> Rejection {
    Rejection { reason: "unsendable", detail: chain(error) }
}

fn unreadable(error: &UnpackError) -> Rejection {
    Rejection { reason: "unreadable", detail: chain(error) }
}

/// When something of the saga is due next.
fn due_at(live: &Live) -> Option<DateTime<Utc>> {
    live.state.next_deadline().map(time)
}

/// Has the saga's timer ring when it is due, or not at all.
fn remind(id: Uuid, live: Option<&Live>, trace: Option<&TraceContext>, effects: &mut Effects) {
    match live.and_then(due_at) {
        Some(due_at) => {
            let trace = trace.or_else(|| effects.trace()).cloned();
            effects.remind_on(trace, id.to_string(), due_at);
        }
        None => effects.cancel_timer(id.to_string()),
    }
}

/// A record goes on with the trace of the input being decided, unless it is told another.
fn on_trace(mut record: Record, trace: Option<&TraceContext>) -> Record {
    if let Some(trace) = trace {
        record.headers.extend(trace.headers());
    }
    record
}

/// Whether the command is one that the saga may have sent: ids are derived, so nothing has to be remembered.
fn asked(live: &Live, saga_id: Uuid, command: Uuid) -> bool {
    let id = SagaId::from_uuid(saga_id);
    let steps = live.state.saga().map(|saga| live.definition.commands_of(saga)).unwrap_or_default();
    let mut ids = steps.iter().flat_map(|step| {
        [Direction::Forward, Direction::Compensate].map(|way| command_id(id, step.as_str(), None, way).as_uuid())
    });
    ids.any(|id| id == command)
}

/// Whether the saga is where a person who named a step saw it.
fn stands_at(live: &Live, step: Option<&str>) -> bool {
    match (&live.state, step) {
        (_, None) => true,
        (State::Stuck(stuck), Some(step)) => stuck.step.as_str() == step,
        (_, Some(_)) => false,
    }
}

fn new_saga(
    definition: Arc<Definition>,
    key: &str,
    input: &SagaInput,
    id: Uuid,
    effects: &Effects,
    now: DateTime<Utc>,
) -> Live {
    let (correlation_id, user_id) = match input {
        SagaInput::Start(start) | SagaInput::Seen(Seen { start, .. }) => (start.correlation_id, start.user_id.clone()),
        _ => (id, None),
    };
    Live {
        definition,
        key: key.to_owned(),
        state: State::NotStarted,
        seq: 0,
        correlation_id,
        user_id,
        trace: effects.trace().cloned(),
        started_at: now,
        updated_at: now,
        search: BTreeMap::new(),
        counted: false,
        stored: false,
    }
}

fn row(id: Uuid, staged: &Staged) -> SagaRow {
    let live = &staged.live;
    SagaRow {
        id,
        definition: live.definition.name().to_owned(),
        definition_hash: live.definition.hash().to_owned(),
        key: live.key.clone(),
        seq: live.seq,
        status: live.state.status().to_owned(),
        reason: live.state.reason(),
        correlation_id: live.correlation_id,
        state: staged.state.clone(),
        trace: live.trace.clone(),
        started_at: live.started_at,
        updated_at: live.updated_at,
        finished_at: live.state.finished_at().and_then(|at| DateTime::from_timestamp_micros(at.as_micros())),
        search: live.search.clone(),
    }
}

/// How long a step took, from its first attempt to the answer that ended it.
fn note_step(live: &Live, event: &Event) {
    let (step, outcome) = match &event.fact {
        Fact::StepSucceeded { step, .. } => (step, "succeeded"),
        Fact::StepRefused { step, .. } => (step, "refused"),
        Fact::CompensationSucceeded { step, .. } => (step, "compensated"),
        _ => return,
    };
    let Some(open) = live.state.open().iter().find(|open| open.step == *step) else { return };
    let labels = [
        ("definition", live.definition.name().to_owned()),
        ("step", step.base().to_owned()),
        ("outcome", outcome.to_owned()),
    ];
    metrics::histogram!("saga_step_duration_seconds", &labels).record(event.at.since(open.since).as_secs_f64());
}

fn note_finished(live: &Live, outcome: &'static str) {
    let definition = live.definition.name().to_owned();
    let seconds = (live.updated_at - live.started_at).as_seconds_f64();
    metrics::counter!("sagas_finished_total", "definition" => definition.clone(), "outcome" => outcome).increment(1);
    metrics::histogram!("saga_duration_seconds", "definition" => definition, "outcome" => outcome).record(seconds);
}

#[cfg(test)]
mod tests;
