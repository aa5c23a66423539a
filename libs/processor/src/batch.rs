//! A batch from decisions to commit: one statement, poison isolated, conflicts decided again. Separate from the lane's
//! loop, which only chooses when.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt as _;
use tokio::time::Instant;

use crate::database::{Database, Store};
use crate::dead_letter::dead_letter;
use crate::decode::{Task, Work};
use crate::effects::{Effects, TimerChange};
use crate::gate::Positions;
use crate::input::{Input, Timer};
use crate::logic::{Loading, Logic, LogicOn, Rejection};
use crate::session::Session;
use crate::trace::{context_of, span_of};
use crate::verdict::{LaneError, Verdict};
use crate::write::Fence;

/// Above the statement timeout of a service: only a server that does not answer at all takes longer.
const TRANSACTION_PATIENCE: Duration = Duration::from_secs(60);
/// After so many conflicts in a row the lane backs off instead.
const CONFLICTS_MAX: usize = 8;

enum Decided {
    /// Decided, to be put into its place.
    Done,
    Rejected(Rejection),
    Panicked(Rejection),
}

impl<L: LogicOn<S::Db>, S: Store> Session<L, S> {
    /// Writes the work in one statement; where the database refuses the data, in as few as isolate what it refuses.
    pub(crate) async fn commit(&mut self, work: Vec<Work>) -> Result<(), LaneError> {
        let mut piles = vec![work];
        while let Some(mut pile) = piles.pop() {
            match self.commit_pile(&mut pile).await {
                Ok(()) => {}
                Err(error) if error.verdict() == Verdict::Data => {
                    if pile.len() > 1 {
                        piles.push(pile.split_off(pile.len() / 2));
                    } else {
                        self.bury_refused(&mut pile, error)?;
                    }
                    piles.push(pile);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn commit_pile(&mut self, pile: &mut [Work]) -> Result<(), LaneError> {
        let mut loading = Loading::Optimistic;
        let mut last = None;
        for _ in 0..CONFLICTS_MAX {
            match self.try_commit(pile, loading).await {
                Err(error) if error.verdict() == Verdict::Conflict => {
                    metrics::counter!("processor_conflicts_total").increment(1);
                    tracing::debug!(lane = %self.lane, error = %error.cause(), "decided again");
                    loading = Loading::Thorough;
                    last = Some(error);
                }
                other => return other,
            }
        }
        let duplicate = last.as_ref().is_some_and(LaneError::is_duplicate);
        Err(LaneError::Contended { last: last.map(|error| error.cause()).unwrap_or_default(), duplicate })
    }

    async fn try_commit(&mut self, pile: &mut [Work], loading: Loading) -> Result<(), LaneError> {
        let locks = self.logic.needs_locks(&inputs_of(pile));
        if locks {
            self.db.begin().await?;
        }
        let writing = tokio::time::timeout(TRANSACTION_PATIENCE, self.write_pile(pile, loading, locks)).await;
        let mut result = writing.unwrap_or(Err(LaneError::DatabaseSilent));
        if locks {
            let ended = if result.is_ok() { self.db.commit().await } else { self.db.roll_back().await };
            if let Err(error) = ended {
                result = result.and(Err(error.into()));
            }
        }
        match result {
            Ok(Some(written)) => self.after_commit(written).await,
            Ok(None) => Ok(()),
            Err(error) => {
                self.logic.aborted();
                Err(error)
            }
        }
    }

    /// `None` when there was nothing to write but progress, which may wait.
    async fn write_pile(
        &mut self,
        pile: &mut [Work],
        loading: Loading,
        locks: bool,
    ) -> Result<Option<Written>, LaneError> {
        let inputs = inputs_of(pile);
        let load = AssertUnwindSafe(self.logic.load(&inputs, loading, &mut *self.db)).catch_unwind().await;
        load.map_err(|panic| LaneError::Panicked { words: words_of(panic.as_ref()) })??;
        let effects = self.decide(pile);
        let mut positions = self.positions.clone();
        for (source, next) in pile.iter().filter_map(|work| work.progress.clone()) {
            positions.insert(source, next);
        }
        let unimportant = pile.iter().filter(|work| matches!(work.task, Task::Pass)).count() as u64 + effects.skipped;
        metrics::counter!("processor_skipped_total", "group" => self.shared.intake.group.clone())
            .increment(unimportant);
        if effects.is_empty() && unimportant == pile.len() as u64 {
            self.positions = positions;
            self.progress_unsaved = true;
            return Ok(None);
        }
        let watermark = self.outbox.watermark();
        let prune = self.outbox.has_many_unpruned();
        let mut batch = S::Db::open(&self.fence(&positions, watermark, prune), &effects)?;
        self.logic.write(&mut batch);
        let started = Instant::now();
        // What is locked is written by the transaction that has locked it.
        let database_now =
            if locks { self.db.write(&batch).await? } else { self.shared.group.write(&mut *self.db, batch).await? };
        count_handled(pile);
        metrics::histogram!("processor_commit_seconds").record(started.elapsed().as_secs_f64());
        metrics::histogram!("processor_batch_messages").record(pile.len() as f64);
        Ok(Some(Written { effects, positions, pruned_to: prune.then_some(watermark), database_now }))
    }

    pub(crate) fn fence<'a>(&self, positions: &'a Positions, watermark: i64, prune: bool) -> Fence<'a> {
        Fence { lane: self.lane, epoch: self.epoch, commits: self.commits, positions, published: watermark, prune }
    }

    async fn after_commit(&mut self, written: Written) -> Result<(), LaneError> {
        self.logic.committed();
        self.note_commit(written.positions, written.pruned_to, written.database_now);
        for (id, change) in written.effects.timers {
            self.timers.apply(id, change);
        }
        for job in written.effects.jobs {
            self.start_call(job);
        }
        if !written.effects.records.is_empty() {
            let publisher = self.shared.publisher.clone();
            self.outbox.publish(self.commits, written.effects.records, publisher.as_ref()).await?;
        }
        Ok(())
    }

    fn decide(&mut self, pile: &mut [Work]) -> Effects {
        let now = self.clock.at(Instant::now());
        'again: loop {
            let mut effects = Effects::default();
            for work in pile.iter_mut() {
                self.forward(work, &mut effects);
                let Task::Decide(input) = &work.task else { continue };
                let rejection = match decide_one(&mut self.logic, input, now, &mut effects) {
                    Decided::Done => continue,
                    Decided::Rejected(rejection) => rejection,
                    Decided::Panicked(rejection) => {
                        // What the logic had staged is in doubt: without this input, from the start.
                        self.logic.aborted();
                        self.bury(work, rejection);
                        continue 'again;
                    }
                };
                self.bury(work, rejection);
            }
            ring_again(pile, now + self.put_off(), &mut effects);
            self.publish_dead_letters(pile, now, &mut effects);
            return effects;
        }
    }

    fn bury(&mut self, work: &mut Work, rejection: Rejection) {
        let task = std::mem::replace(&mut work.task, Task::Pass);
        work.task = match task {
            Task::Decide(Input::Message(message)) => {
                Task::Bury { topic: message.topic, delivery: message.delivery, rejection }
            }
            // Nothing was read from Kafka, so there are no bytes to set aside: the log line is the record of it.
            Task::Decide(Input::Timer(timer)) => {
                note_put_off("a timer", &timer.id, &rejection);
                Task::PutOff(timer)
            }
            Task::Decide(Input::Answered(answered)) => {
                note_put_off("an answered call", &answered.job.id, &rejection);
                self.answer_again(answered);
                Task::Pass
            }
            kept => kept,
        };
    }

    fn put_off(&self) -> TimeDelta {
        TimeDelta::from_std(self.shared.settings.put_off).unwrap_or_default()
    }

    /// The database refuses this one piece of work; if it refuses what is left of it too, nothing here can help.
    fn bury_refused(&mut self, pile: &mut [Work], error: LaneError) -> Result<(), LaneError> {
        let Some(work) = pile.first_mut().filter(|work| matches!(work.task, Task::Decide(_))) else {
            return Err(error);
        };
        self.bury(work, Rejection { reason: "rejected-by-database", detail: error.cause() });
        Ok(())
    }

    fn publish_dead_letters(&self, pile: &[Work], now: DateTime<Utc>, effects: &mut Effects) {
        effects.trace = None;
        for work in pile {
            if let Task::Bury { delivery, topic, rejection } = &work.task {
                tracing::error!(
                    topic, partition = delivery.source.partition, offset = delivery.offset,
                    reason = rejection.reason, error = %rejection.detail, "dead letter"
                );
                let labels = [("topic", topic.clone()), ("reason", rejection.reason.to_owned())];
                metrics::counter!("processor_dead_letters_total", &labels).increment(1);
                effects.publish(dead_letter(delivery, topic, &self.shared.intake.group, rejection, now));
            }
        }
    }
}

/// What this lane decides on itself.
fn inputs_of(pile: &[Work]) -> Vec<&Input> {
    let decided = pile.iter().filter_map(|work| match &work.task {
        Task::Decide(input) => Some(input),
        Task::Forward(_) | Task::Bury { .. } | Task::PutOff(_) | Task::Pass => None,
    });
    decided.collect()
}

/// What a committed statement leaves to be done.
pub(crate) struct Written {
    effects: Effects,
    positions: Positions,
    pruned_to: Option<i64>,
    database_now: DateTime<Utc>,
}

fn decide_one<L: Logic>(logic: &mut L, input: &Input, now: DateTime<Utc>, effects: &mut Effects) -> Decided {
    let span = span_of(input);
    effects.trace = context_of(&span, input.trace());
    let records_before = effects.records.len();
    let outcome = span.in_scope(|| catch_unwind(AssertUnwindSafe(|| logic.decide(input, now, effects))));
    match outcome {
        Ok(Ok(())) => {
            note_consumed(input, effects);
            Decided::Done
        }
        Ok(Err(rejection)) => {
            effects.records.truncate(records_before);
            Decided::Rejected(rejection)
        }
        Err(panic) => Decided::Panicked(Rejection { reason: "panicked", detail: words_of(panic.as_ref()) }),
    }
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}

/// A timer that fired and a call that was answered are gone, unless the logic has set the timer again.
fn note_consumed(input: &Input, effects: &mut Effects) {
    match input {
        Input::Timer(timer) if timer.stored => {
            effects.timers.entry(timer.id.clone()).or_insert(TimerChange::Cancel);
        }
        Input::Answered(answered) => effects.answered.push(answered.job.id.clone()),
        Input::Timer(_) | Input::Message(_) => {}
    }
}

fn count_handled(pile: &[Work]) {
    let mut topics: BTreeMap<&str, u64> = BTreeMap::new();
    for work in pile {
        if let Task::Decide(Input::Message(message)) = &work.task {
            *topics.entry(&message.topic).or_default() += 1;
        }
    }
    for (topic, count) in topics {
        metrics::counter!("processor_handled_total", "topic" => topic.to_owned()).increment(count);
    }
}

/// What could not be handled keeps its row, and rings again; unless the logic has said itself when.
fn ring_again(pile: &[Work], due_at: DateTime<Utc>, effects: &mut Effects) {
    for work in pile {
        let Task::PutOff(timer) = &work.task else { continue };
        let again = Timer { due_at, ..timer.clone() };
        effects.timers.entry(timer.id.clone()).or_insert(TimerChange::Set(again));
    }
}

fn note_put_off(what: &str, id: &str, rejection: &Rejection) {
    tracing::error!(
        id, reason = rejection.reason, error = %rejection.detail,
        "{what} cannot be handled and is put off"
    );
    metrics::counter!("processor_put_off_total").increment(1);
}
