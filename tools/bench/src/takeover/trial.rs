//! One trial: the group is whole, a fault befalls it, and every lane is watched until it goes on and the group is whole
//! again. Separate, because here is what is measured, and how.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use anyhow::Result;
use backstitch_dev::commands::bench::Fault;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::figures::median;
use crate::load::{Begun, Ended, Load, Moved};
use crate::stage::{Live, Settings};

/// What is usual is seen in this time before the fault.
const BEFORE: Duration = Duration::from_secs(4);
/// And what the fault leads to until this long after every lane has gone on.
const AFTER: Duration = Duration::from_secs(2);
/// A trial in which lanes have not gone on after this long ends all the same, and says so.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Orchestrators that share the lanes.
pub(crate) struct Group {
    live: Live,
    settings: BTreeMap<String, Settings>,
    db: PgConnection,
}

impl Group {
    pub(crate) const fn new(live: Live, settings: BTreeMap<String, Settings>, db: PgConnection) -> Self {
        Self { live, settings, db }
    }

    /// Starts whoever is away, and waits until all share the lanes.
    pub(crate) async fn all_started(mut self) -> Result<Self> {
        self.make_whole().await?;
        Ok(self)
    }

    async fn make_whole(&mut self) -> Result<()> {
        let names: Vec<String> = self.settings.keys().cloned().collect();
        for name in &names {
            self.start(name).await?;
        }
        self.live.settled(&names, &mut self.db).await
    }

    /// Nothing happens if it runs.
    async fn start(&self, name: &str) -> Result<()> {
        self.live.start(name, self.settings.get(name).cloned().unwrap_or_default()).await
    }

    async fn lanes_of(&mut self, pids: &BTreeSet<i32>) -> Result<BTreeSet<i32>> {
        let owners = self.live.owners(&mut self.db).await?;
        Ok(owners.into_iter().filter(|(_, pid)| pids.contains(pid)).map(|(lane, _)| lane).collect())
    }

    /// Takes these away, and where the fault says so lets them come back.
    async fn strike(&self, fault: Fault, victims: &[String]) -> Result<()> {
        for name in victims {
            match fault {
                Fault::Kill | Fault::Crash => self.live.kill(name).await?,
                Fault::Graceful | Fault::Rolling => self.live.stop(name).await?,
            }
            if matches!(fault, Fault::Crash | Fault::Rolling) {
                self.start(name).await?;
            }
        }
        Ok(())
    }
}

/// What one trial has shown.
#[derive(Debug, Default)]
pub(crate) struct Trial {
    /// Of each affected lane.
    pub(crate) standstills_ms: Vec<f64>,
    /// Of each affected saga that went on.
    pub(crate) moved_ms: Vec<f64>,
    /// Affected sagas that did not go on in time.
    pub(crate) still: usize,
    /// Sagas ended in a usual second.
    pub(crate) usual: f64,
    /// Sagas ended in the worst second.
    pub(crate) worst_second: f64,
}

impl Trial {
    /// Of the lane that stood still longest.
    pub(crate) fn worst_ms(&self) -> f64 {
        self.standstills_ms.iter().copied().fold(0.0, f64::max)
    }
}

/// What a trial is judged by.
struct Watch {
    began: Instant,
    struck: Instant,
    /// Entries decided later are the survivors'.
    decided_after: DateTime<Utc>,
    lanes: BTreeSet<i32>,
    affected: HashMap<Uuid, Begun>,
}

/// Strikes the group once.
pub(crate) async fn make(group: &mut Group, load: &Load, fault: Fault, number: usize) -> Result<Trial> {
    group.make_whole().await?;
    let names: Vec<String> = group.settings.keys().cloned().collect();
    let victims = match fault {
        Fault::Rolling => names,
        Fault::Kill | Fault::Crash | Fault::Graceful => names.into_iter().cycle().skip(number).take(1).collect(),
    };
    let pids = victims.iter().map(|name| group.live.pid(name)).collect::<Result<BTreeSet<i32>>>()?;
    load.take_ended();
    load.watch();
    let began = Instant::now();
    tokio::time::sleep(BEFORE).await;
    let lanes = group.lanes_of(&pids).await?;
    let mut affected = load.under_way();
    affected.retain(|_, begun| lanes.contains(&begun.lane));
    let (struck, mut decided_after) = (Instant::now(), Utc::now());
    group.strike(fault, &victims).await?;
    if fault == Fault::Kill {
        decided_after = Utc::now();
    }
    let watch = Watch { began, struck, decided_after, lanes, affected };
    gone_on(group, load, &pids, &watch).await?;
    Ok(watch.judge(&load.seen(), &load.under_way(), &load.take_ended()))
}

/// Waits until all lanes have another owner, and all sagas have gone on.
async fn gone_on(group: &mut Group, load: &Load, pids: &BTreeSet<i32>, watch: &Watch) -> Result<()> {
    while watch.struck.elapsed() < PATIENCE {
        let all_moved = watch.still(&watch.moved(&load.seen()), &load.under_way()) == 0;
        if all_moved && group.lanes_of(pids).await?.is_empty() && watch.every_lane_moved(load) {
            break;
        }
        tokio::time::sleep(LOOK_AGAIN * 5).await;
    }
    tokio::time::sleep(AFTER).await;
    Ok(())
}

impl Watch {
    /// How long each affected saga took that has gone on.
    fn moved(&self, seen: &[Moved]) -> HashMap<Uuid, f64> {
        let mut moved = HashMap::new();
        let after = seen.iter().filter(|entry| entry.decided > self.decided_after && entry.at >= self.struck);
        for entry in after.filter(|entry| self.affected.contains_key(&entry.saga)) {
            moved.entry(entry.saga).or_insert_with(|| (entry.at - self.struck).as_secs_f64() * 1_000.0);
        }
        moved
    }

    /// How many affected sagas have yet to go on. One that is no longer under way and has not moved had its end decided
    /// before the fault, and only heard of after it.
    fn still(&self, moved: &HashMap<Uuid, f64>, under_way: &HashMap<Uuid, Begun>) -> usize {
        self.affected.keys().filter(|saga| !moved.contains_key(saga) && under_way.contains_key(saga)).count()
    }

    fn every_lane_moved(&self, load: &Load) -> bool {
        let seen = load.seen();
        let since = |entry: &&Moved| entry.decided > self.decided_after;
        let moved: BTreeSet<i32> = seen.iter().filter(since).map(|entry| entry.lane).collect();
        self.lanes.is_subset(&moved)
    }

    fn judge(&self, seen: &[Moved], under_way: &HashMap<Uuid, Begun>, ended: &[Ended]) -> Trial {
        let moved = self.moved(seen);
        let still = self.still(&moved, under_way);
        let (usual, worst_second) = self.throughput(ended, Instant::now());
        let standstills_ms = self.lanes.iter().map(|lane| self.standstill_ms(*lane, seen)).collect();
        Trial { standstills_ms, moved_ms: moved.into_values().collect(), still, usual, worst_second }
    }

    /// The longest time without an entry that ended after the fault.
    fn standstill_ms(&self, lane: i32, seen: &[Moved]) -> f64 {
        let mut last = self.began;
        let mut longest = Duration::ZERO;
        for entry in seen.iter().filter(|entry| entry.lane == lane) {
            if entry.at > self.struck {
                longest = longest.max(entry.at.saturating_duration_since(last));
            }
            last = entry.at;
        }
        longest.max(if longest.is_zero() { self.struck.elapsed() } else { Duration::ZERO }).as_secs_f64() * 1_000.0
    }

    /// Sagas ended in a usual second before the fault, and in the worst one after it.
    fn throughput(&self, ended: &[Ended], until: Instant) -> (f64, f64) {
        let seconds = |from: Instant, to: Instant| {
            let mut counts = vec![0.0; to.saturating_duration_since(from).as_secs() as usize];
            for saga in ended.iter().filter(|saga| saga.at >= from) {
                if let Some(count) = counts.get_mut((saga.at - from).as_secs() as usize) {
                    *count += 1.0;
                }
            }
            counts
        };
        let usual = median(seconds(self.began, self.struck)).unwrap_or(0.0);
        let worst = seconds(self.struck, until).into_iter().fold(f64::INFINITY, f64::min);
        (usual, if worst.is_finite() { worst } else { usual })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::End;

    fn watch(began: Instant) -> Watch {
        let struck = began + Duration::from_secs(4);
        let affected = [(Uuid::from_u128(1), Begun { at: began, lane: 0 })].into();
        Watch { began, struck, decided_after: Utc::now(), lanes: [0].into(), affected }
    }

    fn entry(watch: &Watch, saga: u128, at_ms: u64, decided_ms: i64) -> Moved {
        let decided = watch.decided_after + chrono::TimeDelta::milliseconds(decided_ms);
        Moved { saga: Uuid::from_u128(saga), lane: 0, at: watch.began + Duration::from_millis(at_ms), decided }
    }

    #[test]
    fn what_the_dead_had_decided_is_not_taken_for_going_on() {
        let watch = watch(Instant::now());
        let seen = [entry(&watch, 1, 4_010, -5), entry(&watch, 1, 9_500, 5_400), entry(&watch, 2, 9_600, 5_500)];
        let trial = watch.judge(&seen, &HashMap::new(), &[]);
        assert_eq!((trial.moved_ms, trial.still), (vec![5_500.0], 0));
    }

    #[test]
    fn a_standstill_is_the_longest_silence_of_the_lane_that_ends_after_the_fault() {
        let watch = watch(Instant::now());
        let seen = [entry(&watch, 2, 3_000, -1_000), entry(&watch, 2, 3_900, -100), entry(&watch, 1, 9_900, 5_900)];
        assert_eq!(watch.judge(&seen, &HashMap::new(), &[]).standstills_ms, [6_000.0]);
    }

    #[test]
    fn a_saga_that_never_goes_on_is_told() {
        let watch = watch(Instant::now());
        let trial = watch.judge(&[entry(&watch, 2, 9_000, 5_000)], &watch.affected, &[]);
        assert_eq!((trial.moved_ms.len(), trial.still), (0, 1));
    }

    #[test]
    fn a_saga_whose_end_was_decided_before_the_fault_and_heard_of_after_it_was_not_affected() {
        let watch = watch(Instant::now());
        let trial = watch.judge(&[entry(&watch, 1, 4_010, -5)], &HashMap::new(), &[]);
        assert_eq!((trial.moved_ms.len(), trial.still), (0, 0));
    }

    #[test]
    fn the_worst_second_is_looked_for_after_the_fault_only() {
        let watch = watch(Instant::now());
        let ended = |ms| Ended {
            end: End::Completed,
            took: Duration::ZERO,
            at: watch.began + Duration::from_millis(ms),
            lane: 0,
        };
        let ends: Vec<Ended> = [100, 200, 1_100, 1_200, 2_100, 2_200, 4_500, 6_500].map(ended).into();
        assert_eq!(watch.throughput(&ends, watch.struck + Duration::from_secs(3)), (2.0, 0.0));
    }
}
