//! [`Publisher`] on the in-memory broker. Separate from the log, which knows neither receipts nor faults.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::Shared;
use crate::{PublishError, Published, Publisher, Record};

/// A producer of the in-memory broker.
pub struct MemoryPublisher(Arc<Shared>);

impl MemoryPublisher {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }
}

#[async_trait]
impl Publisher for MemoryPublisher {
    async fn publish(&self, records: Vec<Record>) -> Result<Published, PublishError> {
        let (receipt, published) = oneshot::channel();
        {
            let state = &mut *self.0.state();
            for record in &records {
                let times = if state.dice.falls(state.faults.repeated_records) { 2 } else { 1 };
                for _ in 0..times {
                    let refused = |reason| PublishError::Refused { topic: record.topic.clone(), reason };
                    state.log.append(record).map_err(refused)?;
                }
            }
            if state.dice.falls(state.faults.lost_receipts) {
                drop(receipt);
            } else {
                let _ = receipt.send(Ok(()));
            }
        }
        self.0.raise();
        Ok(published)
    }
}
