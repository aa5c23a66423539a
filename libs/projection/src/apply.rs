//! A batch becomes rows: checkpoint, skips and tables in one transaction. What cannot be taken in is found by halving and
//! set aside. Separate from the lane, which only chooses when.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use backstitch_event_store::StoredEvent;
use backstitch_messaging::{Delivery, TopicPartition};
use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use sqlx::{PgConnection, PgPool};

use crate::checkpoint::{Moved, Step, Steps, Version, advance};
use crate::error::{ApplyError, Next, chain, words_of};
use crate::place::Place;
use crate::projection::{Projection, Unfit};

/// After so many encounters with another lane, this one steps back for a while.
const AGAIN_MAX: usize = 8;

/// One event's place that is passed.
#[derive(Debug)]
pub(crate) struct Letter<F> {
    pub(crate) source: TopicPartition,
    /// The place after it.
    pub(crate) next: Place,
    pub(crate) what: What<F>,
}

/// What passing it means.
#[derive(Debug)]
pub(crate) enum What<F> {
    /// It says something.
    Fact { fact: F, at: DateTime<Utc>, origin: Origin },
    /// It cannot be taken in.
    Unfit { unfit: Unfit, origin: Origin },
    /// It says nothing here.
    Nothing,
}

/// What was read, for a person who looks at what was set aside.
#[derive(Debug)]
pub(crate) enum Origin {
    /// From a topic.
    Delivery(Box<Delivery>),
    /// From a store.
    Stored(Box<StoredEvent>),
}

impl Origin {
    fn key(&self) -> Option<Vec<u8>> {
        match self {
            Self::Delivery(delivery) => delivery.key.clone(),
            Self::Stored(stored) => Some(stored.stream.as_str().into()),
        }
    }

    /// The bytes as they were; of a stored event, its data.
    fn value(&self) -> Option<Vec<u8>> {
        match self {
            Self::Delivery(delivery) => delivery.value.clone(),
            Self::Stored(stored) => Some(stored.event.data.to_string().into_bytes()),
        }
    }
}

/// An event that was set aside.
struct Skip<'a> {
    source: &'a TopicPartition,
    offset: i64,
    unfit: &'a Unfit,
    origin: &'a Origin,
}

/// Applies a lane's batches.
pub(crate) struct Applier<P> {
    pub(crate) projection: Arc<P>,
    pub(crate) version: Version,
    pub(crate) pool: PgPool,
    /// Where the next event of each partition is.
    pub(crate) positions: BTreeMap<TopicPartition, Place>,
    /// The time of the last event applied.
    pub(crate) event_at: Option<DateTime<Utc>>,
    /// Most letters applied in one transaction.
    pub(crate) pile_max: usize,
}

enum Attempt {
    Committed,
    Held(BTreeMap<TopicPartition, Place>),
}

impl<P: Projection> Applier<P> {
    /// Takes all of them in, or sets them aside; answers those that a comparison holds back for a while, in their order.
    /// What comes from other partitions is not held up by them: they may have to come further before it ends.
    pub(crate) async fn apply(&mut self, letters: Vec<Letter<P::Fact>>) -> Result<Vec<Letter<P::Fact>>, ApplyError> {
        let mut piles = piled(letters, self.pile_max);
        let mut kept = Vec::new();
        let mut again = 0;
        while let Some(mut pile) = piles.pop() {
            if pile.is_empty() {
                continue;
            }
            match self.attempt(&pile).await {
                Ok(Attempt::Committed) => again = 0,
                Ok(Attempt::Held(holds)) => {
                    let (later, now) = split(pile, &holds);
                    kept.extend(later);
                    for pile in piles.iter_mut().rev() {
                        let is_held = |letter: &Letter<P::Fact>| holds.contains_key(&letter.source);
                        let (held, rest) = std::mem::take(pile).into_iter().partition(is_held);
                        (*pile, kept) = (rest, [kept, held].into_iter().flatten().collect());
                    }
                    piles.push(now);
                }
                Err(error) => match error.next() {
                    Next::Isolate if pile.len() > 1 => {
                        let second = pile.split_off(pile.len() / 2);
                        piles.extend([second, pile]);
                    }
                    Next::Isolate => {
                        set_aside(&mut pile, error)?;
                        piles.push(pile);
                    }
                    Next::Again if again < AGAIN_MAX => {
                        again += 1;
                        piles.push(pile);
                    }
                    Next::Again | Next::Pause => return Err(error),
                },
            }
        }
        Ok(kept)
    }

    async fn attempt(&mut self, pile: &[Letter<P::Fact>]) -> Result<Attempt, ApplyError> {
        let steps = self.steps(pile);
        if steps.is_empty() {
            return Ok(Attempt::Committed);
        }
        let began = Instant::now();
        let mut transaction = self.pool.begin().await?;
        match advance(self.version, &steps, &mut transaction).await? {
            Moved::Yes => {}
            Moved::Fenced => return Err(ApplyError::Fenced),
            Moved::Held(holds) => return Ok(Attempt::Held(holds)),
        }
        self.note_skips(pile, &mut transaction).await?;
        let facts: Vec<P::Fact> = pile.iter().filter_map(fact).cloned().collect();
        if !facts.is_empty() {
            let applying = AssertUnwindSafe(self.projection.apply(facts, &mut transaction)).catch_unwind().await;
            applying.map_err(|panic| ApplyError::Panicked { words: words_of(panic.as_ref()) })??;
        }
        transaction.commit().await?;
        self.count(pile, began);
        for (source, step) in steps {
            self.event_at = step.event_at.or(self.event_at);
            self.positions.insert(source, step.to);
        }
        Ok(Attempt::Committed)
    }

    /// Places that were passed before are no step.
    fn steps(&self, pile: &[Letter<P::Fact>]) -> Steps {
        let mut steps = Steps::new();
        for letter in pile {
            let from = self.positions.get(&letter.source).copied().unwrap_or_default();
            let fresh = Step { from, to: from, applied: 0, skipped: 0, event_at: None };
            let step = steps.entry(letter.source.clone()).or_insert(fresh);
            step.to = step.to.max(letter.next);
            match &letter.what {
                What::Fact { at, .. } => (step.applied, step.event_at) = (step.applied + 1, Some(*at)),
                What::Unfit { .. } => step.skipped += 1,
                What::Nothing => {}
            }
        }
        steps.retain(|_, step| step.to > step.from);
        steps
    }

    async fn note_skips(&self, pile: &[Letter<P::Fact>], db: &mut PgConnection) -> Result<(), sqlx::Error> {
        let skips: Vec<Skip<'_>> = pile.iter().filter_map(skip).collect();
        if skips.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO projection.skipped (name, version, topic, partition, \"offset\", reason, detail, key, value)
             SELECT $1, $2, s.* FROM unnest($3::text[], $4::integer[], $5::bigint[], $6::text[], $7::text[],
                                            $8::bytea[], $9::bytea[]) AS s
             ON CONFLICT DO NOTHING",
        )
        .bind(self.version.name.text())
        .bind(self.version.number)
        .bind(skips.iter().map(|skip| skip.source.topic.to_string()).collect::<Vec<_>>())
        .bind(skips.iter().map(|skip| skip.source.partition).collect::<Vec<_>>())
        .bind(skips.iter().map(|skip| skip.offset).collect::<Vec<_>>())
        .bind(skips.iter().map(|skip| skip.unfit.reason.to_owned()).collect::<Vec<_>>())
        .bind(skips.iter().map(|skip| text(&skip.unfit.detail)).collect::<Vec<_>>())
        .bind(skips.iter().map(|skip| skip.origin.key()).collect::<Vec<_>>())
        .bind(skips.iter().map(|skip| skip.origin.value()).collect::<Vec<_>>())
        .execute(db)
        .await?;
        Ok(())
    }

    fn count(&self, pile: &[Letter<P::Fact>], began: Instant) {
        let labels =
            [("projection", self.version.name.text().to_owned()), ("version", self.version.number.to_string())];
        metrics::histogram!("projection_batch_seconds", &labels).record(began.elapsed().as_secs_f64());
        metrics::counter!("projection_applied_total", &labels).increment(pile.iter().filter_map(fact).count() as u64);
        for Skip { source, offset, unfit, .. } in pile.iter().filter_map(skip) {
            let [projection, version] = labels.clone();
            let labels = [projection, version, ("reason", unfit.reason.to_owned())];
            metrics::counter!("projection_skipped_total", &labels).increment(1);
            tracing::error!(
                projection = self.version.name.text(), version = self.version.number,
                topic = %source.topic, partition = source.partition, offset,
                reason = unfit.reason, error = %unfit.detail, "an event was skipped"
            );
        }
    }
}

/// Piles of that size, the first one on top.
fn piled<F>(mut letters: Vec<Letter<F>>, pile_max: usize) -> Vec<Vec<Letter<F>>> {
    let mut piles = Vec::new();
    while letters.len() > pile_max.max(1) {
        let keep = (letters.len() - 1) / pile_max.max(1) * pile_max.max(1);
        piles.push(letters.split_off(keep));
    }
    piles.push(letters);
    piles
}

/// What lies beyond the holds, and what does not. Who has come to something beyond has passed all before it, even where
/// the last record before the hold is gone from the topic.
fn split<F>(pile: Vec<Letter<F>>, holds: &BTreeMap<TopicPartition, Place>) -> (Vec<Letter<F>>, Vec<Letter<F>>) {
    let beyond = |letter: &Letter<F>| holds.get(&letter.source).is_some_and(|at| letter.next > *at);
    let (later, mut now): (Vec<_>, Vec<_>) = pile.into_iter().partition(beyond);
    let places = holds.iter().map(|(source, next)| (source.clone(), *next));
    now.extend(places.map(|(source, next)| Letter { source, next, what: What::Nothing }));
    (later, now)
}

/// A text that Postgres takes, and no longer than a person reads.
fn text(detail: &str) -> String {
    detail.chars().filter(|character| *character != '\0').take(2_000).collect()
}

fn fact<F>(letter: &Letter<F>) -> Option<&F> {
    match &letter.what {
        What::Fact { fact, .. } => Some(fact),
        What::Unfit { .. } | What::Nothing => None,
    }
}

fn skip<F>(letter: &Letter<F>) -> Option<Skip<'_>> {
    match &letter.what {
        What::Unfit { unfit, origin } => {
            Some(Skip { source: &letter.source, offset: letter.next.offset - 1, unfit, origin })
        }
        What::Fact { .. } | What::Nothing => None,
    }
}

/// The one event that the database or the fold refuses; if it was no event, nothing here can help.
fn set_aside<F>(pile: &mut [Letter<F>], error: ApplyError) -> Result<(), ApplyError> {
    let Some(letter) = pile.first_mut() else { return Err(error) };
    match std::mem::replace(&mut letter.what, What::Nothing) {
        What::Fact { origin, .. } => {
            let reason = if matches!(error, ApplyError::Panicked { .. }) { "panicked" } else { "rejected-by-database" };
            letter.what = What::Unfit { unfit: Unfit::new(reason, chain(&error)), origin };
            Ok(())
        }
        other => {
            letter.what = other;
            Err(error)
        }
    }
}
