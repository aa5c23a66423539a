//! [`Inbox`] on the in-memory broker: a member of a group, and the reading for its lanes.

use std::{
    collections::{BTreeMap, HashMap},
    pin::pin,
    sync::Arc,
};

use async_trait::async_trait;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{
    Shared,
    group::{self, MemberId},
};
use crate::{Feed, FeedItem, Inbox, InboxError, LaneId, Ownership, TopicPartition, Topology};

const BATCH_MAX: usize = 500;
const BATCHES_WAITING: usize = 2;

/// A member of a group of the in-memory broker.
pub struct MemoryInbox {
    shared: Arc<Shared>,
    group: String,
    member: MemberId,
    topology: Topology,
    ownership: Mutex<mpsc::UnboundedReceiver<Ownership>>,
    /// Dropping a lane's sender ends its reading.
    readings: std::sync::Mutex<HashMap<LaneId, oneshot::Sender<()>>>,
}

impl MemoryInbox {
    pub(super) fn join(shared: Arc<Shared>, group: &str, topology: Topology) -> Self {
        let (events, ownership) = mpsc::unbounded_channel();
        let member = group::join(&shared, group, topology.lanes(), events);
        let (ownership, readings) = (Mutex::new(ownership), std::sync::Mutex::default());
        Self { shared, group: group.to_owned(), member, topology, ownership, readings }
    }

    /// The group takes this member for dead, as after a session timeout: its lanes are others' at once. It is not
    /// told, and goes on reading: a zombie.
    pub fn expire(&self) {
        group::forget(&self.shared, &self.group, self.member);
    }

    pub(super) fn group(&self) -> &str {
        &self.group
    }

    pub(super) fn member(&self) -> MemberId {
        self.member
    }

    fn readings(&self) -> std::sync::MutexGuard<'_, HashMap<LaneId, oneshot::Sender<()>>> {
        self.readings.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for MemoryInbox {
    fn drop(&mut self) {
        // What balances the rest of the group needs a runtime; without one there is no rest.
        if tokio::runtime::Handle::try_current().is_ok() {
            group::forget(&self.shared, &self.group, self.member);
        }
    }
}

#[async_trait]
impl Inbox for MemoryInbox {
    fn topology(&self) -> &Topology {
        &self.topology
    }

    async fn ownership(&self) -> Option<Ownership> {
        self.ownership.lock().await.recv().await
    }

    fn owns(&self, lane: LaneId) -> bool {
        self.shared.state().groups.get(&self.group).is_some_and(|group| group.owns(self.member, lane))
    }

    async fn read(&self, lane: LaneId, from: &[(TopicPartition, i64)]) -> Result<Feed, InboxError> {
        let known: BTreeMap<&TopicPartition, i64> = from.iter().map(|(source, offset)| (source, *offset)).collect();
        let inputs = self.topology.inputs_of(lane).into_iter();
        let sources =
            inputs.map(|at| Source { next: known.get(&at).copied().unwrap_or(0), marked: None, at }).collect();
        let (batches, feed) = mpsc::channel(BATCHES_WAITING);
        let (stop, stopping) = oneshot::channel();
        self.readings().insert(lane, stop);
        let reading = LaneReading { shared: Arc::clone(&self.shared), sources };
        tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = stopping => {}
                () = reading.run(batches) => {}
            }
        });
        Ok(feed)
    }

    async fn stop(&self, lane: LaneId) {
        self.readings().remove(&lane);
    }

    async fn end_offsets(&self, lane: LaneId) -> Result<Vec<(TopicPartition, i64)>, InboxError> {
        let state = self.shared.state();
        Ok(self.topology.inputs_of(lane).into_iter().map(|at| (at.clone(), state.log.end(&at))).collect())
    }

    fn report(&self, offsets: Vec<(TopicPartition, i64)>) {
        let mut state = self.shared.state();
        for (source, offset) in offsets {
            state.committed.insert((self.group.clone(), source), offset);
        }
    }

    async fn leave(&self) {
        group::leave(&self.shared, &self.group, self.member);
    }

    async fn close(&self) {
        self.leave().await;
        self.readings().clear();
    }
}

struct Source {
    at: TopicPartition,
    next: i64,
    /// The end last marked as reached.
    marked: Option<i64>,
}

struct LaneReading {
    shared: Arc<Shared>,
    sources: Vec<Source>,
}

impl LaneReading {
    async fn run(mut self, batches: mpsc::Sender<Vec<FeedItem>>) {
        let shared = Arc::clone(&self.shared);
        loop {
            let Ok(room) = batches.reserve().await else { return };
            let batch = loop {
                let mut appended = pin!(shared.appended.notified());
                appended.as_mut().enable();
                let (most, turns) = self.pace();
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
                let batch = self.take_batch(most);
                if !batch.is_empty() {
                    break batch;
                }
                tokio::select! {
                    biased;
                    () = batches.closed() => return,
                    () = appended => {}
                }
            };
            room.send(batch);
            self.sources.rotate_left(1);
        }
    }

    /// How much to take at most, and for how many turns of the scheduler to wait before.
    fn pace(&self) -> (usize, u64) {
        let state = &mut *self.shared.state();
        if state.dice.falls(state.faults.delayed_batches) {
            (1 + usize::try_from(state.dice.below(3)).unwrap_or(0), 1 + state.dice.below(20))
        } else {
            (BATCH_MAX, 0)
        }
    }

    fn take_batch(&mut self, most: usize) -> Vec<FeedItem> {
        let state = self.shared.state();
        let mut batch = Vec::new();
        for source in &mut self.sources {
            let room = most.saturating_sub(batch.len());
            if room == 0 {
                break;
            }
            let (items, next) = state.log.read(&source.at, source.next, room);
            batch.extend(items);
            source.next = next;
            if next == state.log.end(&source.at) && source.marked != Some(next) {
                source.marked = Some(next);
                batch.push(FeedItem::CaughtUp { source: source.at.clone(), offset: next });
            }
        }
        batch
    }
}
