//! `drain`: a participant is away while sagas begin, and comes back: how long until what waited is done, oldest first or
//! not, what the orchestrator said about it meanwhile, and what those who came later had of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use backstitch_dev::commands::bench::Drain;
use backstitch_dev::progress::Board;
use serde_json::{Value, json};

use crate::figures::{median, percentiles, round};
use crate::findings::{Findings, Section};
use crate::load::{End, Ended, Load, Shape};
use crate::pace;
use crate::stage::{Live, Stage};

/// How many sagas can end in a second at all is measured in this time, after as much of warming up.
const AT_MOST: Duration = Duration::from_secs(15);
/// What is usual is measured in this time.
const USUAL: Duration = Duration::from_secs(10);
/// After this long what has not ended never will.
const PATIENCE: Duration = Duration::from_secs(600);
/// A prediction so shortly before the end is not judged.
const LAST_MOMENTS_SECONDS: f64 = 4.0;
/// So many looks pass before progress is told again.
const TELL_EVERY: u32 = 10;
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What the orchestrator said while the participant caught up.
#[derive(Debug, Clone, Copy)]
struct Said {
    at: Instant,
    backlog: f64,
    eta_seconds: Option<f64>,
}

/// What was measured, in this order.
struct Course {
    at_most_per_second: f64,
    usual: Vec<Ended>,
    back: Instant,
    done: Instant,
    /// Sagas under way when it came back.
    waited: usize,
    ended: Vec<Ended>,
    said: Vec<Said>,
}

/// Runs it once.
pub(crate) async fn run(stage: Stage, options: &Drain) -> Result<Findings> {
    let mut findings = Findings::begin("A participant that was down");
    let live = stage.with_http(options.http).raise(options.partitions).await?;
    let load = live.load(Shape::default()).await?;
    let course = measure(&live, &load, options).await?;
    for section in [course.drained(options), course.predicted(), course.latencies()] {
        findings.add(section);
    }
    Ok(findings)
}

async fn measure(live: &Live, load: &Load, options: &Drain) -> Result<Course> {
    let task = Board::new().task("drain");
    task.step("how many sagas can end in a second");
    let at_most_per_second = at_most(load, options.in_flight).await;
    let _feeder = pace::open(load, options.rate);
    task.step("what is usual");
    tokio::time::sleep(USUAL / 2).await;
    load.take_ended();
    tokio::time::sleep(USUAL).await;
    let usual = load.take_ended();
    task.step(&format!("{} is down for {} s", options.participant, options.down_seconds));
    live.stop(&options.participant).await?;
    tokio::time::sleep(Duration::from_secs(options.down_seconds)).await;
    load.take_ended();
    let waiting = load.under_way();
    let back = Instant::now();
    let topic = topic_of(&options.participant)?;
    let said: Arc<Mutex<Vec<Said>>> = Arc::default();
    let watching = tokio::spawn(watch(live.env("ORCHESTRATOR_URL")?, topic, Arc::clone(&said)));
    live.start(&options.participant, Vec::new()).await?;
    let mut looks = 0_u32;
    let done = loop {
        let left = load.under_way();
        let old = waiting.keys().filter(|saga| left.contains_key(saga)).count();
        if looks.is_multiple_of(TELL_EVERY) {
            task.step(&format!("{old} of {} that waited are left", waiting.len()));
        }
        looks += 1;
        if old == 0 || back.elapsed() > PATIENCE {
            break Instant::now();
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    tokio::time::sleep(USUAL).await;
    watching.abort();
    let said = said.lock().unwrap_or_else(PoisonError::into_inner).clone();
    task.done(&format!("{} sagas that waited have ended in {:.1} s", waiting.len(), (done - back).as_secs_f64()));
    Ok(Course { at_most_per_second, usual, back, done, waited: waiting.len(), ended: load.take_ended(), said })
}

/// Sagas ended in a second with so many in flight.
async fn at_most(load: &Load, in_flight: usize) -> f64 {
    let feeder = pace::closed(load, in_flight);
    tokio::time::sleep(AT_MOST).await;
    load.take_ended();
    tokio::time::sleep(AT_MOST).await;
    let ended = load.take_ended().len();
    feeder.abort();
    pace::drained(load, PATIENCE).await;
    ended as f64 / AT_MOST.as_secs_f64()
}

fn topic_of(participant: &str) -> Result<&'static str> {
    Ok(match participant {
        "inventory" => "inventory.commands",
        "payment" => "payments.commands",
        "shipping" => "shipping.commands",
        other => bail!("no participant `{other}`: there are inventory, payment and shipping"),
    })
}

/// Asks the orchestrator as `sagactl participants list` does, until it is told to stop.
async fn watch(orchestrator: String, topic: &'static str, said: Arc<Mutex<Vec<Said>>>) {
    loop {
        if let Some(now) = ask(&orchestrator, topic).await {
            said.lock().unwrap_or_else(PoisonError::into_inner).push(now);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn ask(orchestrator: &str, topic: &str) -> Option<Said> {
    let listed: Value = reqwest::get(format!("{orchestrator}/participants")).await.ok()?.json().await.ok()?;
    let asked = listed["participants"].as_array()?.iter().find(|it| it["topic"] == topic)?;
    Some(Said { at: Instant::now(), backlog: asked["backlog"].as_f64()?, eta_seconds: asked["eta_seconds"].as_f64() })
}

impl Course {
    fn drained(&self, options: &Drain) -> Section {
        let about = format!(
            "{} down for {} s while {} sagas a second began. Done: every saga that waited when it came back has ended, its \
             start included. Ended a second: all sagas, meanwhile. At most: with {} in flight, before; what waited has some of \
             its steps behind it. Out of place: how far a saga that waited is from where its age would have it end among \
             those of its lane, as a share of these: oldest first is 0 %, no order at all 33 %.",
            options.participant, options.down_seconds, options.rate, options.in_flight
        );
        let columns = ["waited", "done in s", "ended a second", "at most a second", "ratio", "out of place, %"];
        let mut section = Section::new("Until what waited is done", about, columns);
        let seconds = (self.done - self.back).as_secs_f64();
        let meanwhile = self.ended.iter().filter(|saga| saga.at >= self.back && saga.at <= self.done).count();
        let pace = meanwhile as f64 / seconds.max(0.001);
        let places = self.out_of_place();
        let out_of_place = places.iter().sum::<f64>() / places.len().max(1) as f64;
        section.row([
            json!(self.waited),
            json!(round(seconds)),
            json!(round(pace)),
            json!(round(self.at_most_per_second)),
            json!(round(pace / self.at_most_per_second.max(0.001))),
            json!(round(out_of_place * 100.0)),
        ]);
        section
    }

    /// Of each saga that waited, how far it is from where its age would have it among those of its lane; 1 is from one end
    /// to the other. Only those that were completed: the others' way is another.
    fn out_of_place(&self) -> Vec<f64> {
        let mut lanes: BTreeMap<i32, Vec<(Instant, Instant)>> = BTreeMap::new();
        let completed = self.ended.iter().filter(|saga| saga.end == End::Completed && saga.at >= self.back);
        for saga in completed {
            if let Some(begun) = saga.at.checked_sub(saga.took).filter(|begun| *begun < self.back) {
                lanes.entry(saga.lane).or_default().push((saga.at, begun));
            }
        }
        let mut places = Vec::new();
        for mut sagas in lanes.into_values() {
            sagas.sort();
            let mut by_age: Vec<(Instant, usize)> =
                sagas.iter().enumerate().map(|(place, (_, begun))| (*begun, place)).collect();
            by_age.sort();
            let count = sagas.len() as f64;
            places.extend(by_age.iter().enumerate().map(|(age, (_, place))| age.abs_diff(*place) as f64 / count));
        }
        places
    }

    /// When what the orchestrator calls the backlog had shrunk to what is always under way.
    fn caught_up(&self) -> Option<Instant> {
        let usual = self.usual.len() as f64 / USUAL.as_secs_f64();
        let most = self.said.iter().map(|said| said.backlog).fold(0.0, f64::max);
        let peak = self.said.iter().position(|said| said.backlog >= most)?;
        // Consumers report where they are every two seconds, and are looked at as often.
        self.said.iter().skip(peak).find(|said| said.backlog <= usual * 4.0).map(|said| said.at)
    }

    fn predicted(&self) -> Section {
        let about = "What `sagactl participants list` said while the participant caught up, against what came: the time until \
                     no more commands waited than arrive in four seconds. The median is of what was said four seconds before or earlier.";
        let columns = ["after s", "backlog", "said s", "came s", "off by %"];
        let mut section = Section::new("When it was said to have caught up", about, columns);
        let Some(caught_up) = self.caught_up() else { return section };
        let mut off = Vec::new();
        for said in self.said.iter().filter(|said| said.at < caught_up) {
            let (after, came) = ((said.at - self.back).as_secs_f64(), (caught_up - said.at).as_secs_f64());
            let error = said.eta_seconds.map(|eta| (eta - came) / came * 100.0);
            // Of the last moments a percentage says nothing.
            off.extend(error.filter(|_| came >= LAST_MOMENTS_SECONDS).map(f64::abs));
            let told = [Some(after), Some(said.backlog), said.eta_seconds, Some(came), error];
            section.row(told.map(|value| json!(value.map(round))));
        }
        section.row([json!("median"), Value::Null, Value::Null, Value::Null, json!(median(off).map(round))]);
        section
    }

    fn latencies(&self) -> Section {
        let about =
            "Start to end, ms: before; of sagas begun while those that waited were being done; of those that waited.";
        let mut section = Section::new("What sagas had of it", about, ["sagas", "count", "p50", "p95", "p99", "max"]);
        let begun = |saga: &&Ended| saga.at.checked_sub(saga.took);
        let meanwhile: Vec<Ended> = self
            .ended
            .iter()
            .filter(|saga| begun(saga).is_some_and(|begun| begun >= self.back && begun <= self.done))
            .copied()
            .collect();
        let waited: Vec<Ended> =
            self.ended.iter().filter(|saga| begun(saga).is_none_or(|begun| begun < self.back)).copied().collect();
        for (name, sagas) in [("usual", &self.usual), ("begun meanwhile", &meanwhile), ("waited", &waited)] {
            let found = percentiles(sagas.iter().map(|saga| saga.took.as_secs_f64() * 1_000.0).collect());
            let marks = ["p50", "p95", "p99", "max"].map(|mark| found[mark].clone());
            section.row([json!(name), json!(sagas.len())].into_iter().chain(marks));
        }
        section
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(ended: Vec<Ended>, said: Vec<Said>, back: Instant) -> Course {
        let usual = vec![Ended { end: End::Completed, took: Duration::ZERO, at: back, lane: 0 }; 500];
        let done = back + Duration::from_secs(20);
        Course { at_most_per_second: 100.0, usual, back, done, waited: ended.len(), ended, said }
    }

    #[test]
    fn a_saga_is_out_of_place_among_those_of_its_own_lane_only() {
        let back = Instant::now() + Duration::from_secs(1_000);
        let ended = |lane, begun_before: u64, ended_after: u64| Ended {
            end: End::Completed,
            took: Duration::from_secs(begun_before + ended_after),
            at: back + Duration::from_secs(ended_after),
            lane,
        };
        let all = vec![ended(0, 30, 1), ended(0, 20, 2), ended(0, 25, 3), ended(1, 29, 4)];
        let places = course(all, Vec::new(), back).out_of_place();
        assert_eq!(places, [0.0, 1.0 / 3.0, 1.0 / 3.0, 0.0]);
    }

    #[test]
    fn it_has_caught_up_once_only_the_usual_is_under_way_after_the_peak() {
        let back = Instant::now();
        let said = |after, backlog| Said { at: back + Duration::from_secs(after), backlog, eta_seconds: None };
        let course = course(Vec::new(), vec![said(0, 100.0), said(1, 900.0), said(2, 500.0), said(3, 200.0)], back);
        assert_eq!(course.caught_up(), Some(back + Duration::from_secs(3)));
    }
}
