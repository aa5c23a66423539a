//! Where a projection's events come from: topics, by a membership for each version, so that a rebuild reads in its own
//! time; or the stores of those who publish them. Traits, because tests read from a broker and a store in memory.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use backstitch_contracts::{Catalog, Decoder, Envelope, SchemaError};
use backstitch_event_store::{EventStore, Selection, Share, StoredEvent};
use backstitch_messaging::{Inbox, SchemaSource, SchemaSourceError};

/// Why the topics cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("could not join the group `{group}`: {reason}")]
pub struct JoinError {
    /// The group.
    pub group: String,
    /// The chain of causes.
    pub reason: String,
}

/// Makes memberships.
#[async_trait]
pub trait Inboxes: Send + Sync + 'static {
    /// Joins the group that shares the partitions of `lane_topic` out, and reads `inputs` too.
    ///
    /// # Errors
    /// [`JoinError`]; it is tried again later.
    async fn join(&self, group: &str, lane_topic: &str, inputs: &[&str]) -> Result<Arc<dyn Inbox>, JoinError>;
}

/// Everything that reading needs.
#[derive(Clone)]
pub struct Sources {
    /// Memberships.
    pub inboxes: Arc<dyn Inboxes>,
    /// Reader schemas, and the writer schemas seen so far.
    pub decoder: Arc<Decoder>,
    /// Writer schemas that were not seen yet.
    pub schemas: Arc<dyn SchemaSource>,
    /// Topics whose events are read where they are stored, and not from the topic.
    pub stores: BTreeMap<&'static str, StoreSource>,
}

impl Sources {
    /// For projections all of whose topics are in `stores`: no broker and no registry is asked for anything.
    ///
    /// # Errors
    /// Never with the schemas that this release was built with.
    pub fn only_stores(stores: BTreeMap<&'static str, StoreSource>) -> Result<Self, SchemaError> {
        let decoder = Arc::new(Decoder::new(&Catalog::default())?);
        Ok(Self { inboxes: Arc::new(NoTopics), decoder, schemas: Arc::new(NoTopics), stores })
    }
}

/// Neither broker nor registry.
struct NoTopics;

#[async_trait]
impl Inboxes for NoTopics {
    async fn join(&self, group: &str, lane_topic: &str, _inputs: &[&str]) -> Result<Arc<dyn Inbox>, JoinError> {
        let reason = format!("`{lane_topic}` is in no store, and there is no broker");
        Err(JoinError { group: group.to_owned(), reason })
    }
}

#[async_trait]
impl SchemaSource for NoTopics {
    async fn schema(&self, id: u32) -> Result<String, SchemaSourceError> {
        Err(SchemaSourceError::Unknown { id })
    }
}

/// A stored event as its topic has it; `None` if it is not published.
pub type Published = Arc<dyn Fn(&StoredEvent) -> Option<Envelope> + Send + Sync>;

/// The store behind a topic.
#[derive(Clone)]
pub struct StoreSource {
    /// The store.
    pub store: Arc<dyn EventStore>,
    /// The categories of the streams whose events the topic has.
    pub categories: Vec<&'static str>,
    /// Into how many shares their streams fall, each with its own checkpoint and reader. With another number, everything is
    /// read anew from the beginning.
    pub shares: NonZeroU32,
    /// What of them is published, and how.
    pub published: Published,
}

impl StoreSource {
    /// Shares of a store, unless said otherwise.
    pub const SHARES: NonZeroU32 = NonZeroU32::new(4).unwrap();

    /// What its shares are called in checkpoints.
    pub(crate) fn name(&self, topic: &str) -> String {
        format!("store:{topic} of {}", self.shares)
    }

    /// How many shares there are.
    pub(crate) fn count(&self) -> i32 {
        i32::try_from(self.shares.get()).unwrap_or(i32::MAX)
    }

    /// What one share's reader selects.
    pub(crate) fn selection(&self, share: i32) -> Selection {
        let categories = self.categories.iter().map(|category| (*category).to_owned()).collect();
        Selection::Share(Share { categories, nth: u32::try_from(share).unwrap_or(0), of: self.shares })
    }
}
