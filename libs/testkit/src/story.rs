//! A saga's story, told in the words of the business.
//!
//! Separate because this is the one place that touches the engine's API: a changed engine changes this file, not the
//! stories. Every input also proves that the journal folds back to the same state and survives its formats.

use std::time::Duration;

use backstitch_saga::{
    By, Command, Definition, Direction, Effect, Event, Input, Move, Parent, ParentCancel, Reply, SagaId, Signal, Start,
    StartedBy, State, StepName, Timestamp, Unsendable, Waiting, decide_move, decide_without, evolve, migrate::moved_to,
    react,
};
use serde_json::Value;
use uuid::Uuid;

use crate::checks;
use crate::participant::{self, Says};
use crate::specimen::Specimen;
use crate::transcript;

/// When every story begins.
const BEGINNING: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

/// A story being told.
#[derive(Clone, Debug)]
pub struct Story {
    pub(crate) specimen: Specimen,
    pub(crate) id: SagaId,
    pub(crate) key: String,
    pub(crate) now: Timestamp,
    pub(crate) state: State,
    pub(crate) journal: Vec<Event>,
    pub(crate) sent: Vec<Command>,
    pub(crate) heard: Vec<Reply>,
    pub(crate) unsendable: Vec<Unsendable>,
    /// Everything that was fed, if somebody asks for it.
    pub(crate) fed: Option<Vec<(Timestamp, Input)>>,
    lines: Vec<String>,
}

/// A saga that was just started.
pub fn started(specimen: &Specimen) -> Story {
    let mut story = Story::before_start(specimen);
    story.start();
    story
}

/// A saga that was just started, and whose step cannot be sent what it is to be asked.
pub fn started_without(specimen: &Specimen, step: &str) -> Story {
    let mut story = Story::before_start(specimen).cannot_send(step);
    story.start();
    story
}

/// A saga that was cancelled before anybody heard of it.
pub fn cancelled_before_start(specimen: &Specimen, who: &str) -> Story {
    Story::before_start(specimen).cancelled(who)
}

/// A sub-saga whose parent wanted it rolled back before anybody heard of it.
///
/// # Panics
/// When the saga is no sub-saga.
pub fn rolled_back_before_start(specimen: &Specimen) -> Story {
    Story::before_start(specimen).rolled_back_by_its_parent()
}

fn stranger() -> Parent {
    let (definition, key) = ("stranger".to_owned(), "stranger-1".to_owned());
    Parent { saga: SagaId::derive(&definition, &key), definition, key, step: StepName::from("child") }
}

impl Story {
    /// A saga nobody has heard of.
    pub(crate) fn before_start(specimen: &Specimen) -> Self {
        let definition = specimen.definition();
        let key = specimen.key();
        Self {
            specimen: specimen.clone(),
            id: definition.saga_id(&key),
            key,
            now: BEGINNING,
            state: State::NotStarted,
            journal: Vec::new(),
            sent: Vec::new(),
            heard: Vec::new(),
            unsendable: Vec::new(),
            fed: None,
            lines: Vec::new(),
        }
    }

    /// What starts this saga.
    pub(crate) fn start_input(&self) -> Input {
        let trigger = self.specimen.definition().start_events().next().filter(|_| self.specimen.parent().is_none());
        Input::Start(Start {
            key: self.key.clone(),
            data: self.specimen.start_data().clone().into(),
            started_by: trigger
                .map(|(topic, event)| StartedBy { topic: topic.to_owned(), event_type: event.to_owned() }),
            event_id: Uuid::new_v5(&self.id.as_uuid(), b"trigger"),
            correlation_id: Uuid::new_v5(&self.id.as_uuid(), b"flow"),
            user_id: None,
            parent: self.specimen.parent().cloned(),
        })
    }

    pub(crate) fn start(&mut self) {
        let input = self.start_input();
        self.feed(&input);
    }

    /// Gives the engine an input, as a shell would; true when it had an effect.
    pub(crate) fn feed(&mut self, input: &Input) -> bool {
        if let Some(fed) = &mut self.fed {
            fed.push((self.now, input.clone()));
        }
        let definition = self.specimen.definition();
        let events = decide_without(definition, &self.state, input, self.now, &self.unsendable);
        let had_effect = !events.is_empty();
        self.take(&events);
        if let Input::Reply(reply) = input
            && had_effect
        {
            self.heard.push(reply.clone());
        }
        had_effect
    }

    fn take(&mut self, events: &[Event]) {
        for event in events {
            self.state = evolve(std::mem::take(&mut self.state), event);
            let effects = react(self.specimen.definition(), event);
            self.lines.extend(transcript::lines(event, &effects));
            self.sent.extend(effects.into_iter().filter_map(|effect| match effect {
                Effect::Send(command) => Some(command),
                Effect::Emit(_) | Effect::Report(_) => None,
            }));
        }
        self.journal.extend(events.iter().cloned());
        checks::survives_its_formats(events, &self.state);
    }

    /// Somebody wants it to go on under another definition of its name.
    #[must_use]
    pub fn moved_to(mut self, other: &Specimen, who: &str) -> Self {
        let (definition, by) = (other.definition(), By::who(who));
        let wish = Move { hash: definition.hash(), to: Some(definition), by: &by };
        let events = decide_move(self.specimen.definition(), &wish, &self.state, self.now, &self.unsendable);
        if events.iter().any(|event| moved_to(event).is_some()) {
            self.specimen = other.clone();
        }
        self.take(&events);
        self
    }

    /// The same message again.
    #[must_use]
    pub fn started_again(mut self) -> Self {
        self.start();
        self
    }

    /// From now on, what this step is asked fits no schema.
    #[must_use]
    pub fn cannot_send(self, step: &str) -> Self {
        self.without(step, Direction::Forward)
    }

    /// From now on, the compensation of this step fits no schema.
    #[must_use]
    pub fn cannot_send_undoing(self, step: &str) -> Self {
        self.without(step, Direction::Compensate)
    }

    /// What fits the schemas is sent again: a schema was registered, or the definition mended.
    #[must_use]
    pub fn can_send_again(mut self) -> Self {
        self.unsendable.clear();
        self
    }

    /// The same for the one at this place among all that could ever be sent.
    pub(crate) fn without_one_of_all(self, place: usize) -> Self {
        let steps = self.specimen.definition().step_names();
        let steps: Vec<String> = steps.flat_map(|step| [step.to_string(), format!("{step}/0")]).collect();
        let step = &steps[place / 2 % steps.len()];
        self.without(step, if place.is_multiple_of(2) { Direction::Forward } else { Direction::Compensate })
    }

    fn without(mut self, step: &str, direction: Direction) -> Self {
        let (step, reason) = (StepName::from(step), "it fits no schema".to_owned());
        self.unsendable.push(Unsendable { step, direction, reason });
        self
    }

    /// Its turn at its participant came.
    #[must_use]
    pub fn turn(mut self, step: &str) -> Self {
        self.give_turn(&StepName::from(step));
        self
    }

    /// The turns of all that wait for one came, in order.
    #[must_use]
    pub fn turns(mut self) -> Self {
        while let Some(step) = self.next_turn() {
            self.give_turn(&step);
        }
        self
    }

    fn next_turn(&self) -> Option<StepName> {
        let mut open = self.state.open().iter();
        open.find(|open| matches!(open.waiting, Waiting::Turn { .. })).map(|open| open.step.clone())
    }

    pub(crate) fn give_turn(&mut self, step: &StepName) {
        let direction = self.state.direction().unwrap_or(Direction::Forward);
        self.feed(&Input::Turn { step: step.clone(), direction });
    }

    /// The participant did it.
    #[must_use]
    pub fn done(self, step: &str) -> Self {
        self.answered(step, Direction::Forward, Says::Done)
    }

    /// The participant said no.
    #[must_use]
    pub fn refused(self, step: &str) -> Self {
        self.answered(step, Direction::Forward, Says::Refused)
    }

    /// The participant asked for another try, and the time for it came.
    #[must_use]
    pub fn asks_for_another_try(self, step: &str) -> Self {
        self.answered(step, Direction::Forward, Says::AskAgain).waited_for(step)
    }

    /// The participant asked for another try; the time for it has not come.
    #[must_use]
    pub fn answers_try_later(self, step: &str) -> Self {
        self.answered(step, Direction::Forward, Says::AskAgain)
    }

    /// The participant took it back.
    #[must_use]
    pub fn undone(self, step: &str) -> Self {
        self.answered(step, Direction::Compensate, Says::Done)
    }

    /// The participant will not take it back.
    #[must_use]
    pub fn undoing_refused(self, step: &str) -> Self {
        self.answered(step, Direction::Compensate, Says::Refused)
    }

    /// The participant did it and sets none of our headers.
    #[must_use]
    pub fn done_by_a_foreigner(mut self, step: &str) -> Self {
        let reply = participant::foreign(self.answer(step, Direction::Forward, Says::Done));
        self.feed(&Input::Reply(reply));
        self
    }

    /// The step was taken back by itself.
    #[must_use]
    pub fn taken_back(mut self, step: &str) -> Self {
        let reply = participant::undone(&self.specimen, self.id, &StepName::from(step));
        let reply = reply.unwrap_or_else(|| panic!("nothing takes `{step}` back by itself"));
        self.feed(&Input::Reply(reply));
        self
    }

    /// No answer came in time; if it may be asked again, it was.
    #[must_use]
    pub fn silence(mut self, step: &str) -> Self {
        self.ring(step);
        self.waited_for(step)
    }

    /// Everything that was said and had an effect is said again.
    #[must_use]
    pub fn everything_repeated(mut self) -> Self {
        for reply in self.heard.clone() {
            self.feed(&Input::Reply(reply));
        }
        self
    }

    /// An event, whatever it means.
    #[must_use]
    pub fn event(mut self, topic: &str, event_type: &str, data: Value) -> Self {
        let event_id = Uuid::new_v5(&self.id.as_uuid(), format!("{event_type}/{}", self.heard.len()).as_bytes());
        self.feed(&Input::Reply(Reply {
            topic: topic.to_owned(),
            event_type: event_type.to_owned(),
            event_version: 1,
            event_id,
            causation_id: None,
            answers_try: None,
            aggregate_id: self.key.clone(),
            data,
        }));
        self
    }

    /// Somebody sent a signal.
    #[must_use]
    pub fn signalled(mut self, name: &str, data: Value) -> Self {
        self.feed(&Input::Signal(Signal { name: name.to_owned(), data, by: By::who("ann") }));
        self
    }

    /// What a step waits for came, whether the step is there already or not.
    #[must_use]
    pub fn arrives(mut self, step: &str) -> Self {
        let input = participant::arrival(&self.specimen, self.id, &StepName::from(step));
        let input = input.unwrap_or_else(|| panic!("`{step}` waits for nothing"));
        self.feed(&input);
        self
    }

    /// Time passed, and everything that became due was dealt with.
    #[must_use]
    pub fn time_passes(mut self, span: Duration) -> Self {
        self.now = self.now.plus(span);
        while let Some(input) = self.state.due(self.now).first() {
            let input = input.clone();
            assert!(self.feed(&input), "a timer that is due must have an effect: {input:?}");
        }
        self
    }

    /// Somebody cancelled it.
    #[must_use]
    pub fn cancelled(mut self, who: &str) -> Self {
        self.feed(&Input::Cancel { by: By::who(who) });
        self
    }

    /// The step that started it wants it rolled back, as long as it has not completed.
    ///
    /// # Panics
    /// When the saga is no sub-saga.
    #[must_use]
    pub fn stopped_by_its_parent(mut self) -> Self {
        self.cancel_by_parent(false);
        self
    }

    /// The step that started it wants it rolled back, even if it has completed.
    ///
    /// # Panics
    /// When the saga is no sub-saga.
    #[must_use]
    pub fn rolled_back_by_its_parent(mut self) -> Self {
        self.cancel_by_parent(true);
        self
    }

    /// A step of another saga, which did not start this one, wants it started.
    #[must_use]
    pub fn started_by_another_saga(mut self) -> Self {
        if let Input::Start(start) = self.start_input() {
            self.feed(&Input::Start(Start { parent: Some(stranger()), ..start }));
        }
        self
    }

    /// A step of another saga, which did not start this one, wants it rolled back, even if it has completed.
    #[must_use]
    pub fn cancelled_by_another_saga(mut self) -> Self {
        let (parent, key) = (stranger(), self.key.clone());
        self.feed(&Input::CancelByParent(ParentCancel { parent, key, completed_too: true, reason: None }));
        self
    }

    pub(crate) fn cancel_by_parent(&mut self, completed_too: bool) {
        let input = self.cancel_of_parent(completed_too).unwrap_or_else(|| panic!("the saga is no sub-saga"));
        self.feed(&input);
    }

    pub(crate) fn cancel_of_parent(&self, completed_too: bool) -> Option<Input> {
        let parent = self.specimen.parent().cloned()?;
        let (key, reason) = (self.key.clone(), Some("no longer wanted".to_owned()));
        Some(Input::CancelByParent(ParentCancel { parent, key, completed_too, reason }))
    }

    /// Somebody paused it.
    #[must_use]
    pub fn paused(mut self, who: &str) -> Self {
        self.feed(&Input::Pause { by: By::who(who) });
        self
    }

    /// Somebody resumed it.
    #[must_use]
    pub fn resumed(mut self, who: &str) -> Self {
        self.feed(&Input::Resume { by: By::who(who) });
        self
    }

    /// Somebody made a stuck saga try again.
    #[must_use]
    pub fn retried(mut self, who: &str) -> Self {
        self.feed(&Input::Retry { by: By::who(who) });
        self
    }

    /// Somebody settled a stuck step by hand.
    #[must_use]
    pub fn skipped(mut self, who: &str) -> Self {
        self.feed(&Input::Skip { by: By::who(who) });
        self
    }

    /// Somebody gave a stuck saga up.
    #[must_use]
    pub fn abandoned(mut self, who: &str) -> Self {
        self.feed(&Input::Abandon { by: By::who(who) });
        self
    }

    /// Compares the whole story with a transcript.
    ///
    /// # Panics
    /// When it reads differently.
    pub fn reads(&self, expected: &str) {
        transcript::compare(&self.lines, expected);
    }

    /// What the saga does.
    pub fn definition(&self) -> &Definition {
        self.specimen.definition()
    }

    /// Where the saga stands.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Its journal.
    pub fn journal(&self) -> &[Event] {
        &self.journal
    }

    /// Every command sent, in order.
    pub fn commands(&self) -> &[Command] {
        &self.sent
    }

    /// What time it is in the story.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    fn answered(mut self, step: &str, direction: Direction, says: Says) -> Self {
        let reply = self.answer(step, direction, says);
        self.feed(&Input::Reply(reply));
        self
    }

    fn answer(&self, step: &str, direction: Direction, says: Says) -> Reply {
        let step = StepName::from(step);
        let reply =
            participant::answer(&self.specimen, self.id, (&step, direction), says, self.try_of(&step, direction));
        reply.unwrap_or_else(|| panic!("the definition expects no such answer from `{step}`"))
    }

    /// The last try that was sent.
    pub(crate) fn try_of(&self, step: &StepName, direction: Direction) -> u32 {
        let sent = self.sent.iter().filter(|command| command.step == *step && command.direction == direction);
        sent.map(|command| command.try_number).max().unwrap_or(1)
    }

    /// Time passes until the step's timer rings, and it rings.
    pub(crate) fn ring(&mut self, step: &str) {
        let timer = self.state.open_deadlines().find(|timer| timer.step.as_str() == step);
        let timer = timer.unwrap_or_else(|| panic!("no timer runs for `{step}`"));
        self.now = self.now.max(timer.at);
        let rang = Input::Deadline { step: timer.step, direction: timer.direction, attempt: timer.attempt };
        assert!(self.feed(&rang), "a timer that is due must have an effect: {rang:?}");
    }

    fn waited_for(mut self, step: &str) -> Self {
        let waits = self.state.open_deadlines().any(|timer| timer.step.as_str() == step && !timer.awaits_answer);
        if waits {
            self.ring(step);
        }
        self
    }
}
