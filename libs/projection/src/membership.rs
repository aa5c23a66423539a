//! What a version reads in this process, and which lanes of it: topics through the broker's group, stores by shares, or
//! both. Separate from the lanes, which take what comes from either alike.
//!
//! With topics, the group of the first of them shares the lanes out, and the stores' shares go along; without any, lanes
//! are claimed in the read database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use backstitch_event_store::{Lag, ReadError, StoredEvent, Subscription, SubscriptionSettings};
use backstitch_messaging::{Feed, FeedItem, Inbox, LaneId, Ownership, TopicPartition};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::claims::Claims;
use crate::error::ApplyError;
use crate::place::Place;
use crate::source::StoreSource;

/// How long a reader of a store waits before it looks by itself: lanes append without a signal.
const STORE_POLL: Duration = Duration::from_millis(100);
/// Pages of a lane's stores that wait to be applied.
const PAGES_WAITING: usize = 2;
/// Of these the lane has its own measure.
const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// Who says which lanes are ours.
pub(crate) enum Owner {
    /// The broker's group, through which topics are read, too.
    Group(Arc<dyn Inbox>),
    /// Locks.
    Claims(Claims),
}

/// A store, with the topic that it stands for.
pub(crate) struct Behind {
    pub(crate) topic: &'static str,
    pub(crate) source: StoreSource,
    name: Arc<str>,
}

/// What a version reads here.
pub(crate) struct Membership {
    owner: Owner,
    stores: Vec<Behind>,
}

/// How far there is to go in one partition.
pub(crate) struct Ahead {
    pub(crate) source: TopicPartition,
    /// Where it ends, or at most ends.
    pub(crate) end: Place,
    /// Events up to there.
    pub(crate) left: i64,
    /// Of a store.
    pub(crate) lag: Option<Lag>,
}

impl Behind {
    pub(crate) fn new(topic: &'static str, source: StoreSource) -> Self {
        let name = source.name(topic).into();
        Self { topic, source, name }
    }

    /// As checkpoints have it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn share(&self, nth: i32) -> TopicPartition {
        TopicPartition::new(self.name.clone(), nth)
    }
}

impl Membership {
    pub(crate) fn new(owner: Owner, stores: Vec<Behind>) -> Self {
        Self { owner, stores }
    }

    /// The next change of ownership; `None` once it has ended.
    pub(crate) async fn ownership(&self) -> Option<Ownership> {
        match &self.owner {
            Owner::Group(inbox) => inbox.ownership().await,
            Owner::Claims(claims) => claims.ownership().await,
        }
    }

    /// What a lane reads.
    pub(crate) fn sources_of(&self, lane: LaneId) -> Vec<TopicPartition> {
        let mut sources = match &self.owner {
            Owner::Group(inbox) => inbox.topology().inputs_of(lane),
            Owner::Claims(_) => Vec::new(),
        };
        sources.extend(self.shares_of(lane).map(|(behind, nth)| behind.share(nth)));
        sources
    }

    fn shares_of(&self, lane: LaneId) -> impl Iterator<Item = (&Behind, i32)> {
        let lanes = match &self.owner {
            Owner::Group(inbox) => inbox.topology().lanes(),
            Owner::Claims(_) => lanes_of(&self.stores),
        };
        let lanes = lanes.max(1);
        let all = self.stores.iter().flat_map(|behind| (0..behind.source.count()).map(move |nth| (behind, nth)));
        all.filter(move |(_, nth)| nth % lanes == lane.0)
    }

    /// The store behind a source; `None` if it is a topic.
    pub(crate) fn store_of(&self, source: &TopicPartition) -> Option<&Behind> {
        self.stores.iter().find(|behind| *behind.name == *source.topic)
    }

    /// Begins to read for a lane.
    ///
    /// # Errors
    /// When the broker's client refuses.
    pub(crate) async fn read(
        &self,
        lane: LaneId,
        from: &BTreeMap<TopicPartition, Place>,
        page_max: usize,
    ) -> Result<Incoming, ApplyError> {
        let topics = match &self.owner {
            Owner::Group(inbox) => {
                let topics = from.iter().filter(|(source, _)| self.store_of(source).is_none());
                let offsets: Vec<_> = topics.map(|(source, place)| (source.clone(), place.offset)).collect();
                Some(inbox.read(lane, &offsets).await?)
            }
            Owner::Claims(_) => None,
        };
        let (send, stores) = mpsc::channel(PAGES_WAITING);
        let mut readers = JoinSet::new();
        for (behind, nth) in self.shares_of(lane) {
            let source = behind.share(nth);
            let at = from.get(&source).copied().unwrap_or_default().cursor();
            let (store, selection) = (Arc::clone(&behind.source.store), behind.source.selection(nth));
            let settings = SubscriptionSettings {
                page_max: u32::try_from(page_max).unwrap_or(u32::MAX),
                poll_interval: STORE_POLL,
                lag_interval: NEVER,
            };
            let subscription = Subscription::new(source.to_string(), store, selection, at).with(settings);
            readers.spawn(follow(source, subscription, send.clone()));
        }
        Ok(Incoming { topics, stores, _readers: readers })
    }

    /// How far the lane has to go.
    ///
    /// # Errors
    /// When broker or store do not answer.
    pub(crate) async fn ahead(
        &self,
        lane: LaneId,
        at: &BTreeMap<TopicPartition, Place>,
    ) -> Result<Vec<Ahead>, ApplyError> {
        let place = |source: &TopicPartition| at.get(source).copied().unwrap_or_default();
        let mut ahead = Vec::new();
        if let Owner::Group(inbox) = &self.owner {
            let ends = inbox.end_offsets(lane).await?.into_iter();
            ahead.extend(ends.map(|(source, end)| {
                let left = (end - place(&source).offset).max(0);
                Ahead { source, end: Place::offset(end), left, lag: None }
            }));
        }
        for (behind, nth) in self.shares_of(lane) {
            let source = behind.share(nth);
            let at = place(&source);
            let lag = behind.source.store.lag(&behind.source.selection(nth), at.cursor()).await?;
            let left = i64::try_from(lag.events).unwrap_or(i64::MAX);
            // All shares have the same positions among them.
            let end =
                Place { offset: at.offset.saturating_add(left.saturating_mul(behind.source.count().into())), ..at };
            ahead.push(Ahead { source, end, left, lag: Some(lag) });
        }
        Ok(ahead)
    }

    /// Tells the broker how far the lane has come.
    pub(crate) fn report(&self, at: &BTreeMap<TopicPartition, Place>) {
        if let Owner::Group(inbox) = &self.owner {
            let topics = at.iter().filter(|(source, _)| self.store_of(source).is_none());
            inbox.report(topics.map(|(source, place)| (source.clone(), place.offset)).collect());
        }
    }

    /// Stops reading for the lane.
    pub(crate) async fn stop(&self, lane: LaneId) {
        if let Owner::Group(inbox) = &self.owner {
            inbox.stop(lane).await;
        }
    }

    /// Leaves.
    pub(crate) async fn close(&self) {
        match &self.owner {
            Owner::Group(inbox) => inbox.close().await,
            Owner::Claims(claims) => claims.close().await,
        }
    }
}

/// As many lanes as the store with most shares has.
pub(crate) fn lanes_of(stores: &[Behind]) -> i32 {
    stores.iter().map(|behind| behind.source.count()).max().unwrap_or(0)
}

/// What there is to take in.
pub(crate) enum Arrival {
    /// From topics.
    Topics(Vec<FeedItem>),
    /// From a share of a store.
    Store(TopicPartition, Vec<StoredEvent>),
}

type Page = Result<(TopicPartition, Vec<StoredEvent>), ReadError>;

/// A lane's events as they come. Dropping it stops the reading.
pub(crate) struct Incoming {
    topics: Option<Feed>,
    stores: mpsc::Receiver<Page>,
    _readers: JoinSet<()>,
}

impl Incoming {
    /// The next; waits for it.
    ///
    /// # Errors
    /// When the reading has ended.
    pub(crate) async fn next(&mut self) -> Result<Arrival, ApplyError> {
        let topics = async {
            match &mut self.topics {
                Some(feed) => feed.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            items = topics => items.map(Arrival::Topics).ok_or(ApplyError::FeedEnded),
            Some(page) = self.stores.recv() => page.map(|(source, events)| Arrival::Store(source, events)).map_err(Into::into),
        }
    }

    /// What is there already, if anything.
    ///
    /// # Errors
    /// When a store could not be read.
    pub(crate) fn at_hand(&mut self) -> Result<Option<Arrival>, ApplyError> {
        if let Some(items) = self.topics.as_mut().and_then(|feed| feed.try_recv().ok()) {
            return Ok(Some(Arrival::Topics(items)));
        }
        match self.stores.try_recv() {
            Ok(page) => page.map(|(source, events)| Some(Arrival::Store(source, events))).map_err(Into::into),
            Err(_) => Ok(None),
        }
    }
}

/// Until nobody listens. A store that fails is told of; the lane then begins anew.
async fn follow(source: TopicPartition, mut subscription: Subscription, pages: mpsc::Sender<Page>) {
    loop {
        let page = subscription.next().await.map(|page| (source.clone(), page.events));
        let failed = page.is_err();
        if pages.send(page).await.is_err() || failed {
            return;
        }
    }
}
