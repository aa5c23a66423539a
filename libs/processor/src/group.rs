//! Lanes of one process commit together where one would otherwise wait for the other. Separate from the lanes, none of
//! which knows of it: each hands its batch in and learns what became of it.
//!
//! Whoever comes while nobody writes, writes at once, alone. Whoever comes meanwhile waits, and what has gathered by then is
//! written by the first of those who waited, as one statement: so a process costs as many transactions as if it had one
//! lane, and a quiet one waits for nothing. If what was put together fails, each is written by itself, so that a lane is
//! told of no fault but its own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use crate::database::Database;

/// Batches in one statement: enough for every lane of a process, and a bound for a statement's size.
const TOGETHER_MAX: usize = 32;

type Outcome = Result<DateTime<Utc>, sqlx::Error>;

/// The batches of one process's lanes.
pub(crate) struct Group<B> {
    queue: Mutex<Queue<B>>,
}

struct Queue<B> {
    somebody_writes: bool,
    waiting: VecDeque<Waiting<B>>,
}

struct Waiting<B> {
    batch: B,
    news: oneshot::Sender<News<B>>,
}

/// What becomes of a batch that waited.
enum News<B> {
    /// Somebody has written it, or tried to.
    Written(Outcome),
    /// It is its lane's turn to write: it and others.
    YourTurn { own: B, others: Vec<Waiting<B>>, turn: Turn<B> },
}

/// The right to write. Whoever drops it, whatever has become of them, leaves it to those who wait.
struct Turn<B>(Arc<Group<B>>);

impl<B> Drop for Turn<B> {
    fn drop(&mut self) {
        self.0.next();
    }
}

impl<B> Group<B> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { queue: Mutex::new(Queue { somebody_writes: false, waiting: VecDeque::new() }) })
    }

    /// Writes the batch, all of it or nothing, through `db` or somebody else's connection; answers the database's clock.
    pub(crate) async fn write<D: Database<Batch = B>>(self: &Arc<Self>, db: &mut D, batch: B) -> Outcome {
        let (own, others, _turn) = match self.join(batch) {
            Joined::First(batch, turn) => (batch, Vec::new(), turn),
            Joined::Waiting(news) => match news.await {
                Ok(News::Written(outcome)) => return outcome,
                Ok(News::YourTurn { own, others, turn }) => (own, others, turn),
                // Whoever wrote it is gone, and nobody knows how far they came: as with a lost connection.
                Err(_) => return Err(sqlx::Error::WorkerCrashed),
            },
        };
        metrics::histogram!("processor_lanes_per_commit").record((others.len() + 1) as f64);
        if others.is_empty() {
            return db.write(&own).await;
        }
        let together: Vec<&B> = std::iter::once(&own).chain(others.iter().map(|other| &other.batch)).collect();
        let outcome = db.write_together(&together).await;
        if let Ok(now) = outcome {
            for other in others {
                let _ = other.news.send(News::Written(Ok(now)));
            }
            return Ok(now);
        }
        metrics::counter!("processor_commits_taken_apart_total").increment(1);
        let outcome = db.write(&own).await;
        for Waiting { batch, news } in others {
            let _ = news.send(News::Written(db.write(&batch).await));
        }
        outcome
    }

    fn join(self: &Arc<Self>, batch: B) -> Joined<B> {
        let mut queue = self.queue();
        if !queue.somebody_writes {
            queue.somebody_writes = true;
            return Joined::First(batch, Turn(Arc::clone(self)));
        }
        let (news, waits) = oneshot::channel();
        queue.waiting.push_back(Waiting { batch, news });
        Joined::Waiting(waits)
    }

    /// Gives the turn to the first of those who wait and still listen.
    fn next(self: &Arc<Self>) {
        let mut queue = self.queue();
        while let Some(Waiting { batch: own, news }) = queue.waiting.pop_front() {
            if news.is_closed() {
                continue;
            }
            let others = queue.waiting.len().min(TOGETHER_MAX - 1);
            let others = queue.waiting.drain(..others).collect();
            drop(queue);
            // If they have gone in this very moment, the turn goes with the news, and is passed on by that.
            let _ = news.send(News::YourTurn { own, others, turn: Turn(Arc::clone(self)) });
            return;
        }
        queue.somebody_writes = false;
    }

    fn queue(&self) -> MutexGuard<'_, Queue<B>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Joined<B> {
    First(B, Turn<B>),
    Waiting(oneshot::Receiver<News<B>>),
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_trait::async_trait;
    use backstitch_messaging::LaneId;
    use tokio::sync::Semaphore;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::database::Claim;
    use crate::effects::Effects;
    use crate::write::Fence;

    /// A FAKE database that writes names down, each list of them one transaction, and is as quick as a test lets it be.
    #[derive(Clone)]
    struct Ledger {
        written: Arc<Mutex<Vec<Vec<String>>>>,
        go_on: Arc<Semaphore>,
    }

    impl Ledger {
        async fn note(&self, names: Vec<String>) -> Outcome {
            self.go_on.acquire().await.unwrap().forget();
            if names.iter().any(|name| name == "bad") {
                return Err(sqlx::Error::RowNotFound);
            }
            self.written.lock().unwrap().push(names);
            Ok(DateTime::UNIX_EPOCH)
        }
    }

    #[async_trait]
    impl Database for Ledger {
        type Batch = String;

        async fn claim(&mut self, _lane: LaneId, _owner: &str) -> Result<Claim, sqlx::Error> {
            Err(sqlx::Error::RowNotFound)
        }

        fn open(_fence: &Fence<'_>, _effects: &Effects) -> Result<String, sqlx::Error> {
            Ok(String::new())
        }

        async fn write(&mut self, batch: &String) -> Outcome {
            self.note(vec![batch.clone()]).await
        }

        async fn write_together(&mut self, batches: &[&String]) -> Outcome {
            self.note(batches.iter().copied().cloned().collect()).await
        }

        async fn begin(&mut self) -> Result<(), sqlx::Error> {
            Ok(())
        }

        async fn commit(&mut self) -> Result<(), sqlx::Error> {
            Ok(())
        }

        async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
            Ok(())
        }

        async fn keep_refused(&mut self, _lane: LaneId, _seq: i64, _reason: &str) -> Result<(), sqlx::Error> {
            Ok(())
        }
    }

    struct Lanes {
        group: Arc<Group<String>>,
        ledger: Ledger,
    }

    impl Lanes {
        fn new() -> Self {
            let ledger = Ledger { written: Arc::default(), go_on: Arc::new(Semaphore::new(0)) };
            Self { group: Group::new(), ledger }
        }

        /// A lane that hands its batch in, and has done so when this returns.
        async fn hand_in(&self, name: &str) -> JoinHandle<Outcome> {
            let (group, mut ledger, batch) = (self.group.clone(), self.ledger.clone(), name.to_owned());
            let lane = tokio::spawn(async move { group.write(&mut ledger, batch).await });
            tokio::time::sleep(Duration::from_millis(1)).await;
            lane
        }

        fn let_write(&self, times: usize) {
            self.ledger.go_on.add_permits(times);
        }

        fn written(&self) -> Vec<String> {
            self.ledger.written.lock().unwrap().iter().map(|names| names.join("+")).collect()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_writes_alone_and_whoever_comes_meanwhile_is_written_together() {
        let lanes = Lanes::new();
        let all = [lanes.hand_in("a").await, lanes.hand_in("b").await, lanes.hand_in("c").await];
        lanes.let_write(2);
        for lane in all {
            assert!(lane.await.unwrap().is_ok());
        }
        assert_eq!(lanes.written(), ["a", "b+c"]);
        lanes.let_write(1);
        assert!(lanes.hand_in("d").await.await.unwrap().is_ok(), "and nobody is waited for afterwards");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lane_is_told_of_no_fault_but_its_own() {
        let lanes = Lanes::new();
        let first = lanes.hand_in("a").await;
        let others = [lanes.hand_in("b").await, lanes.hand_in("bad").await, lanes.hand_in("c").await];
        lanes.let_write(5);
        assert!(first.await.unwrap().is_ok());
        let [good, bad, well] = others;
        assert!(good.await.unwrap().is_ok());
        assert!(matches!(bad.await.unwrap(), Err(sqlx::Error::RowNotFound)));
        assert!(well.await.unwrap().is_ok());
        assert_eq!(lanes.written(), ["a", "b", "c"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lane_that_goes_away_while_it_writes_leaves_the_turn_to_the_next() {
        let lanes = Lanes::new();
        let first = lanes.hand_in("a").await;
        let (second, third) = (lanes.hand_in("b").await, lanes.hand_in("c").await);
        let late = {
            lanes.let_write(1);
            assert!(first.await.unwrap().is_ok());
            // The second writes for the third now, and goes.
            let late = lanes.hand_in("d").await;
            second.abort();
            late
        };
        assert!(matches!(third.await.unwrap(), Err(sqlx::Error::WorkerCrashed)), "as with a lost connection");
        lanes.let_write(1);
        assert!(late.await.unwrap().is_ok());
        assert_eq!(lanes.written(), ["a", "d"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lane_that_goes_away_while_it_waits_is_passed_over() {
        let lanes = Lanes::new();
        let first = lanes.hand_in("a").await;
        let (second, third) = (lanes.hand_in("b").await, lanes.hand_in("c").await);
        second.abort();
        tokio::time::sleep(Duration::from_millis(1)).await;
        lanes.let_write(2);
        assert!(first.await.unwrap().is_ok() && third.await.unwrap().is_ok());
        assert_eq!(lanes.written(), ["a", "c"]);
    }
}
