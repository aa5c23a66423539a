//! Word of new events, within the process and between processes. Separate from both writers and readers: readers would
//! find everything without it, only later.
//!
//! Notifications are sent after the commit, by a statement of their own and not more often than every 10 ms: one inside
//! the append's transaction would make all appends commit one after the other.

use std::sync::Arc;
use std::time::Duration;

use backstitch_event_store::AppendSignal;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

const CHANNEL: &str = "store_events";
const BETWEEN_NOTIFICATIONS: Duration = Duration::from_millis(10);
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

/// Rung after each append.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    heard: watch::Sender<u64>,
    outside: Notify,
}

impl Bell {
    /// Tells this process now and the others soon.
    pub(crate) fn ring(&self) {
        self.tell();
        self.outside.notify_one();
    }

    pub(crate) fn subscribe(&self) -> AppendSignal {
        self.heard.subscribe()
    }

    fn tell(&self) {
        self.heard.send_modify(|appends| *appends = appends.wrapping_add(1));
    }
}

/// A task that ends with its owner.
#[derive(Debug)]
pub(crate) struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Tells other processes.
pub(crate) fn notify_others(pool: PgPool, bell: Arc<Bell>) -> Task {
    Task(tokio::spawn(async move {
        loop {
            bell.outside.notified().await;
            if let Err(error) = sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(&pool).await {
                tracing::debug!(%error, "other processes were not told of new events; they look by themselves");
            }
            tokio::time::sleep(BETWEEN_NOTIFICATIONS).await;
        }
    }))
}

/// Hears from other processes, on a connection of its own.
pub(crate) fn hear_others(pool: PgPool, bell: Arc<Bell>) -> Task {
    Task(tokio::spawn(async move {
        loop {
            if let Err(error) = listen(&pool, &bell).await {
                tracing::debug!(%error, "new events are not heard of; subscriptions look by themselves");
            }
            tokio::time::sleep(AFTER_A_FAILURE).await;
        }
    }))
}

async fn listen(pool: &PgPool, bell: &Bell) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        // `None`: the connection was lost and is back; what was missed meanwhile is worth a look, too.
        listener.try_recv().await?;
        bell.tell();
    }
}
