//! A saga and the saga it starts, run together: what they say to each other comes late, twice and in any order, while
//! participants refuse and fall silent. In the end each knows what became of the other.
//!
//! Apart from the stories, in which one of the two is made up.

use std::sync::LazyLock;

use backstitch_saga::sub_saga::{self, CANCEL, START};
use backstitch_saga::{
    By, Command, Definition, Direction, Effect, Input, Parent, ParentCancel, Reply, Report, SagaId, Start, State,
    StepName, Timestamp, decide, evolve, react,
};
use proptest::prelude::{ProptestConfig, any, proptest};
use serde_json::{Value, json};
use uuid::Uuid;

fn parse(text: &str) -> Definition {
    backstitch_saga_yaml::parse("saga.yaml", text).unwrap_or_else(|error| panic!("{error}"))
}

const PARENT: &str = "
saga: tour
version: 1
deadline: 3d
steps:
  - name: hire-bus
    ask: buses.commands
    to: HireBus
    done_on: BusHired
    refused_on: NoBus
    on_rollback: { compensate: ReturnBus, done_on: BusReturned }
  - name: visit
    sub_saga: { start: museum-visit, with: {} }
    on_rollback: roll_back
    timeout: 2d
  - name: dine
    ask: inns.commands
    to: BookTable
    with: { bill: steps.visit.price }
    done_on: TableBooked
    refused_on: NoTableFree
    on_rollback: { compensate: CancelTable, with: {}, done_on: TableCancelled }
";

const CHILD: &str = "
saga: museum-visit
version: 1
deadline: 1d
steps:
  - name: book-guide
    ask: guides.commands
    to: BookGuide
    done_on: GuideBooked
    refused_on: NoGuideFree
    on_rollback: { compensate: FreeGuide, done_on: GuideFreed }
  - name: buy-tickets
    ask: tills.commands
    to: BuyTickets
    done_on: TicketsBought
    refused_on: SoldOut
    on_rollback: { compensate: ReturnTickets, done_on: TicketsReturned }
result: { price: 80 }
";

/// What becomes of a completed sub-saga, and whether there is a way back from it.
struct Kind {
    parent: Definition,
    child: Definition,
    is_rolled_back: bool,
}

static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    let stays = PARENT.replace("on_rollback: roll_back", "on_rollback: nothing");
    let pivot = CHILD.replace("{ compensate: ReturnTickets, done_on: TicketsReturned }", "pivot");
    vec![
        Kind { parent: parse(PARENT), child: parse(CHILD), is_rolled_back: true },
        Kind { parent: parse(&stays), child: parse(CHILD), is_rolled_back: false },
        Kind { parent: parse(&stays), child: parse(&pivot), is_rolled_back: false },
    ]
});

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Parent,
    Child,
}

/// Something on its way. Nothing is ever lost; participants may stay silent.
#[derive(Clone, Debug)]
enum Message {
    To(Who, Input),
    Asks(Who, Command),
}

struct Family<'k> {
    kind: &'k Kind,
    parent: State,
    child: State,
    now: Timestamp,
    on_its_way: Vec<Message>,
    story: Vec<String>,
}

impl<'k> Family<'k> {
    fn started(kind: &'k Kind) -> Self {
        let mut family = Self {
            kind,
            parent: State::NotStarted,
            child: State::NotStarted,
            now: Timestamp::from_micros(1_800_000_000_000_000),
            on_its_way: Vec::new(),
            story: Vec::new(),
        };
        family.feed(Who::Parent, &Input::Start(start("t-1", json!({}), None)));
        family
    }

    fn state(&mut self, who: Who) -> &mut State {
        match who {
            Who::Parent => &mut self.parent,
            Who::Child => &mut self.child,
        }
    }

    fn definition(&self, who: Who) -> &'k Definition {
        match who {
            Who::Parent => &self.kind.parent,
            Who::Child => &self.kind.child,
        }
    }

    fn feed(&mut self, who: Who, input: &Input) {
        let definition = self.definition(who);
        let now = self.now;
        let events = decide(definition, self.state(who), input, now);
        for event in &events {
            self.story.push(format!("{who:?} {}", event.kind()));
            let state = std::mem::take(self.state(who));
            *self.state(who) = evolve(state, event);
            for effect in react(definition, event) {
                self.on_its_way.extend(message(who, effect));
            }
        }
    }

    /// Whoever is asked answers, or the message arrives.
    fn deliver(&mut self, message: &Message, is_refused: bool) {
        match message {
            Message::To(who, input) => self.feed(*who, input),
            Message::Asks(who, command) => {
                if let Some(reply) = answer(self.definition(*who), command, is_refused) {
                    self.feed(*who, &Input::Reply(reply));
                }
            }
        }
    }

    /// Time passes until the next thing is due for this one.
    fn ring(&mut self, who: Who) -> bool {
        let Some(at) = self.state(who).next_deadline() else { return false };
        self.now = self.now.max(at);
        let now = self.now;
        for input in self.state(who).due(now) {
            self.feed(who, &input);
        }
        true
    }

    fn step(&mut self, choice: u16) {
        let how = choice % 8;
        let place = usize::from(choice / 8);
        let who = if place.is_multiple_of(2) { Who::Parent } else { Who::Child };
        match how {
            0 if place.is_multiple_of(7) => self.feed(who, &Input::Cancel { by: By::who("ann") }),
            1 if place.is_multiple_of(3) => {
                self.ring(who);
            }
            _ if self.on_its_way.is_empty() => {}
            // It comes, and will come again.
            2 => {
                let message = self.on_its_way[place % self.on_its_way.len()].clone();
                self.deliver(&message, false);
            }
            _ => {
                let message = self.on_its_way.remove(place % self.on_its_way.len());
                self.deliver(&message, how == 3);
            }
        }
    }

    /// Everything that is on its way arrives, and then time passes, until nothing happens any more.
    fn settle(&mut self) {
        for _ in 0..2_000 {
            if !self.on_its_way.is_empty() {
                let message = self.on_its_way.remove(0);
                self.deliver(&message, false);
            } else if !self.ring(Who::Child) && !self.ring(Who::Parent) {
                return;
            }
        }
        panic!("it does not end\n{}", self.story.join("\n"));
    }

    fn check(&self) {
        let (parent, child) = (self.parent.status(), self.child.status());
        let never = matches!(child, "not_started" | "refused" | "rolled_back");
        let right = match parent {
            "completed" => child == "completed",
            // What stays may have completed, or asks for a person where its pivot fell silent.
            "rolled_back" => never || (matches!(child, "completed" | "stuck") && !self.kind.is_rolled_back),
            _ => false,
        };
        assert!(right, "the parent is {parent} and the child {child}\n{}", self.story.join("\n"));
    }
}

fn start(key: &str, data: Value, parent: Option<Parent>) -> Start {
    Start {
        key: key.to_owned(),
        data: data.into(),
        started_by: None,
        event_id: Uuid::from_u128(1),
        correlation_id: Uuid::from_u128(2),
        user_id: None,
        parent,
    }
}

/// What an orchestrator makes of an effect.
fn message(who: Who, effect: Effect) -> Option<Message> {
    match effect {
        Effect::Emit(_) => None,
        Effect::Report(report) => Some(Message::To(Who::Parent, Input::Reply(heard(report)))),
        Effect::Send(command) if command.topic == sub_saga::TOPIC => Some(Message::To(Who::Child, asked(&command))),
        Effect::Send(command) => Some(Message::Asks(who, command)),
    }
}

fn asked(command: &Command) -> Input {
    let text = |name: &str| command.payload[name].as_str().unwrap_or_default().to_owned();
    let saga = text("parent_id").parse().map(SagaId::from_uuid).unwrap_or(command.saga);
    let step = StepName::from(text("parent_step").as_str());
    let parent = Parent { saga, definition: text("parent_definition"), key: text("parent_key"), step };
    match command.command_type.as_str() {
        START => Input::Start(start(&text("key"), json!({}), Some(parent))),
        CANCEL => {
            let completed_too = command.payload["completed_too"] == true;
            Input::CancelByParent(ParentCancel { parent, key: text("key"), completed_too, reason: None })
        }
        other => panic!("nobody says {other} to a saga"),
    }
}

fn heard(report: Report) -> Reply {
    Reply {
        topic: sub_saga::TOPIC.to_owned(),
        event_type: report.answer.event_type().to_owned(),
        event_version: 1,
        event_id: report.id,
        causation_id: None,
        answers_try: None,
        aggregate_id: report.parent.step.to_string(),
        data: report.result,
    }
}

/// A participant's answer; compensations are never refused.
fn answer(definition: &Definition, command: &Command, is_refused: bool) -> Option<Reply> {
    let expected = definition.expected_answers(&command.step, command.direction)?;
    let is_refused = is_refused && command.direction == Direction::Forward;
    let events = if is_refused { expected.refused } else { expected.done };
    let event_type = events.into_iter().next()?;
    Some(Reply {
        topic: expected.topic,
        event_id: Uuid::new_v5(&command.id.as_uuid(), event_type.as_bytes()),
        event_type,
        event_version: 1,
        causation_id: Some(command.id.as_uuid()),
        answers_try: Some(command.try_number),
        aggregate_id: command.key.clone(),
        data: json!({}),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_saga_and_its_sub_saga_agree_how_it_ended_whatever_happens(
        choices in proptest::collection::vec(any::<u16>(), 0..60),
    ) {
        for kind in KINDS.iter() {
            let mut family = Family::started(kind);
            choices.iter().for_each(|choice| family.step(*choice));
            family.settle();
            family.check();
        }
    }
}

#[test]
fn a_family_that_nothing_happens_to_completes() {
    for kind in KINDS.iter() {
        let mut family = Family::started(kind);
        family.settle();
        assert_eq!((family.parent.status(), family.child.status()), ("completed", "completed"));
    }
}
