//! Named tasks of a process. Separate from the ritual, so that "a task that ends early ends the process" can be tested
//! without a process.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};

/// Cancelled once, when the process should drain and end.
pub type ShutdownToken = tokio_util::sync::CancellationToken;

/// Where a process's long-running tasks are spawned. Cheap to clone.
#[derive(Clone, Default)]
pub struct Tasks {
    inner: Arc<Mutex<Inner>>,
    spawned: Arc<tokio::sync::Notify>,
}

#[derive(Default)]
struct Inner {
    set: JoinSet<anyhow::Result<()>>,
    names: HashMap<Id, String>,
}

/// How one task ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It returned without an error.
    Quietly(String),
    /// It returned an error.
    Failed(String, anyhow::Error),
    /// It panicked.
    Panicked(String, String),
}

impl Tasks {
    /// Starts a task that runs until shutdown. One that ends earlier, fails or panics ends the process.
    pub fn spawn(&self, name: impl Into<String>, task: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let id = inner.set.spawn(task).id();
        inner.names.insert(id, name.into());
        self.spawned.notify_one();
    }

    /// The names of those still running, sorted.
    #[must_use]
    pub fn running(&self) -> Vec<String> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<String> = inner.names.values().cloned().collect();
        names.sort();
        names
    }

    /// Waits until one ends; `None` if none is left.
    pub(crate) async fn next(&self) -> Option<Ended> {
        loop {
            // Taken out while waiting, so that tasks may spawn tasks.
            let polled = std::future::poll_fn(|context| {
                let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
                match inner.set.poll_join_next_with_id(context) {
                    std::task::Poll::Ready(ended) => std::task::Poll::Ready(ended.map(|ended| inner.name(ended))),
                    std::task::Poll::Pending => std::task::Poll::Pending,
                }
            });
            tokio::select! {
                ended = polled => return ended,
                () = self.spawned.notified() => {}
            }
        }
    }

    /// Waits until all have ended; the names of those that have not by then.
    pub(crate) async fn drain(&self, deadline: Duration, mut on_end: impl FnMut(Ended)) -> Result<(), Vec<String>> {
        let all = async {
            while let Some(ended) = self.next().await {
                on_end(ended);
            }
        };
        tokio::time::timeout(deadline, all).await.map_err(|_| self.running())
    }
}

impl Inner {
    fn name(&mut self, ended: Result<(Id, anyhow::Result<()>), JoinError>) -> Ended {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let name = self.names.remove(&id).unwrap_or_default();
        match ended {
            Ok((_, Ok(()))) => Ended::Quietly(name),
            Ok((_, Err(error))) => Ended::Failed(name, error),
            Err(error) => Ended::Panicked(name, panic_text(error)),
        }
    }
}

fn panic_text(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => text_of(&*panic),
        Err(error) => error.to_string(),
    }
}

/// What a panic said, where it said anything.
pub(crate) fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}
