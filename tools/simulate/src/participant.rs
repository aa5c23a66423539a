//! The participant of every topic: it does, refuses, asks for another try, or takes its time, as the seed says. All that
//! the contract of participants asks for is left to `backstitch-participant`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backstitch_contracts::headers;
use backstitch_event_store::StreamId;
use backstitch_participant::{
    Answer as Answered, Calls, Changes, DomainEvent, Intent, Nothing, Participant, Route, View, Visibility,
};
use backstitch_processor::{Message, Rejection};
use backstitch_saga::StepName;
use chrono::TimeDelta;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::cast::{Answer, Deed, Part};
use crate::dice::Dice;
use crate::life::Life;
use crate::world::World;

/// Private events: what was really done, for the books.
pub(crate) const DID: &str = "Did";
pub(crate) const UNDID: &str = "Undid";

/// Longest time that an errand takes, milliseconds.
pub(crate) const ERRAND_MAX: u64 = 400_000;

/// Plays one [`Part`]. With `SHARES`, flows also want units of a few shared stocks.
pub(crate) struct Player<const SHARES: bool> {
    pub(crate) part: Arc<Part>,
    pub(crate) world: Arc<World>,
}

/// How often each command was done and not undone, for each item by itself.
pub(crate) type Books = BTreeMap<String, i64>;

/// Any event of a participant.
#[derive(Debug, Clone)]
pub(crate) struct Happening {
    event: String,
    data: Value,
}

impl Serialize for Happening {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(&self.event, &self.data)])
    }
}

impl<'de> Deserialize<'de> for Happening {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Map::<String, Value>::deserialize(deserializer)?;
        let (event, data) = fields.into_iter().next().ok_or_else(|| D::Error::custom("no event"))?;
        Ok(Self { event, data })
    }
}

impl DomainEvent for Happening {
    fn visibility(&self) -> Visibility {
        match self.event.as_str() {
            DID | UNDID => Visibility::Private,
            _ => Visibility::Published,
        }
    }
}

/// A command, as far as the players care.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Asked {
    command: String,
    key: String,
    /// The item that the step is done for.
    item: Option<u32>,
}

/// The line that a command has in the books.
pub(crate) fn line(command: &str, item: Option<u32>) -> String {
    item.map_or_else(|| command.to_owned(), |item| format!("{command}/{item}"))
}

/// The command and the item of a line in the books.
pub(crate) fn of_line(line: &str) -> (&str, Option<u32>) {
    line.split_once('/').map_or((line, None), |(command, item)| (command, item.parse().ok()))
}

/// What will come of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fate {
    Done,
    Refused,
    AskAgain,
}

/// Something that takes time.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Errand {
    millis: u64,
    fate: Fate,
}

/// What was done takes itself back, unless it was undone meanwhile.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Expiry {
    asked: Asked,
}

impl<const SHARES: bool> Player<SHARES> {
    fn fate(&self, deed: &Deed, dice: &mut Dice) -> Fate {
        let chances = match deed.undoes {
            None => [120, 100],
            Some(_) => [20, 100],
        };
        if deed.refused.is_some() && dice.falls(chances[0]) {
            Fate::Refused
        } else if deed.ask_again.is_some() && dice.falls(chances[1]) && !self.world.is_calm() {
            Fate::AskAgain
        } else {
            Fate::Done
        }
    }

    fn begin(&self, asked: &Asked, view: &View<'_, Self>) -> Answered<Self> {
        let Some(deed) = self.part.deeds.get(&asked.command) else { return Answered::Refused(Changes::none()) };
        let mut dice = self.world.dice(&format!("{}/{}", view.id, view.attempt));
        let fate = self.fate(deed, &mut dice);
        if !dice.falls(300) {
            return self.settle(asked, fate, view);
        }
        let millis = match dice.below(4) {
            0 => dice.between(1, 200),
            1 => dice.between(200, 10_000),
            2 => dice.between(10_000, 60_000),
            _ => dice.between(60_000, ERRAND_MAX),
        };
        Answered::call(Errand { millis: if self.world.is_calm() { millis.min(200) } else { millis }, fate })
    }

    fn settle(&self, asked: &Asked, fate: Fate, view: &View<'_, Self>) -> Answered<Self> {
        let Some(deed) = self.part.deeds.get(&asked.command) else { return Answered::Refused(Changes::none()) };
        let say = |answer: &Answer| Changes::of(happening(answer, asked));
        match (fate, &deed.refused, &deed.ask_again) {
            (Fate::Refused, Some(refused), _) => Answered::Refused(say(refused)),
            (Fate::AskAgain, _, Some(again)) => Answered::Retryable(say(again)),
            _ => Answered::Done(match deed.undoes {
                Some(undone) if balance(view.state, &line(undone, asked.item)) == 0 => say(&deed.done),
                Some(undone) => Self::booked(say(&deed.done), UNDID, undone, asked, view),
                None => {
                    let mut dice = self.world.dice(&format!("{}/truth", view.id));
                    let data = deed.done.somehow(&asked.key, asked.item, &mut dice);
                    let said = Changes::of(Happening { event: deed.done.event.clone(), data });
                    self.with_expiry(deed, asked, Self::booked(said, DID, &asked.command, asked, view), view)
                }
            }),
        }
    }

    fn booked(said: Changes<Self>, what: &str, command: &str, asked: &Asked, view: &View<'_, Self>) -> Changes<Self> {
        let data = json!({"command": line(command, asked.item), "by": view.id, "try": view.attempt});
        let event = Happening { event: what.to_owned(), data };
        let changes = said.and(event.clone());
        if SHARES { changes.on(stock(&asked.key), event) } else { changes }
    }

    fn with_expiry(&self, deed: &Deed, asked: &Asked, done: Changes<Self>, view: &View<'_, Self>) -> Changes<Self> {
        let mut dice = self.world.dice(&format!("{}/expiry", view.id));
        if deed.undone.is_none() || !dice.falls(150) {
            return done;
        }
        let after = TimeDelta::milliseconds(i64::try_from(dice.between(100, 120_000)).unwrap_or(1_000));
        done.timer(&line(&asked.command, asked.item), view.now + after, Expiry { asked: asked.clone() })
    }
}

fn happening(answer: &Answer, asked: &Asked) -> Happening {
    Happening { event: answer.event.clone(), data: answer.about(&asked.key, asked.item) }
}

fn balance(books: &Books, line: &str) -> i64 {
    books.get(line).copied().unwrap_or(0)
}

/// One of three, so that lanes meet there.
fn stock(key: &str) -> StreamId {
    StreamId::of("stock", key.bytes().map(u32::from).sum::<u32>() % 3)
}

impl<const SHARES: bool> Participant for Player<SHARES> {
    type State = Books;
    type Shared = i64;
    type Event = Happening;
    type Command = Asked;
    type Heard = Nothing;
    type Timer = Expiry;
    type Call = Errand;
    type Outcome = Fate;

    const SHARES: bool = SHARES;

    fn aggregate_type(&self, _stream: &StreamId) -> &'static str {
        "Flow"
    }

    fn route(&self, message: &Message) -> Result<Route<Self>, Rejection> {
        let command = &message.envelope.event_type;
        let Some((name, deed)) = self.part.deeds.get_key_value(command) else {
            return Err(Rejection::unknown_command(command));
        };
        let key = message.envelope.aggregate_id.clone();
        let stream = StreamId::of("flow", &key);
        let item = message.delivery.header_text(headers::SAGA_STEP).and_then(|step| StepName::from(step).item());
        let command = Asked { command: name.clone(), key, item };
        Ok(match deed.undoes {
            Some(undoes) => Route::Compensation { command, stream, undoes },
            None => Route::Command { command, stream },
        })
    }

    fn evolve(&self, books: &mut Books, event: &Happening) {
        let command = || event.data["command"].as_str().unwrap_or_default().to_owned();
        match event.event.as_str() {
            DID => *books.entry(command()).or_default() += 1,
            UNDID => *books.entry(command()).or_default() -= 1,
            _ => {}
        }
    }

    fn evolve_shared(&self, taken: &mut i64, event: &Happening) {
        *taken += if event.event == DID { 1 } else { -1 };
    }

    fn shared_streams(&self, intent: Intent<'_, Self>, _books: &Books) -> Vec<StreamId> {
        let key = match intent {
            Intent::Command(asked) | Intent::Compensation(asked) | Intent::Answered(asked) => &asked.key,
            Intent::Timer(expiry) => &expiry.asked.key,
            Intent::Event(never) => match *never {},
        };
        if SHARES { vec![stock(key)] } else { Vec::new() }
    }

    fn decide(&self, command: &Asked, view: &View<'_, Self>) -> Answered<Self> {
        self.begin(command, view)
    }

    fn compensate(&self, command: &Asked, view: &View<'_, Self>) -> Answered<Self> {
        self.begin(command, view)
    }

    fn nothing_to_undo(&self, command: &Asked, _view: &View<'_, Self>) -> Changes<Self> {
        let deed = self.part.deeds.get(&command.command);
        deed.map_or_else(Changes::none, |deed| Changes::of(happening(&deed.done, command)))
    }

    fn refuse_late(&self, command: &Asked, _view: &View<'_, Self>) -> Changes<Self> {
        let refused = self.part.deeds.get(&command.command).and_then(|deed| deed.refused.as_ref());
        refused.map_or_else(Changes::none, |refused| Changes::of(happening(refused, command)))
    }

    fn answered(&self, command: &Asked, outcome: &Fate, view: &View<'_, Self>) -> Answered<Self> {
        self.settle(command, *outcome, view)
    }

    fn wake(&self, expiry: &Expiry, view: &View<'_, Self>) -> Changes<Self> {
        let asked = &expiry.asked;
        let undone = self.part.deeds.get(&asked.command).and_then(|deed| deed.undone.as_ref());
        match undone {
            Some(undone) if balance(view.state, &line(&asked.command, asked.item)) > 0 => {
                Self::booked(Changes::of(happening(undone, asked)), UNDID, &asked.command, asked, view)
            }
            _ => Changes::none(),
        }
    }
}

/// Runs errands: they take their time, and come out as the seed has said.
pub(crate) struct Errands(pub(crate) Arc<Life>);

#[async_trait]
impl Calls for Errands {
    type Call = Errand;
    type Outcome = Fate;

    async fn call(&self, _key: &str, errand: Errand) -> Fate {
        self.0.point("call").await;
        tokio::time::sleep(Duration::from_millis(errand.millis)).await;
        self.0.point("called").await;
        errand.fate
    }
}
