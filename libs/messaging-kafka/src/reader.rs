//! The consumer that reads what it is told to and belongs to no group. Separate from [`crate::membership`], so that
//! lanes start and stop reading without a rebalance; [`crate::feed`] is what runs for each lane.
//!
//! Every partition has a queue of its own in librdkafka, whose "no longer empty" callback wakes its lane's task. So
//! nothing polls while idle, a lane that does not keep up fills only its own queues, and an end-of-partition event,
//! which names no topic, is known by the queue it came from.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Sender, TryRecvError, channel},
    },
    thread,
    time::Duration,
};

use backstitch_messaging::{Feed, TopicPartition};
use rdkafka::{
    ClientConfig, ClientContext, Offset, Statistics, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};
use tokio::sync::{mpsc, oneshot};

use crate::{
    client_log, end_mark,
    feed::{self, Source, Wakeup},
    lag::Positions,
    settings::{ClientKind, KafkaSettings},
};

/// Batches waiting for a lane that is busy; more stays in the partitions' queues.
const BATCHES_WAITING: usize = 2;
/// How long the thread that waits for log lines, errors and statistics may miss that it should end.
const EVENTS_WAIT: Duration = Duration::from_millis(250);
/// How long the broker may take to name the partitions' leaders.
const METADATA_PATIENCE: Duration = Duration::from_secs(10);
/// What all partitions together may keep fetched and unread, kilobytes.
const QUEUED_KBYTES: usize = 16 * 1024;

pub(crate) type ReaderConsumer = BaseConsumer<ReaderContext>;

/// A consumer with no partitions yet.
pub(crate) struct Reader {
    consumer: Arc<ReaderConsumer>,
    knows_leaders: Arc<AtomicBool>,
    _events: Sender<()>,
}

/// The reading of some partitions. Dropping it ends them too, in its own time.
pub(crate) struct Reading {
    stop: Option<oneshot::Sender<()>>,
    ended: oneshot::Receiver<()>,
}

impl Reading {
    /// Ends the reading, in its own time.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// The same; returns once the partitions are free to be read anew.
    pub(crate) async fn end(mut self) {
        self.stop();
        let _ = self.ended.await;
    }
}

impl Reader {
    /// `partitions` is how many will be read at most: they share the memory.
    pub(crate) fn new(
        settings: &KafkaSettings,
        group: &str,
        partitions: usize,
        positions: Option<Arc<Positions>>,
    ) -> Result<Self, KafkaError> {
        let config = settings.finish(ClientKind::Reader, reader_config(settings, group, partitions));
        let consumer: Arc<ReaderConsumer> = Arc::new(config.create_with_context(ReaderContext { positions })?);
        let (events, closed) = channel();
        let served = Arc::clone(&consumer);
        thread::Builder::new()
            .name("kafka-reader-events".into())
            .spawn(move || {
                while closed.try_recv() == Err(TryRecvError::Empty) {
                    serve_event(&served);
                }
            })
            .map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
        Ok(Self { consumer, knows_leaders: Arc::default(), _events: events })
    }

    /// Hands over these partitions' records from these offsets on; from the beginning where none is given.
    /// None of them may be read already.
    pub(crate) async fn read(&self, from: Vec<(TopicPartition, Option<i64>)>) -> KafkaResult<(Feed, Reading)> {
        let consumer = Arc::clone(&self.consumer);
        let wakeup = Arc::new(Wakeup::default());
        let woken = Arc::clone(&wakeup);
        let knows_leaders = Arc::clone(&self.knows_leaders);
        // The client's own thread answers; that takes a moment, and tokio's workers must not wait for it.
        let assigned = blocking(move || assign(&consumer, from, &woken, &knows_leaders)).await??;
        let (batches, feed) = mpsc::channel(BATCHES_WAITING);
        let (stop, stopping) = oneshot::channel();
        let (gone, ended) = oneshot::channel();
        let consumer = Arc::clone(&self.consumer);
        tokio::spawn(async move {
            let sources = feed::run(assigned.take(), wakeup, batches, stopping).await;
            let _ = blocking(move || unassign(&consumer, sources)).await;
            drop(gone);
        });
        Ok((feed, Reading { stop: Some(stop), ended }))
    }
}

fn reader_config(settings: &KafkaSettings, group: &str, partitions: usize) -> ClientConfig {
    let queued = (QUEUED_KBYTES / partitions.max(1)).clamp(64, 1024);
    let mut config = settings.base();
    config
        // librdkafka wants a group for manual assignment; the reader never joins it.
        .set("group.id", group)
        // Progress lives in Postgres.
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // A lane that was never read, or whose records are gone, begins with the oldest there is.
        .set("auto.offset.reset", "earliest")
        // Aborted transactions of foreign producers never happened.
        .set("isolation.level", "read_committed")
        // Timers must know that everything was read, control records included.
        .set("enable.partition.eof", "true")
        // The broker answers as soon as it has one record …
        .set("fetch.min.bytes", "1")
        // … and otherwise holds the request. A lane that is claimed meanwhile only goes along with the next one, so
        // this is what a claim waits for. Measured with 32 idle partitions: 0.013 of a core and 60 ms to the first
        // record of a claimed lane at 100; 0.011 and 305 ms at 500; 0.010 and 1.8 s at 2000.
        .set("fetch.wait.max.ms", "100")
        // Each partition has its own queue and its own bounds: memory stays flat when a lane falls behind.
        .set("queued.min.messages", "1000")
        .set("queued.max.messages.kbytes", queued.to_string())
        .set("max.partition.fetch.bytes", "262144")
        .set("fetch.max.bytes", "4194304")
        // Once a full queue drains, it is filled again without a second's pause.
        .set("fetch.queue.backoff.ms", "10")
        .set("fetch.error.backoff.ms", "100")
        // Only the lag gauges need them.
        .set("statistics.interval.ms", "10000");
    config
}

/// Serves what belongs to no partition. Records never come this way, since every partition has its own queue.
fn serve_event(consumer: &ReaderConsumer) {
    match consumer.poll(EVENTS_WAIT) {
        Some(Ok(_)) => {
            tracing::error!("a record came outside its partition's queue");
            metrics::counter!("kafka_reader_strays_total").increment(1);
        }
        Some(Err(error)) => tracing::warn!(%error, "the reader met an error and goes on"),
        None => {}
    }
}

fn assign(
    consumer: &Arc<ReaderConsumer>,
    from: Vec<(TopicPartition, Option<i64>)>,
    wakeup: &Arc<Wakeup>,
    knows_leaders: &AtomicBool,
) -> KafkaResult<Assigned> {
    let mut list = TopicPartitionList::new();
    let mut sources = Vec::new();
    for (source, offset) in from {
        let offset = offset.map_or(Offset::Beginning, Offset::Offset);
        list.add_partition_offset(&source.topic, source.partition, offset)?;
        // Before the assignment, so that not one record goes the common way.
        let mut queue = consumer
            .split_partition_queue(&source.topic, source.partition)
            .ok_or_else(|| KafkaError::Subscription(format!("no queue for {source}")))?;
        let wakeup = Arc::clone(wakeup);
        queue.set_nonempty_callback(move || wakeup.wake());
        sources.push(Source { at: source, queue });
    }
    // Asked once: a client that is told to read where it knows no leader comes back to it a second later.
    if !knows_leaders.load(Ordering::Acquire) {
        consumer.fetch_metadata(None, METADATA_PATIENCE)?;
        knows_leaders.store(true, Ordering::Release);
    }
    consumer.incremental_assign(&list)?;
    Ok(Assigned { consumer: Arc::clone(consumer), sources })
}

/// Partitions that the client reads. Whoever asked may have gone meanwhile (a claim that is called off): then they are
/// given back, or nobody could read them again.
struct Assigned {
    consumer: Arc<ReaderConsumer>,
    sources: Vec<Source>,
}

impl Assigned {
    fn take(mut self) -> Vec<Source> {
        std::mem::take(&mut self.sources)
    }
}

impl Drop for Assigned {
    fn drop(&mut self) {
        let sources = std::mem::take(&mut self.sources);
        if !sources.is_empty() {
            let consumer = Arc::clone(&self.consumer);
            thread::spawn(move || unassign(&consumer, sources));
        }
    }
}

fn unassign(consumer: &ReaderConsumer, sources: Vec<Source>) {
    let mut list = TopicPartitionList::new();
    for source in &sources {
        list.add_partition(&source.at.topic, source.at.partition);
    }
    if let Err(error) = consumer.incremental_unassign(&list) {
        tracing::warn!(%error, "partitions could not be given back to the client");
    }
}

/// Runs what waits for the client's thread outside the runtime's workers.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> KafkaResult<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| KafkaError::Canceled)
}

/// What librdkafka calls on whatever thread polls.
pub(crate) struct ReaderContext {
    positions: Option<Arc<Positions>>,
}

impl ClientContext for ReaderContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::line(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        if let Some(positions) = &self.positions {
            positions.observe(&statistics);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error == KafkaError::Global(RDKafkaErrorCode::PartitionEOF) {
            end_mark::note(reason);
        } else {
            client_log::error(&error, reason);
        }
    }
}

impl ConsumerContext for ReaderContext {}
