//! The suite that every participant must pass: what the library promises for it, tried with its own commands, and what
//! is left to its author. For tests: it panics where the contract is broken, in words.
//!
//! Here, and not with the stories of the library, since it is for the services, ours and yours.

mod desk;

use std::collections::BTreeSet;
use std::sync::Arc;

use backstitch_contracts::{Catalog, Decoder, Encoder, Envelope, SchemaError};
use backstitch_processor::Caller;
use serde_json::Value;

use crate::note::Standing;
use crate::{Participant, Settings};
use desk::{Desk, Memory};

/// Any: there is no registry.
const SCHEMA_ID: u32 = 1;

/// A command as it comes from a topic.
#[derive(Debug, Clone)]
pub struct Ask {
    topic: String,
    command: String,
    key: String,
    data: Value,
}

impl Ask {
    /// A command of this type, on this topic, about the flow of this key.
    #[must_use]
    pub fn new(topic: &str, command: &str, key: &str, data: Value) -> Self {
        Self { topic: topic.to_owned(), command: command.to_owned(), key: key.to_owned(), data }
    }
}

/// A participant and what it is tried with.
pub struct Trial<P: Participant> {
    participant: Arc<P>,
    settings: Arc<Settings>,
    decoder: Decoder,
    caller: Option<Box<dyn Caller>>,
    before: Vec<Ask>,
    forward: Ask,
    compensation: Option<Ask>,
}

impl<P: Participant> Trial<P> {
    /// A forward command that the participant does, and does not refuse, once all that is told with
    /// [`Trial::before`] has come. What it publishes has to fit the topic `events`, as the catalog has it.
    ///
    /// # Panics
    /// When the catalog has no such topic, or its schemas are no good.
    #[must_use]
    pub fn of(participant: P, catalog: &Catalog, events: &str, forward: Ask) -> Self {
        let schema = catalog.topic(events).and_then(|topic| topic.schema.as_deref());
        let schema = schema.unwrap_or_else(|| panic!("the catalog has no schema of the topic `{events}`"));
        let decoder = good(Decoder::new(catalog));
        good(decoder.learn(SCHEMA_ID, schema));
        let encoder = good(Encoder::new(schema, SCHEMA_ID));
        let source = events.strip_suffix(".events").unwrap_or(events);
        let settings = Arc::new(Settings::new(source, events, encoder));
        let participant = Arc::new(participant);
        Self { participant, settings, decoder, caller: None, before: Vec::new(), forward, compensation: None }
    }

    /// The compensation of that command.
    #[must_use]
    pub fn undone_by(mut self, compensation: Ask) -> Self {
        self.compensation = Some(compensation);
        self
    }

    /// A message that comes before everything: a delivery of stock, say. Several come in this order.
    #[must_use]
    pub fn before(mut self, message: Ask) -> Self {
        self.before.push(message);
        self
    }

    /// What makes its external calls ([`crate::CallsOf`]); each must be answered at once, and always the same.
    #[must_use]
    pub fn calling(mut self, caller: impl Caller) -> Self {
        self.caller = Some(Box::new(caller));
        self
    }
}

/// Tries a participant with everything that may happen to a command and its compensation: they are repeated, come in the
/// wrong order, come from senders without our headers, and while an external call is open; each time with a memory, with a
/// restart before every message, and with a restart from snapshots.
///
/// # Panics
/// Where the contract is broken, saying how.
pub fn keeps_the_contract<P: Participant>(trial: &Trial<P>) {
    unknown_commands_are_rejected(trial);
    let first = a_repeat_is_told_the_same(trial, Memory::Keeps);
    for memory in Memory::ALL {
        let told = a_repeat_is_told_the_same(trial, memory);
        assert_eq!(
            told, first,
            "{}: decided again, it is answered otherwise: a decision has no clock and no chance of its own, and what it \
             knows is in its stream",
            trial.forward.command
        );
        if let Some(compensation) = &trial.compensation {
            belong_together(trial, compensation);
            let undone = what_was_done_is_undone_once(trial, compensation, memory);
            what_never_came_is_undone_and_stays_away(trial, compensation, memory, (&told, &undone));
            undone_without_our_headers(trial, compensation, memory, &undone);
            a_compensation_waits_for_an_open_call(trial, compensation, memory);
        }
    }
}

fn good<T>(read: Result<T, SchemaError>) -> T {
    read.unwrap_or_else(|error| panic!("a schema is no good: {error}"))
}

fn types(told: &[Envelope]) -> BTreeSet<&str> {
    told.iter().map(|envelope| envelope.event_type.as_str()).collect()
}

fn unknown_commands_are_rejected<P: Participant>(trial: &Trial<P>) {
    let strange = Ask { command: "SomethingNobodyHandles".to_owned(), ..trial.forward.clone() };
    let route = trial.participant.route(&desk::message(&strange, desk::FORWARD, &[]));
    assert!(
        route.is_err(),
        "a command that nobody handles is passed over on `{}`: it should become a dead letter, so that whoever sent it \
         learns of it (`Rejection::unknown_command`)",
        strange.topic
    );
}

fn belong_together<P: Participant>(trial: &Trial<P>, compensation: &Ask) {
    let (forward, back) = (&trial.forward, compensation);
    let stream = |ask: &Ask| match trial.participant.route(&desk::message(ask, desk::FORWARD, &[])) {
        Ok(route) => (route.stream().cloned(), undoes(&route)),
        Err(rejection) => panic!("{}: it is rejected: {rejection}", ask.command),
    };
    let ((there, _), (here, undoes)) = (stream(forward), stream(back));
    assert_eq!(
        there, here,
        "{} and {} are about different streams: neither would know of the other",
        forward.command, back.command
    );
    assert_eq!(
        undoes.as_deref(),
        Some(forward.command.as_str()),
        "{} is not routed as the compensation of {}",
        back.command,
        forward.command
    );
}

fn undoes<P: Participant>(route: &crate::Route<P>) -> Option<String> {
    match route {
        crate::Route::Compensation { undoes, .. } => Some((*undoes).to_owned()),
        _ => None,
    }
}

fn a_repeat_is_told_the_same<P: Participant>(trial: &Trial<P>, memory: Memory) -> Vec<Envelope> {
    let name = &trial.forward.command;
    let mut desk = Desk::opened(trial, memory);
    let told = desk.forward(1);
    let standing = desk.standing();
    assert!(
        standing == Some(Standing::Done),
        "{name}: it is to be done, and is {}; say with `before` what must be there",
        standing.map_or("not answered", Standing::label)
    );
    assert!(!told.is_empty(), "{name}: it is done, and nothing is published: whoever asked would wait for ever");
    for answer in &told {
        let about = (answer.causation_id, answer.event_type.as_str());
        assert_eq!(about.0, Some(desk::FORWARD), "{name}: `{}` does not say what caused it", about.1);
    }
    let before = desk.events();
    for attempt in [1, 2] {
        assert_eq!(desk.forward(attempt), told, "{name}: repeated (try {attempt}), it is answered with other events");
        assert_eq!(desk.events(), before, "{name}: repeated (try {attempt}), it is done again");
    }
    told
}

fn what_was_done_is_undone_once<P: Participant>(trial: &Trial<P>, compensation: &Ask, memory: Memory) -> Vec<Envelope> {
    let name = &compensation.command;
    let mut desk = Desk::opened(trial, memory);
    let told = desk.forward(1);
    let undone = desk.back(compensation);
    assert!(!undone.is_empty(), "{name}: it is undone, and nothing is published: the rollback would wait for ever");
    let before = desk.events();
    assert_eq!(desk.back(compensation), undone, "{name}: repeated, it is answered with other events");
    assert_eq!(
        desk.forward(1),
        told,
        "{}: repeated after its compensation, it is answered otherwise",
        trial.forward.command
    );
    assert_eq!(desk.events(), before, "{name}: repeats after it are done again");
    undone
}

fn what_never_came_is_undone_and_stays_away<P: Participant>(
    trial: &Trial<P>,
    compensation: &Ask,
    memory: Memory,
    (done, undone): (&[Envelope], &[Envelope]),
) {
    let (forward, back) = (&trial.forward.command, &compensation.command);
    let mut desk = Desk::opened(trial, memory);
    let nothing = desk.back(compensation);
    assert_eq!(
        types(&nothing),
        types(undone),
        "{back}: of what never happened, it is answered with other events than else (`nothing_to_undo`): a saga would \
         not know that it is undone"
    );
    let late = desk.forward(1);
    assert!(!late.is_empty(), "{forward}: it came after its compensation, and is not answered (`refuse_late`)");
    assert!(
        types(&late).is_disjoint(&types(done)),
        "{forward}: it came after its compensation, and is answered as if it were done (`refuse_late`): {:?}",
        types(&late)
    );
    assert_eq!(desk.forward(2), late, "{forward}: refused after its compensation, a higher try is answered otherwise");
    assert_eq!(desk.back(compensation), nothing, "{back}: repeated after a late {forward}, it is answered otherwise");
}

/// Whoever sets none of our headers is understood by the types.
fn undone_without_our_headers<P: Participant>(
    trial: &Trial<P>,
    compensation: &Ask,
    memory: Memory,
    undone: &[Envelope],
) {
    let mut desk = Desk::opened(trial, memory);
    desk.forward(1);
    let told = desk.back_by_a_stranger(compensation);
    assert_eq!(
        types(&told),
        types(undone),
        "{}: from a sender without our headers, it is not understood",
        compensation.command
    );
}

fn a_compensation_waits_for_an_open_call<P: Participant>(trial: &Trial<P>, compensation: &Ask, memory: Memory) {
    let mut desk = Desk::opened(trial, memory);
    desk.forward_alone(1);
    if !desk.has_open_calls() {
        return;
    }
    let (forward, back) = (&trial.forward.command, &compensation.command);
    let early = desk.back_alone(compensation);
    assert!(early.is_empty(), "{back}: it is answered while a call of {forward} is open, whose outcome nobody knows");
    let told = desk.calls_are_answered();
    let answered = |id| told.iter().any(|answer| answer.causation_id == Some(id));
    assert!(answered(desk::FORWARD), "{forward}: its call's outcome is known, and it is not answered");
    assert!(answered(desk::BACK), "{back}: it waited for a call of {forward}, and is never answered");
}
