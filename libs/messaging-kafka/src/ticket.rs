//! One publish call's receipt. Separate from the producer, because it is what travels with each record.

use std::sync::Arc;
use std::sync::{Mutex, PoisonError};

use backstitch_messaging::{PublishError, Published};
use tokio::sync::oneshot;

/// Held by every record that is still out. When the last lets go, the receipt resolves: to the first failure, if any.
pub(crate) struct Ticket(Mutex<Outcome>);

struct Outcome {
    failed: Option<PublishError>,
    receipt: Option<oneshot::Sender<Result<(), PublishError>>>,
}

impl Ticket {
    pub(crate) fn new() -> (Arc<Self>, Published) {
        let (receipt, published) = oneshot::channel();
        (Arc::new(Self(Mutex::new(Outcome { failed: None, receipt: Some(receipt) }))), published)
    }

    /// One of the records will never be durable.
    pub(crate) fn fail(&self, error: PublishError) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).failed.get_or_insert(error);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let outcome = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(receipt) = outcome.receipt.take() {
            let _ = receipt.send(outcome.failed.take().map_or(Ok(()), Err));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_receipt_waits_for_the_last_record() {
        let (ticket, mut published) = Ticket::new();
        let other = Arc::clone(&ticket);
        drop(ticket);
        assert!(published.try_recv().is_err());
        drop(other);
        assert!(matches!(published.try_recv(), Ok(Ok(()))));
    }

    #[test]
    fn the_first_failure_is_the_receipt() {
        let (ticket, mut published) = Ticket::new();
        ticket.fail(PublishError::Fatal { reason: "first".into() });
        ticket.fail(PublishError::Fatal { reason: "second".into() });
        drop(ticket);
        let failed = published.try_recv().expect("resolved").expect_err("failed");
        assert_eq!(failed.to_string(), "the producer has failed for good: first");
    }
}
