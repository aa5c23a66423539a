//! Run until told to stop, then drain with a deadline. Separate from [`crate::Service`], which reads settings and sets
//! telemetry up, so that a test can run it with a shutdown of its own.

use std::future::Future;
use std::time::Duration;

use tracing::{error, info};

use crate::service::exit;
use crate::tasks::{Ended, ShutdownToken, Tasks};

/// What a process needs to end well.
pub(crate) struct Ritual {
    pub(crate) tasks: Tasks,
    pub(crate) shutdown: ShutdownToken,
    pub(crate) drain: Duration,
}

impl Ritual {
    /// Starts the process by `start`, keeps it until shutdown or a task's end, and drains it. Answers the exit code.
    pub(crate) async fn perform(self, start: impl Future<Output = anyhow::Result<()>>) -> u8 {
        let started = tokio::select! {
            started = start => started,
            () = self.shutdown.cancelled() => Ok(()),
        };
        let code = match started {
            Err(error) => {
                error!(error = %chain(&error), "could not start");
                exit::FAILED
            }
            Ok(()) => self.keep().await,
        };
        self.shutdown.cancel();
        self.finish(code).await
    }

    async fn keep(&self) -> u8 {
        if !self.shutdown.is_cancelled() {
            info!(tasks = ?self.tasks.running(), "running");
        }
        tokio::select! {
            // First, or a task that ends because of the shutdown could count as one that ended early.
            biased;
            () = self.shutdown.cancelled() => {
                info!(drain_seconds = self.drain.as_secs(), "draining");
                exit::OK
            }
            ended = self.tasks.next() => match ended {
                // A process without tasks has done what it was started for.
                None => exit::OK,
                Some(ended) => {
                    told(&ended, true);
                    exit::FAILED
                }
            },
        }
    }

    async fn finish(&self, code: u8) -> u8 {
        let mut code = code;
        let drained = self.tasks.drain(self.drain, |ended| {
            if told(&ended, false) {
                code = exit::FAILED;
            }
        });
        match drained.await {
            Ok(()) => {
                info!(exit_code = code, "stopped");
                code
            }
            Err(unfinished) => {
                error!(tasks = ?unfinished, "the drain deadline passed before these tasks ended");
                exit::NOT_DRAINED
            }
        }
    }
}

/// Logs how a task ended; whether that is a failure.
fn told(ended: &Ended, early: bool) -> bool {
    match ended {
        Ended::Quietly(task) if early => error!(task, "a task ended early, so the process ends"),
        Ended::Quietly(_) => return false,
        Ended::Failed(task, error) => error!(task, error = %chain(error), "a task failed, so the process ends"),
        Ended::Panicked(task, panic) => error!(task, panic, "a task panicked, so the process ends"),
    }
    true
}

/// An error and its sources on one line.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ritual() -> (Ritual, Tasks, ShutdownToken) {
        let (tasks, shutdown) = (Tasks::default(), ShutdownToken::new());
        let ritual = Ritual { tasks: tasks.clone(), shutdown: shutdown.clone(), drain: Duration::from_millis(50) };
        (ritual, tasks, shutdown)
    }

    #[tokio::test]
    async fn a_shutdown_lets_running_work_finish() {
        let (ritual, tasks, shutdown) = ritual();
        let (done, finished) = tokio::sync::oneshot::channel();
        let token = shutdown.clone();
        tasks.spawn("worker", async move {
            token.cancelled().await;
            tokio::task::yield_now().await;
            done.send("the last batch").map_err(anyhow::Error::msg)
        });
        shutdown.cancel();
        assert_eq!(ritual.perform(async { Ok(()) }).await, exit::OK);
        assert_eq!(finished.await, Ok("the last batch"));
    }

    #[tokio::test]
    async fn a_task_that_ends_early_ends_the_process_and_the_others() {
        let (ritual, tasks, shutdown) = ritual();
        let token = shutdown.clone();
        tasks.spawn("steady", async move {
            token.cancelled().await;
            Ok(())
        });
        tasks.spawn("hasty", async { Ok(()) });
        assert_eq!(ritual.perform(async { Ok(()) }).await, exit::FAILED);
        assert!(tasks.running().is_empty(), "{:?}", tasks.running());
    }

    #[tokio::test]
    async fn a_task_that_ends_because_of_the_shutdown_did_not_end_early() {
        // Both are true at once when the ritual looks; repeated, since a wrong choice would be a random one.
        for _ in 0..50 {
            let (ritual, tasks, shutdown) = ritual();
            tasks.spawn("quick", async { Ok(()) });
            let code = ritual.perform(async move {
                shutdown.cancel();
                tokio::task::yield_now().await;
                Ok(())
            });
            assert_eq!(code.await, exit::OK);
        }
    }

    #[tokio::test]
    async fn a_panicking_task_ends_the_process() {
        let (ritual, tasks, _) = ritual();
        tasks.spawn("unlucky", async { panic!("out of luck") });
        assert_eq!(ritual.perform(async { Ok(()) }).await, exit::FAILED);
    }

    #[tokio::test]
    async fn a_task_spawned_by_a_task_is_watched_too() {
        let (ritual, tasks, shutdown) = ritual();
        let spawner = tasks.clone();
        tasks.spawn("parent", async move {
            spawner.spawn("child", async { anyhow::bail!("the child fell") });
            shutdown.cancelled().await;
            Ok(())
        });
        assert_eq!(ritual.perform(async { Ok(()) }).await, exit::FAILED);
    }

    #[tokio::test]
    async fn work_that_does_not_end_by_the_deadline_is_named_and_left() {
        let (ritual, tasks, shutdown) = ritual();
        tasks.spawn("stubborn", std::future::pending());
        shutdown.cancel();
        assert_eq!(ritual.perform(async { Ok(()) }).await, exit::NOT_DRAINED);
        assert_eq!(tasks.running(), ["stubborn"]);
    }

    #[tokio::test]
    async fn a_process_that_cannot_start_drains_what_it_had_begun() {
        let (ritual, tasks, shutdown) = ritual();
        tasks.spawn("http", async move {
            shutdown.cancelled().await;
            Ok(())
        });
        assert_eq!(ritual.perform(async { anyhow::bail!("no database") }).await, exit::FAILED);
        assert!(tasks.running().is_empty());
    }
}
