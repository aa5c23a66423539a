//! What happens in a run, drawn from its seed before it begins: who takes part, what is started, what people do, and what
//! goes wrong when. Separate from the run, which only plays it.

use std::time::Duration;

use backstitch_contracts::saga;
use backstitch_saga::SagaId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cast::{Cast, Role};
use crate::dice::Dice;
use crate::life::Doom;
use crate::process::Order;
use crate::world::World;

/// A message of the outside world.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) topic: String,
    pub(crate) event: String,
    /// The record's key: foreign producers choose their own.
    pub(crate) record_key: String,
    pub(crate) about: String,
    pub(crate) data: Value,
    pub(crate) user: Option<&'static str>,
    /// Makes repeats have the same id.
    pub(crate) id: Uuid,
}

/// Something that happens.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Say(Said),
    /// To the process in a slot.
    Order(usize, Order),
    /// The orchestrator's lane moves to another member, if there is one.
    MoveLane(i32),
    /// The database of a slot's service is down, or up again.
    Down(usize, bool),
    /// Nothing goes wrong from now on.
    Calm,
}

/// A saga that is started.
#[derive(Debug, Clone)]
pub(crate) struct Started {
    pub(crate) role: usize,
    pub(crate) key: String,
    pub(crate) id: SagaId,
}

/// A whole run.
pub(crate) struct Script {
    pub(crate) lanes: i32,
    /// Partitions of event topics, where they are not as many as lanes.
    pub(crate) partitions: i32,
    pub(crate) part_lanes: i32,
    pub(crate) orchestrators: usize,
    /// How many processes each participant has.
    pub(crate) crews: Vec<usize>,
    pub(crate) started: Vec<Started>,
    pub(crate) acts: Vec<(Duration, Act)>,
}

/// Most items of a list that something is done for each of.
const ITEMS_MAX: u64 = 5;

/// Which definitions take part: one or two, or all of them; and, one place above them, whether participants have limits.
pub(crate) fn mask(seed: u64, known: usize) -> usize {
    let limited = usize::from(Dice::of(seed, "limits").falls(350));
    (limited << known) | definitions(seed, known)
}

fn definitions(seed: u64, known: usize) -> usize {
    let mut dice = Dice::of(seed, "cast");
    if dice.falls(40) {
        return (1 << known) - 1;
    }
    let mut one = || 1_usize << dice.below(known as u64);
    let first = one();
    if dice.falls(500) { first | (1_usize << dice.below(known as u64)) } else { first }
}

impl Script {
    pub(crate) fn of(world: &World, cast: &Cast) -> Self {
        let mut dice = world.dice("script");
        let lanes = i32::try_from(dice.between(1, 4)).unwrap_or(1);
        let odd = dice.falls(300);
        let partitions = if odd { i32::try_from(dice.between(1, 5)).unwrap_or(1) } else { lanes };
        let crews = cast.parts.iter().map(|_| if dice.falls(200) { 2 } else { 1 }).collect();
        let mut script = Self {
            lanes,
            partitions,
            part_lanes: i32::try_from(dice.between(1, 2)).unwrap_or(1),
            orchestrators: usize::try_from(dice.between(1, 3)).unwrap_or(1),
            crews,
            started: Vec::new(),
            acts: Vec::new(),
        };
        let trouble = dice.between(10, 240);
        for number in 0..dice.between(2, 6) {
            script.saga(world, cast, number, trouble, &mut dice);
        }
        script.trouble(trouble, &mut dice);
        script.acts.push((Duration::from_secs(trouble), Act::Calm));
        script.acts.sort_by_key(|(at, _)| *at);
        script
    }

    fn slots(&self) -> usize {
        self.orchestrators + self.crews.iter().sum::<usize>()
    }

    fn saga(&mut self, world: &World, cast: &Cast, number: u64, trouble: u64, dice: &mut Dice) {
        let index = usize::try_from(dice.below(cast.roles.len() as u64)).unwrap_or(0);
        let Some(role) = cast.roles.get(index) else { return };
        let key = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{}/{number}", world.seed).as_bytes()).to_string();
        let id = role.definition.saga_id(&key);
        let began = dice.between(0, trouble * 500);
        let repeats = if dice.falls(200) { 2 } else { 1 };
        let items = usize::try_from(dice.between(0, ITEMS_MAX)).unwrap_or(0);
        for _ in 0..repeats {
            let at = Duration::from_millis(began + dice.between(0, 30_000) * (repeats - 1));
            self.acts.push((at, Act::Say(start(role, (&key, items), dice))));
        }
        self.acts.extend(meanwhile(role, &key, began, dice));
        self.started.push(Started { role: index, key, id });
    }

    fn trouble(&mut self, seconds: u64, dice: &mut Dice) {
        let pace = dice.between(2, 30);
        let mut at = 0;
        while at < seconds * 1000 {
            at += dice.between(100, pace * 1000);
            let slot = usize::try_from(dice.below(self.slots() as u64)).unwrap_or(0);
            // Orchestrators are what this is about.
            let slot = if dice.falls(400) { slot % self.orchestrators } else { slot };
            let act = match dice.below(10) {
                0..4 => Act::Order(slot, Order::Doom(Doom::Crash, i64::try_from(dice.below(40)).unwrap_or(0))),
                4..7 => Act::Order(slot, Order::Doom(Doom::Freeze, i64::try_from(dice.below(40)).unwrap_or(0))),
                7 => Act::Order(slot, Order::Stop),
                8 => Act::MoveLane(i32::try_from(dice.below(4)).unwrap_or(0) % self.lanes),
                _ => {
                    let up = at + dice.between(100, 8_000);
                    self.acts.push((Duration::from_millis(up), Act::Down(slot, false)));
                    Act::Down(slot, true)
                }
            };
            self.acts.push((Duration::from_millis(at), act));
        }
    }
}

/// What happens to a saga from the time on when it is known, milliseconds since the run began.
fn meanwhile(role: &Role, key: &str, began: u64, dice: &mut Dice) -> Vec<(Duration, Act)> {
    let mut acts = arrivals(role, key, began, dice);
    acts.extend(people(role.definition.saga_id(key), began, dice));
    acts
}

/// What happens to a sub-saga that a step has just asked for. Now and then somebody else starts one of the same key.
pub(crate) fn of_sub_saga(role: &Role, key: &str, now: Duration, dice: &mut Dice) -> Vec<(Duration, Act)> {
    let began = u64::try_from(now.as_millis()).unwrap_or(0);
    let mut acts = meanwhile(role, key, began, dice);
    if dice.falls(60) {
        let at = Duration::from_millis(began + dice.between(0, 500));
        let data = json!({
            "definition": role.definition.name(), "key": key, "data": role.start_data(key, 1).to_string(),
        });
        acts.push((at, Act::Say(command("StartSaga", data, format!("{key}/stranger").as_bytes(), dice))));
    }
    acts
}

/// What steps wait for: early, in time, twice, or never.
fn arrivals(role: &Role, key: &str, began: u64, dice: &mut Dice) -> Vec<(Duration, Act)> {
    let definition = &role.definition;
    let (mut said, mut acts) = (Vec::new(), Vec::new());
    for (step, topic, event) in definition.awaited_events() {
        said.push(Said {
            topic: topic.to_owned(),
            event: event.to_owned(),
            record_key: record_key(key, dice),
            about: key.to_owned(),
            data: role.arrival(step, key),
            user: None,
            id: Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{key}/{step}").as_bytes()),
        });
    }
    for (step, signal) in definition.awaited_signals() {
        let data = json!({
            "saga_id": null, "definition": definition.name(), "key": key, "signal": signal,
            "data": role.arrival(step, key).to_string(),
        });
        said.push(command("SignalSaga", data, format!("{key}/{step}").as_bytes(), dice));
    }
    for said in said {
        for _ in 0..dice.below(3) {
            let delay = match dice.below(3) {
                0 => dice.between(0, 1_000),
                1 => dice.between(0, 120_000),
                _ => dice.between(0, 40 * 3_600_000),
            };
            acts.push((Duration::from_millis(began + delay), Act::Say(said.clone())));
        }
    }
    acts
}

/// What people do to a saga.
fn people(id: SagaId, began: u64, dice: &mut Dice) -> Vec<(Duration, Act)> {
    let mut acts = Vec::new();
    let mut say = |kind: &str, after: u64, dice: &mut Dice| {
        let data = json!({
            "saga_id": id.as_uuid(), "definition": null, "key": null, "step": null, "reason": "because",
        });
        let act = Act::Say(command(kind, data, format!("{id}/{kind}/{after}").as_bytes(), dice));
        acts.push((Duration::from_millis(began + after), act));
    };
    if dice.falls(120) {
        let after = dice.between(0, 90_000);
        say("CancelSaga", after, dice);
    }
    if dice.falls(120) {
        let after = dice.between(0, 60_000);
        say("PauseSaga", after, dice);
        let later = after + dice.between(100, 600_000);
        say("ResumeSaga", later, dice);
    }
    if dice.falls(100) {
        let after = dice.between(0, 120_000);
        say("RetrySaga", after, dice);
    }
    acts
}

fn record_key(key: &str, dice: &mut Dice) -> String {
    if dice.falls(150) { format!("foreign {}", dice.below(100)) } else { key.to_owned() }
}

fn start(role: &Role, (key, items): (&str, usize), dice: &mut Dice) -> Said {
    let trigger = role.definition.start_events().next();
    let id = format!("{key}/start");
    match trigger {
        Some((topic, event)) if !dice.falls(100) => Said {
            topic: topic.to_owned(),
            event: event.to_owned(),
            record_key: record_key(key, dice),
            about: key.to_owned(),
            data: role.start_data(key, items),
            user: Some("ada"),
            id: Uuid::new_v5(&Uuid::NAMESPACE_OID, id.as_bytes()),
        },
        _ => {
            let data = json!({
                "definition": role.definition.name(), "key": key, "data": role.start_data(key, items).to_string(),
            });
            command("StartSaga", data, id.as_bytes(), dice)
        }
    }
}

/// A command to a saga, by somebody whose record key says nothing.
pub(crate) fn command(kind: &str, data: Value, name: &[u8], dice: &mut Dice) -> Said {
    Said {
        topic: saga::COMMANDS.to_owned(),
        event: kind.to_owned(),
        record_key: format!("somebody {}", dice.below(100)),
        about: "a saga".to_owned(),
        data,
        user: Some("ann"),
        id: Uuid::new_v5(&Uuid::NAMESPACE_OID, name),
    }
}
