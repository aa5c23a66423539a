//! Who works on which lane where there is no broker to ask: replicas claim lanes by locks in the read database, each as
//! many as its fair share. Separate from the checkpoints, which stay the fence: a lock only says who should try.
//!
//! A lock lasts as long as its holder's connection, so whoever dies leaves its lanes to others at once.

use std::collections::BTreeSet;
use std::time::Duration;

use backstitch_messaging::{LaneId, Ownership};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, PgPool};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::checkpoint::Version;
use crate::error::chain;

/// Stands for the membership itself among the locks; no lane has this number.
const MEMBER: i32 = i32::MAX;
/// Changes of ownership that nobody has looked at yet.
const CHANGES_MAX: usize = 16;

/// A membership among those who claim lanes of a version.
pub(crate) struct Claims {
    changes: Mutex<mpsc::Receiver<Ownership>>,
    stop: CancellationToken,
    claiming: Mutex<Option<JoinHandle<()>>>,
}

impl Claims {
    /// Claims lanes 0 to `lanes`, and looks again as often as that.
    pub(crate) fn start(version: Version, lanes: i32, look_every: Duration, pool: &PgPool) -> Self {
        let (announce, changes) = mpsc::channel(CHANGES_MAX);
        let stop = CancellationToken::new();
        let key = format!("projection lanes {} {}", version.name.text(), version.number);
        let claiming = Claiming { key, lanes, look_every, options: options_of(pool), announce };
        let task = tokio::spawn(claiming.run(stop.clone()));
        Self { changes: Mutex::new(changes), stop, claiming: Mutex::new(Some(task)) }
    }

    /// The next change; `None` once it is closed.
    pub(crate) async fn ownership(&self) -> Option<Ownership> {
        self.changes.lock().await.recv().await
    }

    /// Gives all lanes back. Whoever closes has let go of them before.
    pub(crate) async fn close(&self) {
        self.stop.cancel();
        if let Some(task) = self.claiming.lock().await.take() {
            let _ = task.await;
        }
    }
}

/// A holder that is gone without a word (its machine, say) is found out by the server.
fn options_of(pool: &PgPool) -> PgConnectOptions {
    let keepalives = [("tcp_keepalives_idle", "5"), ("tcp_keepalives_interval", "2"), ("tcp_keepalives_count", "3")];
    PgConnectOptions::clone(&pool.connect_options()).options(keepalives)
}

struct Claiming {
    key: String,
    lanes: i32,
    look_every: Duration,
    options: PgConnectOptions,
    announce: mpsc::Sender<Ownership>,
}

impl Claiming {
    async fn run(self, stop: CancellationToken) {
        let mut held = BTreeSet::new();
        while !stop.is_cancelled() {
            let outcome = tokio::select! {
                () = stop.cancelled() => break,
                outcome = self.hold(&mut held) => outcome,
            };
            if let Err(error) = outcome {
                tracing::warn!(claims = self.key, error = chain(&error), "lanes are let go of");
            }
            // With the connection, all locks are gone.
            for lane in std::mem::take(&mut held) {
                let _ = self.announce.send(Ownership::Lost(lane, oneshot::channel().0)).await;
            }
            let _ = stop.run_until_cancelled(tokio::time::sleep(self.look_every)).await;
        }
    }

    /// Until the connection fails.
    async fn hold(&self, held: &mut BTreeSet<LaneId>) -> Result<(), sqlx::Error> {
        let mut db = self.options.connect().await?;
        sqlx::query("SELECT pg_advisory_lock_shared(hashtext($1), $2)")
            .bind(&self.key)
            .bind(MEMBER)
            .execute(&mut db)
            .await?;
        loop {
            let fair = fair_share(self.lanes, self.members(&mut db).await?);
            while held.len() > fair
                && let Some(lane) = held.pop_last()
            {
                self.let_go(lane, &mut db).await?;
            }
            for lane in (0..self.lanes).map(LaneId) {
                if held.len() < fair && !held.contains(&lane) && self.claim(lane, &mut db).await? {
                    held.insert(lane);
                    if self.announce.send(Ownership::Gained(lane)).await.is_err() {
                        return db.close().await;
                    }
                }
            }
            tokio::time::sleep(self.look_every).await;
        }
    }

    async fn members(&self, db: &mut PgConnection) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT count(*) FROM pg_locks
             WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND objid = $2::bigint
               AND classid::bigint = hashtext($1)::bigint & 4294967295
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .bind(&self.key)
        .bind(i64::from(MEMBER))
        .fetch_one(db)
        .await
    }

    async fn claim(&self, lane: LaneId, db: &mut PgConnection) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtext($1), $2)")
            .bind(&self.key)
            .bind(lane.0)
            .fetch_one(db)
            .await
    }

    /// Once whoever works on it has stopped.
    async fn let_go(&self, lane: LaneId, db: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (stopped, wait) = oneshot::channel();
        let _ = self.announce.send(Ownership::Lost(lane, stopped)).await;
        let _ = wait.await;
        sqlx::query("SELECT pg_advisory_unlock(hashtext($1), $2)").bind(&self.key).bind(lane.0).execute(db).await?;
        Ok(())
    }
}

/// As many lanes as nobody can complain about.
fn fair_share(lanes: i32, members: i64) -> usize {
    let (lanes, members) = (usize::try_from(lanes).unwrap_or(0), usize::try_from(members).unwrap_or(1).max(1));
    lanes.div_ceil(members)
}

#[cfg(test)]
mod tests {
    use super::fair_share;

    #[test]
    fn fair_shares_come_to_all_lanes() {
        assert_eq!([1, 2, 3, 4, 5].map(|members| fair_share(4, members)), [4, 2, 2, 1, 1]);
        assert_eq!(fair_share(4, 0), 4, "whoever asks is a member");
    }
}
