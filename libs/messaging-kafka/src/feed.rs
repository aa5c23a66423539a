//! One lane's reading: its partitions' queues into one bounded channel. Separate from [`crate::reader`], which owns
//! the client that fills the queues.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use backstitch_contracts::headers;
use backstitch_messaging::{Delivery, FeedItem, Header, TopicPartition};
use rdkafka::{
    Message,
    consumer::base_consumer::PartitionQueue,
    error::KafkaError,
    message::{BorrowedHeaders, BorrowedMessage, Headers},
};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::{end_mark, reader::ReaderContext};

/// How many items one batch holds at most.
const BATCH_MAX: usize = 500;

/// One partition being read.
pub(crate) struct Source {
    pub(crate) at: TopicPartition,
    pub(crate) queue: PartitionQueue<ReaderContext>,
}

/// Woken by librdkafka's threads when a queue is no longer empty.
#[derive(Default)]
pub(crate) struct Wakeup(Notify);

impl Wakeup {
    pub(crate) fn wake(&self) {
        // A wake-up while nobody waits is kept: none is lost between the last look and the wait.
        self.0.notify_one();
    }
}

/// Hands batches over until stopped, or until nobody takes them any more. Gives the queues back.
pub(crate) async fn run(
    mut sources: Vec<Source>,
    wakeup: Arc<Wakeup>,
    batches: mpsc::Sender<Vec<FeedItem>>,
    mut stopping: oneshot::Receiver<()>,
) -> Vec<Source> {
    loop {
        // Room first: what is not taken out of the queues is what keeps the client from fetching more.
        let room = tokio::select! {
            _ = &mut stopping => return sources,
            room = batches.reserve() => match room {
                Ok(room) => room,
                Err(_) => return sources,
            },
        };
        let batch = loop {
            let batch = take_batch(&sources);
            if !batch.is_empty() {
                break batch;
            }
            tokio::select! {
                _ = &mut stopping => return sources,
                () = batches.closed() => return sources,
                () = wakeup.0.notified() => {}
            }
        };
        room.send(batch);
        // Who had the first word speaks last next time, so that no partition starves the others.
        sources.rotate_left(1);
    }
}

fn take_batch(sources: &[Source]) -> Vec<FeedItem> {
    let mut batch = Vec::new();
    for source in sources {
        while batch.len() < BATCH_MAX {
            match source.queue.poll(std::time::Duration::ZERO) {
                Some(event) => batch.extend(item(&source.at, event)),
                None => break,
            }
        }
    }
    batch
}

fn item(at: &TopicPartition, event: Result<BorrowedMessage<'_>, KafkaError>) -> Option<FeedItem> {
    match event {
        Ok(message) => Some(FeedItem::Delivery(delivery(at, &message))),
        Err(KafkaError::PartitionEOF(_)) => {
            let mark = end_mark::take().map(|offset| FeedItem::CaughtUp { source: at.clone(), offset });
            if mark.is_none() {
                tracing::error!(source = %at, "an end of partition came without its offset; timers will be late");
            }
            mark
        }
        Err(error) => {
            metrics::counter!("kafka_reader_errors_total").increment(1);
            tracing::warn!(source = %at, %error, "a partition could not be read; trying on");
            None
        }
    }
}

fn delivery(at: &TopicPartition, message: &BorrowedMessage<'_>) -> Delivery {
    Delivery {
        source: at.clone(),
        offset: message.offset(),
        timestamp_millis: message.timestamp().to_millis(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: message.headers().map(readable).unwrap_or_default(),
    }
}

/// The client panics on a header whose name is no UTF-8; such a header is none that we read, and its record must not
/// stop the lane.
fn readable(headers: &BorrowedHeaders) -> Vec<Header> {
    let one = |index| catch_unwind(AssertUnwindSafe(|| header(headers.get(index)))).ok();
    (0..headers.count()).filter_map(one).collect()
}

fn header(header: rdkafka::message::Header<'_, &[u8]>) -> Header {
    let name = headers::known(header.key).map_or_else(|| header.key.to_owned().into(), Cow::Borrowed);
    (name, header.value.unwrap_or_default().to_vec())
}
