//! `takeover`: orchestrators under load are killed, stopped and restarted, again and again; how long lanes stand still,
//! and whether any saga was lost or anything done twice. Separate from the single trial, which knows no averages.

pub(crate) mod trial;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use backstitch_dev::commands::bench::{Fault, Membership, Protocol, Takeover};
use backstitch_dev::progress::{Board, Task};
use serde_json::{Value, json};

use crate::figures::{median, percentile, percentiles};
use crate::findings::{Findings, Section};
use crate::load::{Load, Shape};
use crate::stage::{Live, Settings, Stage, replicas};
use crate::{books, pace};

use trial::{Group, Trial};

/// After this long a saga that has not ended counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(90);
/// Static members that are gone are members until their session ends: before another way of forming the group is tried.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(8);
/// What the load does before the first trial.
const WARM_UP: Duration = Duration::from_secs(5);

/// One way for orchestrators to form their group.
#[derive(Debug, Clone, Copy)]
struct Way {
    protocol: Protocol,
    membership: Membership,
}

impl Way {
    fn settings(self, names: &[String]) -> BTreeMap<String, Settings> {
        let protocol = match self.protocol {
            Protocol::Classic => "classic",
            Protocol::Kip848 => "consumer",
        };
        let of = |name: &String| {
            let mut settings = vec![("BACKSTITCH_KAFKA__GROUP_PROTOCOL".to_owned(), protocol.to_owned())];
            if self.membership == Membership::Static {
                settings.push(("BACKSTITCH_KAFKA__INSTANCE_ID".to_owned(), name.replace('#', "-")));
            }
            (name.clone(), settings)
        };
        names.iter().map(of).collect()
    }
}

/// Runs every trial.
pub(crate) async fn run(stage: Stage, options: &Takeover) -> Result<Findings> {
    let mut findings = Findings::begin("Orchestrators that come and go");
    let live = stage.raise(options.partitions).await?;
    let load = live.load(Shape::default()).await?;
    let names = replicas("orchestrator", options.orchestrators);
    let (mut standstills, mut sagas, mut throughput) = (standstills(options), moved(), throughput());
    let board = Board::new();
    for protocol in &options.protocols {
        for membership in &options.memberships {
            let way = Way { protocol: *protocol, membership: *membership };
            let mut group = form(&live, way, &names).await?;
            let _feeder = pace::open(&load, options.rate);
            tokio::time::sleep(WARM_UP).await;
            for fault in &options.faults {
                let what = vec![json!(fault), json!(protocol), json!(membership)];
                let task = board.task(&format!("{fault:?} {protocol:?} {membership:?}").to_lowercase());
                let trials = many(&mut group, &load, *fault, options.trials, &task).await?;
                standstills.row(what.iter().cloned().chain(standing_still(&trials)));
                sagas.row(what.iter().cloned().chain(moving(&trials)));
                throughput.row(what.into_iter().chain(dip(&trials)));
            }
        }
    }
    let lost = pace::drained(&load, LOST_AFTER).await;
    for section in [standstills, sagas, throughput, kept(lost, &live).await?] {
        findings.add(section);
    }
    Ok(findings)
}

/// Starts the orchestrators anew, as members of this kind.
async fn form(live: &Live, way: Way, names: &[String]) -> Result<Group> {
    for name in names {
        live.stop(name).await?;
    }
    tokio::time::sleep(FORGOTTEN_AFTER).await;
    let settings = way.settings(names);
    let group = Group::new(live.clone(), settings, live.database("orchestrator").await?);
    group.all_started().await
}

async fn many(group: &mut Group, load: &Load, fault: Fault, trials: u32, task: &Task) -> Result<Vec<Trial>> {
    let mut made = Vec::new();
    for number in 0..trials {
        let trial = trial::make(group, load, fault, number as usize).await.inspect_err(|_| task.failed())?;
        task.step(&format!("trial {} of {trials}: {:.0} ms", number + 1, trial.worst_ms()));
        made.push(trial);
    }
    let worst = made.iter().map(Trial::worst_ms).fold(0.0, f64::max);
    task.done(&format!("{trials} trials, a lane stood still for {worst:.0} ms at most"));
    Ok(made)
}

fn standstills(options: &Takeover) -> Section {
    let about = format!(
        "{} orchestrators, {} lanes, {} sagas begun a second. Of each lane of the victim (rolling: of all lanes), the longest \
         time without a journal entry around the fault, ms: the last entry before until the first after.",
        options.orchestrators, options.partitions, options.rate
    );
    let columns =
        ["fault", "protocol", "membership", "trials", "lanes", "p50", "p99", "max", "worst of each trial, median"];
    Section::new("How long a lane stands still", about, columns)
}

fn standing_still(trials: &[Trial]) -> Vec<Value> {
    let all: Vec<f64> = trials.iter().flat_map(|trial| trial.standstills_ms.iter().copied()).collect();
    let count = all.len();
    let found = percentiles(all);
    let worst = median(trials.iter().map(Trial::worst_ms).collect());
    vec![
        json!(trials.len()),
        json!(count),
        found["p50"].clone(),
        found["p99"].clone(),
        found["max"].clone(),
        json!(worst.map(f64::round)),
    ]
}

fn moved() -> Section {
    let about = "Sagas of the victim's lanes that were under way at the fault, and the time from the fault until each of them \
                 went on, ms. Killed: only what was decided after the death counts.";
    let columns = ["fault", "protocol", "membership", "sagas", "p50", "p99", "max", "never went on"];
    Section::new("Until every saga goes on", about, columns)
}

fn moving(trials: &[Trial]) -> Vec<Value> {
    let all: Vec<f64> = trials.iter().flat_map(|trial| trial.moved_ms.iter().copied()).collect();
    let still: usize = trials.iter().map(|trial| trial.still).sum();
    let count = all.len() + still;
    let found = percentiles(all);
    vec![json!(count), found["p50"].clone(), found["p99"].clone(), found["max"].clone(), json!(still)]
}

fn throughput() -> Section {
    let about = "Sagas ended in a second, all lanes: the median of the seconds before the fault, and the worst second after it; \
                 medians over the trials.";
    Section::new(
        "Throughput",
        about,
        ["fault", "protocol", "membership", "usual", "worst second", "worst of all trials"],
    )
}

fn dip(trials: &[Trial]) -> Vec<Value> {
    let usual = median(trials.iter().map(|trial| trial.usual).collect());
    let mut worst: Vec<f64> = trials.iter().map(|trial| trial.worst_second).collect();
    worst.sort_by(f64::total_cmp);
    vec![json!(usual), json!(percentile(&worst, 0.5)), json!(worst.first())]
}

async fn kept(lost: usize, live: &Live) -> Result<Section> {
    let about = format!(
        "Over all trials: sagas that had not ended {} s after the load, and what the participants' stores and the journal \
         hold more than once for one order.",
        LOST_AFTER.as_secs()
    );
    let doubled = books::doubled(live).await?;
    let mut section = Section::new("Lost or done twice", about, ["lost", "done twice", "of which"]);
    section.row([json!(lost), json!(doubled.sum()), json!(doubled)]);
    Ok(section)
}
