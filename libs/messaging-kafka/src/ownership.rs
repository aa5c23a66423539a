//! Which lanes the group gives us, and the waiting for their hand-over. Separate from [`crate::membership`], which
//! runs the consumer: this is what its callbacks do.

use std::{
    collections::BTreeSet,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use backstitch_messaging::{LaneId, Ownership};
use tokio::sync::{mpsc, oneshot};

/// The lanes that are ours just now; shared by the callbacks and those who ask.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnedLanes(Arc<Mutex<BTreeSet<LaneId>>>);

impl OwnedLanes {
    pub(crate) fn contains(&self, lane: LaneId) -> bool {
        self.with(|lanes| lanes.contains(&lane))
    }

    fn with<T>(&self, f: impl FnOnce(&mut BTreeSet<LaneId>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Tells the owner of the inbox what the group decides.
#[derive(Debug, Clone)]
pub(crate) struct Announcer {
    group: Arc<str>,
    owned: OwnedLanes,
    events: mpsc::UnboundedSender<Ownership>,
    patience: Duration,
}

impl Announcer {
    /// `patience` bounds the wait for a hand-over: the whole group stands still meanwhile.
    pub(crate) fn new(
        group: &str,
        owned: OwnedLanes,
        events: mpsc::UnboundedSender<Ownership>,
        patience: Duration,
    ) -> Self {
        Self { group: group.into(), owned, events, patience }
    }

    pub(crate) fn gained(&self, lanes: impl IntoIterator<Item = LaneId>) {
        for lane in lanes {
            if self.owned.with(|owned| owned.insert(lane)) {
                tracing::info!(group = %self.group, %lane, "lane gained");
                let _ = self.events.send(Ownership::Gained(lane));
            }
        }
        self.count();
    }

    /// The lanes are taken from us while we may still finish what is in hand: waits until each is acknowledged.
    pub(crate) fn hand_over(&self, lanes: impl IntoIterator<Item = LaneId>) {
        let acks = self.lost(lanes);
        let left = wait_for(acks, self.patience);
        if left > 0 {
            tracing::warn!(lanes = left, "lanes were not handed over in time");
        }
    }

    /// The lanes are somebody else's already; there is nothing to wait for.
    pub(crate) fn gone(&self, lanes: impl IntoIterator<Item = LaneId>) {
        drop(self.lost(lanes));
    }

    /// As [`Self::gone`], for all we have.
    pub(crate) fn all_gone(&self) {
        let all: Vec<LaneId> = self.owned.with(|owned| owned.iter().copied().collect());
        self.gone(all);
    }

    fn lost(&self, lanes: impl IntoIterator<Item = LaneId>) -> Vec<oneshot::Receiver<()>> {
        let mut acks = Vec::new();
        for lane in lanes {
            if self.owned.with(|owned| owned.remove(&lane)) {
                tracing::info!(group = %self.group, %lane, "lane lost");
                let (ack, acked) = oneshot::channel();
                if self.events.send(Ownership::Lost(lane, ack)).is_ok() {
                    acks.push(acked);
                }
            }
        }
        self.count();
        acks
    }

    fn count(&self) {
        let count = self.owned.with(|owned| owned.len());
        metrics::gauge!("lanes_owned", "group" => self.group.to_string()).set(u32::try_from(count).unwrap_or(u32::MAX));
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Blocks this thread until every sender was used or dropped, but no longer than `patience`. How many were not.
/// By hand, because librdkafka's callbacks run on a thread of their own, where no runtime may be counted on.
fn wait_for(mut acks: Vec<oneshot::Receiver<()>>, patience: Duration) -> usize {
    let deadline = Instant::now() + patience;
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        acks.retain_mut(|ack| Pin::new(ack).poll(&mut context).is_pending());
        let left = deadline.saturating_duration_since(Instant::now());
        if acks.is_empty() || left.is_zero() {
            return acks.len();
        }
        thread::park_timeout(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcer(patience: Duration) -> (Announcer, OwnedLanes, mpsc::UnboundedReceiver<Ownership>) {
        let (events, seen) = mpsc::unbounded_channel();
        let owned = OwnedLanes::default();
        (Announcer::new("group", owned.clone(), events, patience), owned, seen)
    }

    #[test]
    fn a_hand_over_ends_when_the_last_lane_is_acknowledged() {
        let (announcer, owned, mut seen) = announcer(Duration::from_secs(600));
        announcer.gained([LaneId(0), LaneId(1)]);
        let owner = thread::spawn(move || {
            let mut lost = 0;
            while lost < 2 {
                if let Some(Ownership::Lost(_, ack)) = seen.blocking_recv() {
                    lost += 1;
                    drop(ack);
                }
            }
        });
        announcer.hand_over([LaneId(0), LaneId(1)]);
        owner.join().expect("owner");
        assert!(!owned.contains(LaneId(0)) && !owned.contains(LaneId(1)));
    }

    #[test]
    fn an_owner_that_does_not_answer_does_not_hold_up_the_group() {
        let (announcer, _, mut seen) = announcer(Duration::from_millis(1));
        announcer.gained([LaneId(3)]);
        announcer.hand_over([LaneId(3)]);
        assert!(matches!(seen.try_recv(), Ok(Ownership::Gained(LaneId(3)))));
        assert!(matches!(seen.try_recv(), Ok(Ownership::Lost(LaneId(3), _))));
    }

    #[test]
    fn a_lane_is_announced_once_however_often_the_group_says_so() {
        let (announcer, owned, mut seen) = announcer(Duration::ZERO);
        announcer.gained([LaneId(3)]);
        announcer.gained([LaneId(3)]);
        assert!(owned.contains(LaneId(3)));
        announcer.all_gone();
        announcer.gone([LaneId(3)]);
        assert!(matches!(seen.try_recv(), Ok(Ownership::Gained(_))));
        assert!(matches!(seen.try_recv(), Ok(Ownership::Lost(..))));
        assert!(seen.try_recv().is_err());
    }
}
