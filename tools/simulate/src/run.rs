//! One run: the script is played, nothing goes wrong any more, the system settles, and everything is looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use backstitch_contracts::{Envelope, headers, member_name, saga};
use backstitch_messaging::memory::MemoryBroker;
use backstitch_messaging::{LaneId, Publisher as _, Record};
use backstitch_saga::SagaId;
use serde_json::json;
use tokio::sync::mpsc;

use crate::broker::Arrivals;
use crate::cast::{self, Cast};
use crate::mutation::Mutation;
use crate::oracle;
use crate::postgres::Postgres;
use crate::process::{self, Kind, Order, Slot, Stage};
use crate::schema;
use crate::script::{self, Act, Said, Script, Started};
use crate::world::{World, lock};

/// A run that does not settle within this time never will.
const SETTLED_WITHIN: Duration = Duration::from_secs(200 * 24 * 3600);
/// How often a person helps one saga; what was said while nobody listened does not count.
const HELPED_MAX: u32 = 5;

/// The help that a saga had.
#[derive(Default)]
struct Helped {
    times: u32,
    /// With how many entries it stood where it was last helped.
    at_entry: i64,
    /// How often it was said.
    said: u32,
}

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What is wrong, `CHECK: what`, first the most telling; empty when all is well.
    pub problems: Vec<String>,
    /// How the sagas ended, by the word that metrics use.
    pub ends: BTreeMap<String, usize>,
    /// How often the circuit breaker of a participant opened.
    pub openings: usize,
    /// Points of input and output.
    pub steps: u64,
    /// What happened, if it was asked for.
    pub trace: Vec<String>,
}

/// Runs one seed.
///
/// # Errors
/// When the definitions that ship cannot be loaded; a run that goes wrong is a [`Report`] with problems.
pub fn run(seed: u64, mutation: Option<Mutation>, traced: bool) -> Result<Report> {
    let cast = Cast::of(script::mask(seed, cast::names()?.len()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let report = runtime.block_on(async {
        let world = World::new(seed, mutation, traced);
        let script = Script::of(&world, &cast);
        let mut play = Play::new(world, cast, script)?;
        let settled = play.run().await;
        let mut problems = play.look(settled);
        problems.dedup();
        let world = &play.stage.world;
        let (ends, openings) = (play.ends(), play.openings());
        anyhow::Ok(Report { seed, problems, ends, openings, steps: world.steps(), trace: world.trace() })
    });
    // Processes that stand still are never waited for.
    runtime.shutdown_background();
    report
}

struct Play {
    stage: Arc<Stage>,
    orders: Vec<mpsc::UnboundedSender<Order>>,
    databases: Vec<Arc<Postgres>>,
    /// The database of each slot, by place.
    database_of: Vec<usize>,
    started: Vec<Started>,
    helped: BTreeMap<usize, Helped>,
    /// What is still to happen, by time and place in the script.
    acts: BTreeMap<(Duration, usize), Act>,
    acts_ever: usize,
    sub_sagas: mpsc::UnboundedReceiver<Record>,
}

impl Play {
    fn new(world: Arc<World>, cast: Arc<Cast>, script: Script) -> Result<Self> {
        let broker = MemoryBroker::new(world.seed);
        create_topics(&broker, &cast, &script);
        let (tell, sub_sagas) = mpsc::unbounded_channel();
        let arrivals = Arc::new(Arrivals { first: Mutex::default(), sub_sagas: tell });
        let stage = Arc::new(Stage { world, broker, cast, arrivals, failures: Mutex::default() });
        let mut play = Self {
            stage: stage.clone(),
            orders: Vec::new(),
            databases: Vec::new(),
            database_of: Vec::new(),
            started: script.started,
            helped: BTreeMap::new(),
            acts: BTreeMap::new(),
            acts_ever: 0,
            sub_sagas,
        };
        play.schedule(script.acts);
        let mut inputs: Vec<String> = stage.cast.event_topics().into_iter().collect();
        inputs.push(saga::COMMANDS.to_owned());
        let slot = |database: &Arc<Postgres>, number: usize| Slot {
            name: format!("orchestrator-{number}"),
            kind: Kind::Orchestrator,
            group: "orchestrator".to_owned(),
            lane_topic: saga::INPUTS.to_owned(),
            inputs: inputs.clone(),
            database: database.clone(),
        };
        play.open("orchestrator", script.orchestrators, slot);
        for (index, (part, crew)) in stage.cast.parts.iter().zip(&script.crews).enumerate() {
            let slot = |database: &Arc<Postgres>, number: usize| Slot {
                name: format!("{}-{number}", part.name),
                kind: Kind::Participant(part.clone(), index % 2 == 0),
                group: part.name.clone(),
                lane_topic: part.topic.clone(),
                inputs: Vec::new(),
                database: database.clone(),
            };
            play.open(&part.name, *crew, slot);
        }
        Ok(play)
    }

    /// A service: its database and its processes.
    fn open(&mut self, name: &str, crew: usize, slot: impl Fn(&Arc<Postgres>, usize) -> Slot) {
        let database = Postgres::new(name, &self.stage.world);
        self.databases.push(database.clone());
        for number in 1..=crew {
            let (order, orders) = mpsc::unbounded_channel();
            tokio::spawn(process::keep(self.stage.clone(), slot(&database, number), orders));
            self.orders.push(order);
            self.database_of.push(self.databases.len() - 1);
        }
    }

    fn schedule(&mut self, acts: Vec<(Duration, Act)>) {
        for (at, act) in acts {
            self.acts.insert((at, self.acts_ever), act);
            self.acts_ever += 1;
        }
    }

    /// Plays the script, and then waits until nothing happens any more. Answers what kept it from settling.
    async fn run(&mut self) -> Result<Option<String>> {
        while let Some(((at, _), _)) = self.acts.last_key_value()
            && !self.stage.world.is_exhausted()
        {
            self.pass(*at).await?;
        }
        self.settle().await
    }

    /// Lets time pass until then, or until nothing can come of it any more, and plays what falls into it.
    async fn pass(&mut self, until: Duration) -> Result<()> {
        let world = self.stage.world.clone();
        while !world.is_exhausted() {
            let next = self.acts.first_key_value().map_or(until, |((at, _), _)| *at).min(until);
            let wait = next.saturating_sub(world.elapsed());
            tokio::select! {
                biased;
                () = world.exhausted() => continue,
                Some(start) = self.sub_sagas.recv() => {
                    self.meet(&start);
                    continue;
                }
                () = tokio::time::sleep(wait) => {}
            }
            let now = world.elapsed();
            match self.acts.first_entry().filter(|entry| entry.key().0 <= now) {
                Some(entry) => {
                    let act = entry.remove();
                    self.act(act).await?;
                }
                None if now >= until => break,
                None => {}
            }
        }
        Ok(())
    }

    /// A step starts a sub-saga: from now on it is looked at like others, and things happen to it.
    fn meet(&mut self, start: &Record) {
        let cast = self.stage.cast.clone();
        let envelope = start.value.as_deref().and_then(|value| cast.decoder.decode(&start.topic, value).ok());
        let Some(data) = envelope.map(|envelope| envelope.data) else { return };
        let text = |name: &str| data[name].as_str().unwrap_or_default();
        let key = text("key");
        let Some(index) = cast.role_of(text("definition")) else { return };
        let Some(role) = cast.roles.get(index) else { return };
        let id = role.definition.saga_id(key);
        if self.started.iter().all(|started| started.id != id) {
            let world = &self.stage.world;
            let acts = script::of_sub_saga(role, key, world.elapsed(), &mut world.dice(&format!("sub-saga {id}")));
            self.schedule(acts);
            self.started.push(Started { role: index, key: key.to_owned(), id });
        }
    }

    async fn act(&mut self, act: Act) -> Result<()> {
        match act {
            Act::Say(said) => say(&self.stage, &said).await?,
            Act::Order(slot, order) => {
                if let Some(orders) = self.orders.get(slot) {
                    let _ = orders.send(order);
                }
            }
            Act::MoveLane(lane) => {
                self.stage.world.tell(|| format!("lane {lane} is to move"));
                let inputs: Vec<String> = self.stage.cast.event_topics().into_iter().collect();
                let inputs: Vec<&str> = inputs.iter().map(String::as_str).chain([saga::COMMANDS]).collect();
                // Somebody joins for a moment, and the group shares its lanes out anew.
                let passer_by = self.stage.broker.join("orchestrator", saga::INPUTS, &inputs)?;
                tokio::time::sleep(Duration::from_millis(200)).await;
                self.stage.broker.move_lane(LaneId(lane), &passer_by);
                tokio::time::sleep(Duration::from_millis(500)).await;
                passer_by.expire();
            }
            Act::Down(slot, down) => {
                let database = self.database_of.get(slot).and_then(|index| self.databases.get(*index));
                if let Some(database) = database {
                    database.set_down(down);
                }
            }
            Act::Calm => {
                self.stage.world.tell(|| "nothing goes wrong any more".to_owned());
                self.stage.world.calm_down();
                self.databases.iter().for_each(|database| database.set_down(false));
                for orders in &self.orders {
                    let _ = orders.send(Order::Spare);
                }
            }
        }
        Ok(())
    }

    async fn settle(&mut self) -> Result<Option<String>> {
        let mut wait = Duration::from_secs(1);
        loop {
            self.pass(self.stage.world.elapsed() + wait).await?;
            let world = &self.stage.world;
            if let Some(failure) = lock(&self.stage.failures).first() {
                return Ok(Some(failure.clone()));
            }
            if world.elapsed() > SETTLED_WITHIN || world.is_exhausted() {
                return Ok(Some(format!(
                    "it does not settle in {} points: {}",
                    world.steps(),
                    self.unsettled().join(", ")
                )));
            }
            let helped = self.help().await?;
            if !helped && self.acts.is_empty() && self.unsettled().is_empty() {
                break;
            }
            wait = (wait * 3 / 2).min(Duration::from_secs(12 * 3600));
        }
        // What is still on its way arrives, and every outbox is cleared.
        self.pass(self.stage.world.elapsed() + Duration::from_secs(1200)).await?;
        Ok(None)
    }

    /// How each saga stands, by the word in its row.
    fn words(&self) -> Vec<String> {
        let Some(database) = self.databases.first() else { return Vec::new() };
        let tables = lock(&database.tables);
        let row = |started: &Started| tables.sagas.get(&started.id.as_uuid()).map(|(_, row)| row);
        self.started.iter().map(|started| row(started).map_or("unknown", |row| &row.status).to_owned()).collect()
    }

    fn entries_of(&self, id: SagaId) -> i64 {
        let Some(database) = self.databases.first() else { return 0 };
        lock(&database.tables).sagas.get(&id.as_uuid()).map_or(0, |(_, row)| row.seq)
    }

    /// Sagas that have neither ended nor ask for a person.
    fn unsettled(&self) -> Vec<String> {
        let settled = |word: &str| matches!(word, "completed" | "rolled_back" | "abandoned" | "refused" | "stuck");
        let open = self.started.iter().zip(self.words()).filter(|(_, word)| !settled(word));
        open.map(|(started, word)| format!("{} is {word}", started.id)).collect()
    }

    /// A person asks stuck sagas to try again, and paused ones to go on: a word of before may have come too early.
    /// Answers whether there was one.
    async fn help(&mut self) -> Result<bool> {
        let mut any = false;
        for (index, word) in self.words().into_iter().enumerate() {
            let kind = match word.as_str() {
                "stuck" => "RetrySaga",
                "paused" => "ResumeSaga",
                _ => continue,
            };
            let Some(id) = self.started.get(index).map(|started| started.id) else { continue };
            let entry = self.entries_of(id);
            let helped = self.helped.entry(index).or_default();
            if helped.at_entry != entry {
                if helped.times >= HELPED_MAX {
                    continue;
                }
                (helped.times, helped.at_entry) = (helped.times + 1, entry);
            }
            helped.said += 1;
            let times = helped.said;
            let data = json!({
                "saga_id": id.as_uuid(), "definition": null, "key": null, "step": null, "reason": "try again",
            });
            let name = format!("{id}/help/{times}");
            let mut dice = self.stage.world.dice(&name);
            say(&self.stage, &script::command(kind, data, name.as_bytes(), &mut dice)).await?;
            any = true;
        }
        Ok(any)
    }

    fn ends(&self) -> BTreeMap<String, usize> {
        let mut ends = BTreeMap::new();
        for word in self.words() {
            *ends.entry(word).or_default() += 1;
        }
        ends
    }

    fn openings(&self) -> usize {
        self.databases.iter().map(|database| lock(&database.tables).breakers.count()).sum()
    }

    fn look(&self, settled: Result<Option<String>>) -> Vec<String> {
        match settled {
            Ok(None) => {}
            Ok(Some(problem)) => return vec![format!("settles: {problem}")],
            Err(error) => return vec![format!("script: {error:#}")],
        }
        oracle::problems(&self.stage, &self.databases, &self.started)
    }
}

/// The world outside says something.
pub(crate) async fn say(stage: &Stage, said: &Said) -> Result<()> {
    let cast = &stage.cast;
    let encoder = cast.encoders.get(&said.topic).with_context(|| said.topic.clone())?;
    let text = schema::text_of(&said.topic)?;
    let version = text.map_or(1, |text| schema::newest(&text, &said.event));
    let envelope = Envelope {
        event_id: said.id,
        event_type: said.event.clone(),
        event_version: version,
        aggregate_id: said.about.clone(),
        aggregate_type: "Flow".to_owned(),
        occurred_at: stage.world.now(),
        correlation_id: said.id,
        causation_id: None,
        user_id: said.user.map(str::to_owned),
        metadata: BTreeMap::from([("source".to_owned(), "the world outside".to_owned())]),
        data: said.data.clone(),
    };
    let value = encoder.encode(&envelope).with_context(|| format!("{said:?}"))?;
    let record = Record::new(&said.topic, &said.record_key, value)
        .header(headers::CE_ID, said.id.to_string())
        .header(headers::CE_TYPE, member_name(&said.event, version));
    stage.world.tell(|| format!("the world says {} on {} ({})", said.event, said.topic, said.id));
    let arrived = stage.world.elapsed();
    lock(&stage.arrivals.first).entry(said.id.to_string()).or_insert(arrived);
    drop(stage.broker.publisher().publish(vec![record]).await?);
    Ok(())
}

fn create_topics(broker: &MemoryBroker, cast: &Cast, script: &Script) {
    let mut topics: BTreeMap<String, i32> = BTreeMap::new();
    for topic in cast.event_topics().into_iter().chain(cast.definitions.written_topics()) {
        topics.insert(topic, script.partitions);
    }
    topics.extend(cast.parts.iter().map(|part| (part.topic.clone(), script.part_lanes)));
    topics.insert(saga::INPUTS.to_owned(), script.lanes);
    topics.insert(saga::COMMANDS.to_owned(), script.partitions);
    topics.insert(saga::EVENTS.to_owned(), 2);
    let letters: BTreeSet<String> = topics.keys().map(|topic| format!("{topic}.dlq")).collect();
    for (topic, partitions) in topics {
        broker.create_topic(&topic, partitions);
    }
    for topic in letters {
        broker.create_topic(&topic, 1);
    }
}
