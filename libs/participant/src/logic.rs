//! [`Participant`] as the processor's [`Logic`]: what is in memory, what is staged, and what the database must be asked.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use backstitch_contracts::Envelope;
use backstitch_event_store::StreamId;
use backstitch_messaging::LaneId;
use backstitch_processor::{Effects, Input, Loading, Logic, LogicOn, Message, Rejection, Timer, Use};
use chrono::{DateTime, SubsecRound as _, Utc};
use serde_json::Value;

use crate::batch::Batch;
use crate::cache::Cache;
use crate::case::{Case, InputId};
use crate::cause::Cause;
use crate::draft::{Draft, Placed, Setting, TimerOrder};
use crate::load::{Source, Streams, Writers, lock_shared, own_form, read_own, shared_form};
use crate::publish::record_of;
use crate::record::{Record, RecordOf};
use crate::shared::Shared;
use crate::{Participant, Route, Settings, Snapshots};

/// The decisions of one lane of a participant.
pub struct ParticipantLogic<P: Participant> {
    participant: Arc<P>,
    settings: Arc<Settings>,
    pub(crate) snapshots: Option<Snapshots>,
    own: Cache<RecordOf<P>>,
    shared: Cache<Shared<P::Shared>>,
    batch: Batch<P>,
}

impl<P: Participant> ParticipantLogic<P> {
    /// The logic of one lane; participant and settings are shared by all lanes.
    #[must_use]
    pub fn new(participant: Arc<P>, settings: Arc<Settings>) -> Self {
        let max = settings.cached_streams_max;
        let snapshots = settings.snapshots.clone();
        let (own, shared) = (Cache::new(max), Cache::new(max));
        Self { participant, settings, snapshots, own, shared, batch: Batch::default() }
    }

    pub(crate) async fn load_from(
        &mut self,
        inputs: &[&Input],
        loading: Loading,
        source: &mut impl Source,
    ) -> Result<(), sqlx::Error> {
        self.batch = Batch::default();
        for input in inputs {
            self.batch.cases.insert(InputId::of(input), Case::of(input, &*self.participant));
        }
        self.load_own(loading, source).await?;
        self.load_shared(loading, source).await
    }

    async fn load_own(&mut self, loading: Loading, source: &mut impl Source) -> Result<(), sqlx::Error> {
        let mut wanted: BTreeMap<StreamId, bool> = BTreeMap::new();
        for case in self.batch.cases.values().flatten() {
            if let Some(stream) = case.stream() {
                *wanted.entry(stream.clone()).or_insert(true) &= case.is_likely_first();
            }
        }
        let (mut held, mut missing) = (HashMap::new(), BTreeSet::new());
        for (stream, is_likely_new) in wanted {
            let cached = self.own.take(&stream).filter(|_| loading == Loading::Optimistic);
            match cached {
                Some(record) => drop(held.insert(stream, record)),
                None if is_likely_new && loading == Loading::Optimistic => {
                    self.batch.assumed.insert(stream.clone());
                    held.insert(stream, Record::default());
                }
                None => drop(missing.insert(stream)),
            }
        }
        metrics::counter!("participant_streams_read_total").increment(missing.len() as u64);
        self.batch.own = read_own(&*self.participant, self.snapshots.is_some(), missing, source).await?;
        self.batch.own.streams.extend(held);
        Ok(())
    }

    async fn load_shared(&mut self, loading: Loading, source: &mut impl Source) -> Result<(), sqlx::Error> {
        if !P::SHARES {
            return Ok(());
        }
        let mut wanted = BTreeSet::new();
        for case in self.batch.cases.values().flatten() {
            let Some(record) = case.stream().and_then(|stream| self.batch.own.streams.get(stream)) else { continue };
            for intent in case.intents(record) {
                wanted.extend(self.participant.shared_streams(intent, &record.state));
            }
        }
        if loading == Loading::Thorough {
            self.shared.clear();
        }
        let snapshots = self.snapshots.is_some();
        let read = lock_shared(&*self.participant, snapshots, wanted, &mut self.shared, source).await?;
        self.batch.shared.locked = read.streams;
        self.batch.shared_broken = read.broken.into_iter().map(|(stream, error)| (stream, error.to_string())).collect();
        Ok(())
    }

    // The first shared stream of the case that could not be understood.
    fn broken_shared(&self, case: &Case<P>, record: &RecordOf<P>) -> Option<Rejection> {
        if self.batch.shared_broken.is_empty() {
            return None;
        }
        let mut wanted =
            case.intents(record).into_iter().flat_map(|intent| self.participant.shared_streams(intent, &record.state));
        wanted.find_map(|stream| self.batch.shared_broken.get(&stream).map(|error| unreadable(&stream, error)))
    }

    fn draft<'a>(
        &'a self,
        case: &Case<P>,
        stream: &'a StreamId,
        now: DateTime<Utc>,
    ) -> Result<Draft<'a, P>, Rejection> {
        let Some(record) = self.batch.record(stream) else {
            let why = self.batch.own.broken.get(stream).map_or_else(|| "it was not read".into(), ToString::to_string);
            return Err(unreadable(stream, &why));
        };
        if let Some(rejection) = self.broken_shared(case, record) {
            return Err(rejection);
        }
        let (participant, settings) = (&*self.participant, &*self.settings);
        let at = Setting { participant, settings, stream, now, shared: &self.batch.shared };
        let mut draft = Draft::new(at, record.clone());
        match case {
            Case::Message { route: Route::Command { command, .. } | Route::Compensation { command, .. }, cause } => {
                draft.command(cause, command)?;
            }
            Case::Message { route: Route::Event { event, .. }, cause } => draft.heard(cause, event)?,
            Case::Message { route: Route::Ignored, .. } => {}
            Case::Timer { ticket, timer } => {
                let cause = Cause::timer(stream, &ticket.name, record.at.version, ticket.correlation_id);
                draft.woken(&cause, timer)?;
            }
            Case::Answered { call, outcome, .. } => draft.answered(*call, outcome)?,
            Case::Called { cause, outcome, .. } => draft.called(cause, outcome)?,
        }
        Ok(draft)
    }

    /// Decides an input and stages what follows; `None` if it does not matter here. Whatever can fail comes before
    /// anything is staged.
    pub(crate) fn decided(&mut self, input: &Input, now: DateTime<Utc>) -> Result<Option<Decided>, Rejection> {
        let case =
            self.batch.cases.remove(&InputId::of(input)).unwrap_or_else(|| Case::of(input, &*self.participant))?;
        let Some(stream) = case.stream() else { return Ok(None) };
        let draft = self.draft(&case, stream, now.trunc_subsecs(6))?;
        let (drafted, calls, timers) = (draft.drafted, draft.calls, draft.timers);
        let records = drafted.published.iter().map(|envelope| record_of(envelope, &self.settings));
        let records = records.collect::<Result<Vec<_>, _>>()?;
        let orders = calls.into_iter().map(|order| {
            let payload = serde_json::to_value(&order.ticket).map_err(Rejection::invalid)?;
            Ok((order.id, order.kind, payload))
        });
        let calls = orders.collect::<Result<Vec<_>, Rejection>>()?;

        self.batch.stage(stream.clone(), drafted);
        let timers = timers.into_iter().map(|(name, timer)| (format!("{stream}/{name}"), timer)).collect();
        Ok(Some(Decided { records, timers, calls }))
    }

    /// The events staged since the batch was loaded.
    pub(crate) fn take_appended(&mut self) -> Vec<Placed> {
        std::mem::take(&mut self.batch.appended)
    }
}

/// What an input obliges the processor to do.
#[derive(Debug, Default)]
pub(crate) struct Decided {
    pub(crate) records: Vec<backstitch_messaging::Record>,
    /// By their ids in the lane.
    pub(crate) timers: Vec<TimerOrder>,
    /// Id, kind and payload.
    pub(crate) calls: Vec<(String, String, Value)>,
}

impl Decided {
    fn hand_over(self, effects: &mut Effects) {
        for record in self.records {
            effects.publish(record);
        }
        for (id, timer) in self.timers {
            match timer {
                Some((due_at, payload)) => effects.set_timer(id, due_at, payload),
                None => effects.cancel_timer(id),
            }
        }
        for (id, kind, payload) in self.calls {
            effects.call(id, kind, payload);
        }
    }
}

impl<P: Participant> Logic for ParticipantLogic<P> {
    fn use_for(&self, topic: &str, heading: &Envelope) -> Use {
        self.participant.use_for(topic, heading)
    }

    // The own stream's key, so that a flow has one home whatever key a foreign producer chose.
    fn flow_keys<'a>(&self, message: &'a Message) -> Vec<Cow<'a, str>> {
        let route = self.participant.route(message).ok();
        let stream = route.as_ref().and_then(|route| route.stream());
        stream.map(|stream| Cow::Owned(stream.key().to_owned())).into_iter().collect()
    }

    fn needs_locks(&self, inputs: &[&Input]) -> bool {
        let matters = |input: &&Input| match input {
            Input::Message(message) => self.participant.route(message).is_ok_and(|route| route.stream().is_some()),
            Input::Timer(_) | Input::Answered(_) => true,
        };
        P::SHARES && inputs.iter().any(matters)
    }

    fn decide(&mut self, input: &Input, now: DateTime<Utc>, effects: &mut Effects) -> Result<(), Rejection> {
        match self.decided(input, now)? {
            Some(decided) => decided.hand_over(effects),
            None => effects.skip(),
        }
        Ok(())
    }

    fn committed(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        let snapshots = self.snapshots.as_ref();
        for (stream, mut record) in batch.take_own() {
            if let Some(snapshots) = snapshots {
                snapshots.look_at(&stream, &mut record, own_form::<P>());
            }
            self.own.put(stream, record);
        }
        batch.shared.locked.extend(batch.shared.staged);
        for (stream, mut shared) in batch.shared.locked {
            if let Some(snapshots) = snapshots {
                snapshots.look_at(&stream, &mut shared, shared_form::<P>());
            }
            self.shared.put(stream, shared);
        }
    }

    // What was loaded stays: the rest of a batch may be decided again without the input that made it fail.
    fn aborted(&mut self) {
        self.batch.unstage();
    }
}

#[async_trait]
impl<P: Participant, D: Streams> LogicOn<D> for ParticipantLogic<P> {
    async fn claimed(&mut self, _lane: LaneId, _db: &mut D) -> Result<Vec<Timer>, sqlx::Error> {
        self.own.clear();
        self.shared.clear();
        self.batch = Batch::default();
        Ok(Vec::new())
    }

    async fn load(&mut self, inputs: &[&Input], loading: Loading, db: &mut D) -> Result<(), sqlx::Error> {
        self.load_from(inputs, loading, db).await
    }

    fn write(&mut self, batch: &mut D::Batch) {
        let writers = if P::SHARES { Writers::AtOnce } else { Writers::InTurn };
        D::append(batch, self.take_appended(), writers);
    }
}

fn unreadable(stream: &StreamId, why: &str) -> Rejection {
    Rejection { reason: "unreadable-stream", detail: format!("the stream `{stream}` cannot be used: {why}") }
}
