//! Appends that come at the same time, in one statement: a bounded queue in front of a few writers, each of which takes
//! what is there and commits it at once. Separate from the store, because it outlives any one caller: who waits no more
//! does not take the append back.
//!
//! There is no waiting for company: an append that comes alone is written alone. Under load the queue fills while a
//! commit is on its way, and the next statement carries all of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable as _};
use backstitch_event_store::{AppendError, AppendRequest, Appended};
use sqlx::PgPool;
use tokio::sync::{Mutex, mpsc, oneshot};
use uuid::Uuid;

use crate::batch::{Answer, Batch};
use crate::failure::{Verdict, append_error, verdict};
use crate::reads;
use crate::settings::StoreSettings;
use crate::signal::Bell;

type Verdicts = Vec<Result<Appended, AppendError>>;

/// An append and who waits for it.
struct Waiting {
    request: AppendRequest,
    verdict: oneshot::Sender<Result<Appended, AppendError>>,
}

/// The queue's end at which appends come in.
#[derive(Debug)]
pub(crate) struct Appender {
    queue: mpsc::Sender<Waiting>,
}

impl Appender {
    /// Starts the writers; they end when this is dropped and the queue is empty.
    pub(crate) fn start(pool: &PgPool, settings: &StoreSettings, bell: &Arc<Bell>) -> Self {
        let (queue, waiting) = mpsc::channel(settings.queue_max.max(1));
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..settings.writers.max(1) {
            let writer = Writer { pool: pool.clone(), bell: Arc::clone(bell) };
            tokio::spawn(writer.run(Arc::clone(&waiting), settings.batch_max.max(1)));
        }
        Self { queue }
    }

    /// Waits for a place in the queue, and then for the verdict.
    pub(crate) async fn append(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        self.enqueue(request).await?.await.unwrap_or_else(|_| Err(closed()))
    }

    /// The same for many: all are in the queue before the first verdict is waited for.
    pub(crate) async fn append_each(&self, requests: Vec<AppendRequest>) -> Verdicts {
        let mut verdicts = Vec::with_capacity(requests.len());
        let mut waiting = Vec::with_capacity(requests.len());
        for request in requests {
            waiting.push(self.enqueue(request).await);
        }
        for entry in waiting {
            verdicts.push(match entry {
                Ok(verdict) => verdict.await.unwrap_or_else(|_| Err(closed())),
                Err(error) => Err(error),
            });
        }
        verdicts
    }

    async fn enqueue(
        &self,
        request: AppendRequest,
    ) -> Result<oneshot::Receiver<Result<Appended, AppendError>>, AppendError> {
        request.validate()?;
        let (verdict, waits) = oneshot::channel();
        self.queue.send(Waiting { request, verdict }).await.map_err(|_| closed())?;
        Ok(waits)
    }
}

fn closed() -> AppendError {
    append_error(Arc::new(sqlx::Error::WorkerCrashed))
}

/// Takes what waits and writes it.
struct Writer {
    pool: PgPool,
    bell: Arc<Bell>,
}

impl Writer {
    async fn run(self, queue: Arc<Mutex<mpsc::Receiver<Waiting>>>, batch_max: usize) {
        loop {
            let batch = take(&mut *queue.lock().await, batch_max).await;
            if batch.is_empty() {
                return;
            }
            let (requests, waiting): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|entry| (entry.request, entry.verdict)).unzip();
            let requests: Vec<&AppendRequest> = requests.iter().collect();
            for (verdict, waits) in self.write(&requests).await.into_iter().zip(waiting) {
                count(&verdict);
                // Whoever waits no more has lost only the answer.
                let _ = waits.send(verdict);
            }
        }
    }

    /// A verdict for each. What fails together is tried apart, so that each is judged by what it carries itself.
    async fn write(&self, requests: &[&AppendRequest]) -> Verdicts {
        let failure = match self.try_write(requests).await {
            Ok(verdicts) => return self.forgive_repeats(requests, verdicts).await,
            Err(failure) => failure,
        };
        match (verdict(&failure), requests) {
            (Verdict::KnownId, _) => self.write_the_rest(requests, failure).await,
            (Verdict::Data, [_, _, ..]) => {
                let (some, others) = requests.split_at(requests.len() / 2);
                let mut verdicts = Box::pin(self.write(some)).await;
                verdicts.extend(Box::pin(self.write(others)).await);
                verdicts
            }
            _ => all_failed(requests.len(), failure),
        }
    }

    async fn try_write(&self, requests: &[&AppendRequest]) -> Result<Verdicts, sqlx::Error> {
        let batch = Batch::of(requests.iter().copied());
        if batch.is_empty() {
            return Ok(batch.verdicts(&Answer::default()));
        }
        let began = Instant::now();
        let attempt = || async { Answer::read(&batch.query().fetch_one(&self.pool).await?) };
        let answer = attempt
            .retry(backoff())
            .when(|error| verdict(error) == Verdict::Passing)
            .notify(|error, pause| {
                metrics::counter!("event_store_append_retries_total").increment(1);
                tracing::warn!(%error, ?pause, "an append did not go through, and is tried again");
            })
            .await?;
        metrics::histogram!("event_store_append_seconds").record(began.elapsed());
        #[allow(clippy::cast_precision_loss, reason = "a histogram is of floats")]
        metrics::histogram!("event_store_appends_per_statement").record(requests.len() as f64);
        if !answer.positions.is_empty() {
            metrics::counter!("event_store_events_total").increment(answer.positions.len() as u64);
            self.bell.ring();
        }
        Ok(batch.verdicts(&answer))
    }

    /// Some event is stored already. Whose append that was is answered what it was answered then; the rest is written,
    /// one by one, since two of them may be the same.
    async fn write_the_rest(&self, requests: &[&AppendRequest], failure: sqlx::Error) -> Verdicts {
        let repeats = match self.repeats(requests).await {
            Ok(repeats) => repeats,
            Err(lookup) => return all_failed(requests.len(), lookup),
        };
        let failure = Arc::new(failure);
        let mut verdicts = Vec::with_capacity(requests.len());
        for (request, repeat) in requests.iter().zip(repeats) {
            verdicts.push(match repeat {
                Some(verdict) => verdict,
                // Stored when it was written, gone when it was looked for: not to be understood here.
                None if requests.len() == 1 => Err(append_error(Arc::clone(&failure))),
                None => Box::pin(self.write(&[request])).await.pop().unwrap_or_else(|| Err(closed())),
            });
        }
        verdicts
    }

    /// A conflict may be an append's own earlier try: then it is none.
    async fn forgive_repeats(&self, requests: &[&AppendRequest], mut verdicts: Verdicts) -> Verdicts {
        let is_conflict = |verdict: &Result<_, _>| matches!(verdict, Err(AppendError::Conflict { .. }));
        let places: Vec<usize> = (0..verdicts.len()).filter(|place| is_conflict(&verdicts[*place])).collect();
        if places.is_empty() {
            return verdicts;
        }
        let refused: Vec<&AppendRequest> = places.iter().map(|place| requests[*place]).collect();
        let repeats = match self.repeats(&refused).await {
            Ok(repeats) => repeats,
            // Whether it is a conflict is not known: a conflict would make the caller decide what is decided already.
            Err(lookup) => all_failed(refused.len(), lookup).into_iter().map(Some).collect(),
        };
        for (place, repeat) in places.into_iter().zip(repeats) {
            if let Some(verdict) = repeat {
                verdicts[place] = verdict;
            }
        }
        verdicts
    }

    /// For each append what it was answered before, if it was made before; all of them looked up at once.
    async fn repeats(
        &self,
        requests: &[&AppendRequest],
    ) -> Result<Vec<Option<Result<Appended, AppendError>>>, sqlx::Error> {
        let ids: Vec<Uuid> = requests.iter().flat_map(|request| request.events()).map(|event| event.event_id).collect();
        let stored = if ids.is_empty() { Vec::new() } else { reads::by_ids(ids, &self.pool).await? };
        Ok(requests.iter().map(|request| request.repeated(&stored).transpose()).collect())
    }
}

fn all_failed(count: usize, failure: sqlx::Error) -> Verdicts {
    let failure = Arc::new(failure);
    (0..count).map(|_| Err(append_error(Arc::clone(&failure)))).collect()
}

/// All that waits, up to a bound; nothing once the queue is closed.
async fn take(queue: &mut mpsc::Receiver<Waiting>, events_max: usize) -> Vec<Waiting> {
    let Some(first) = queue.recv().await else { return Vec::new() };
    // Those who were answered a moment ago get their turn to come back, and fill this batch.
    tokio::task::yield_now().await;
    let mut events = first.request.events().count();
    let mut batch = vec![first];
    while events < events_max
        && batch.len() < events_max
        && let Ok(next) = queue.try_recv()
    {
        events += next.request.events().count();
        batch.push(next);
    }
    batch
}

/// 10 ms, doubling, with jitter; about five seconds in all.
fn backoff() -> impl backon::BackoffBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(10))
        .with_max_delay(Duration::from_secs(1))
        .with_max_times(12)
        .with_jitter()
}

fn count(verdict: &Result<Appended, AppendError>) {
    let outcome = match verdict {
        Ok(_) => "appended",
        Err(AppendError::Conflict { .. }) => "conflict",
        Err(_) => "failed",
    };
    metrics::counter!("event_store_appends_total", "outcome" => outcome).increment(1);
}
