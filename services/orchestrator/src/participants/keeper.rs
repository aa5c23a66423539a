//! Keeps a process's circuit breakers and their rows the same: writes what its lanes have found out, at once, and reads
//! what others did, each second. Separate, so that no lane waits for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use backstitch_processor::Store;
use backstitch_saga::participant::{Clocks, Openings};
use backstitch_service_kit::ShutdownToken;

use super::store::OpeningStore;
use super::{Change, Participants};

/// How often the rows are read, and after how long an outage is met again.
pub const READ_EVERY: Duration = Duration::from_secs(1);
/// How many reads lie between two prunings.
const PRUNE_EVERY: u32 = 600;

/// Until `stop`; the rows are read again whenever a `pause` is over. An outage of the database is waited out: nothing new
/// is known as long as it lasts.
pub async fn keep<S: Store, P: Future<Output = ()> + Send>(
    participants: Arc<Participants>,
    store: S,
    stop: ShutdownToken,
    mut pause: impl FnMut() -> P + Send,
) where
    S::Db: OpeningStore,
{
    let mut lease: Option<S::Lease> = None;
    let mut shown = BTreeSet::new();
    let mut reads: u32 = 0;
    loop {
        let outcome = async {
            let db = match lease.take() {
                Some(db) => db,
                None => store.lease().await?,
            };
            // Whatever goes wrong, the connection is not used again.
            let db = lease.insert(db);
            round(&participants, &mut **db, reads.is_multiple_of(PRUNE_EVERY)).await
        };
        let failed = match outcome.await {
            Ok(()) => {
                show(&participants.clocks(), &mut shown);
                false
            }
            Err(error) => {
                lease = None;
                tracing::warn!(%error, "the participants' rows cannot be read or written; what was known stands");
                true
            }
        };
        reads = reads.wrapping_add(1);
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(READ_EVERY), if failed => {}
            () = participants.changed.notified(), if !failed => {}
            () = pause(), if !failed => {}
        }
    }
}

/// Writes, then reads.
async fn round<D: OpeningStore + ?Sized>(
    participants: &Participants,
    db: &mut D,
    prunes: bool,
) -> Result<(), sqlx::Error> {
    let mut unwritten = participants.take_unwritten();
    while let Some((topic, (change, at))) = unwritten.pop_first() {
        let written = match change {
            Change::Opens => db.open_breaker(&topic, at, None).await,
            Change::Closes => db.close_breaker(&topic, at, false).await,
        };
        match written {
            Ok(true) => note(&topic, change),
            Ok(false) => {}
            Err(error) => {
                unwritten.insert(topic, (change, at));
                participants.give_back(unwritten);
                return Err(error);
            }
        }
    }
    if prunes {
        db.prune_openings().await?;
    }
    participants.learn(db.openings().await?);
    Ok(())
}

fn note(participant: &str, change: Change) {
    let to = match change {
        Change::Opens => {
            tracing::warn!(participant, "it has fallen silent: the clocks of what it was asked stand still");
            "open"
        }
        Change::Closes => {
            tracing::info!(participant, "it answers again: the clocks of what it was asked go on");
            "closed"
        }
    };
    metrics::counter!("participant_breaker_transitions_total", "participant" => participant.to_owned(), "to" => to)
        .increment(1);
}

fn show(clocks: &Clocks, shown: &mut BTreeSet<String>) {
    shown.extend(clocks.iter().map(|(participant, _)| participant.to_owned()));
    for participant in shown.iter() {
        let open = clocks.of(participant).and_then(Openings::current).is_some();
        metrics::gauge!("participant_breaker_open", "participant" => participant.clone())
            .set(f64::from(u8::from(open)));
    }
}
