//! External calls with types. Separate from the decisions that ask for them: this side has I/O.

use async_trait::async_trait;
use backstitch_processor::{Caller, Job};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::note::CallTicket;

/// For services that make no calls, hear no events or set no timers: there is no value of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nothing {}

/// Makes a service's external calls.
#[async_trait]
pub trait Calls: Send + Sync + 'static {
    /// What is asked.
    type Call: DeserializeOwned + Send;
    /// What was found out.
    type Outcome: Serialize + Send;

    /// Makes the call until its outcome is certain. `key` is its idempotency key (command id and try): the same after a
    /// crash, another one for another try.
    async fn call(&self, key: &str, call: Self::Call) -> Self::Outcome;
}

/// The processor's view of [`Calls`].
pub struct CallsOf<C>(pub C);

#[async_trait]
impl<C: Calls> Caller for CallsOf<C> {
    async fn call(&self, job: &Job) -> Value {
        let call = CallTicket::of(job).and_then(|ticket| serde_json::from_value(ticket.call));
        let answer = match call {
            Ok(call) => serde_json::to_value(self.0.call(&job.id, call).await),
            Err(error) => Err(error),
        };
        match answer {
            Ok(outcome) => outcome,
            // Its outcome cannot be known here: a release that understands it will make it.
            Err(error) => {
                tracing::error!(job = %job.id, kind = %job.kind, %error, "a call is not understood, and waits");
                std::future::pending().await
            }
        }
    }
}
