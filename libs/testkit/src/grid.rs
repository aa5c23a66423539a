//! The table of what each input does in each state, printed from the engine itself.
//!
//! Separate because `decide` has one wildcard arm: this table is how every cell it covers has been looked at.

use std::fmt::Write;

use backstitch_saga::{By, Direction, Event, Input, Signal, State, StepName, decide};
use serde_json::Value;

use crate::participant::{self, Says};
use crate::specimen::Specimen;
use crate::story::{Story, cancelled_before_start, started};

/// The table for a definition whose participants have limits: what waits for its turn, and what does not.
///
/// # Panics
/// As [`state_grid`].
pub fn queue_grid(specimen: &Specimen) -> String {
    let specimen = specimen.clone().limited();
    let (first, second) = two_steps(&specimen);
    let started = || started(&specimen).turns();
    let waits = started().done(&first);
    let silent = waits.clone().turn(&second).silence(&second);
    let back = waits.clone().turn(&second).refused(&second);
    let columns = vec![
        ("waits", waits.clone()),
        ("paused", waits.clone().paused("ann")),
        ("asked", waits.turn(&second)),
        ("waits again after silence", silent),
        ("waits rolling back", back.clone()),
        ("asked rolling back", back.turns()),
    ];
    grid(&specimen, &columns)
}

/// The table for a definition, in Markdown. Its second command step must be undoable and its first must be done in
/// time for the stories told here.
///
/// # Panics
/// When the definition has fewer than two command steps.
pub fn state_grid(specimen: &Specimen) -> String {
    grid(specimen, &stories(specimen))
}

fn grid(specimen: &Specimen, stories: &[(&'static str, Story)]) -> String {
    let mut text = String::from("| input |");
    for (name, _) in stories {
        let _ = write!(text, " {name} |");
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(stories.len()));
    let by_parent = |probe: &Probe| matches!(probe, Probe::ByParent { .. });
    for (name, input) in inputs().into_iter().filter(|(_, probe)| specimen.parent().is_some() || !by_parent(probe)) {
        let _ = write!(text, "\n| {name} |");
        for (_, story) in stories {
            let _ = write!(text, " {} |", cell(story, &input));
        }
    }
    text.push('\n');
    text
}

fn stories(specimen: &Specimen) -> Vec<(&'static str, Story)> {
    let (first, second) = two_steps(specimen);
    let rolling = started(specimen).done(&first).refused(&second);
    let mut stuck = rolling.clone();
    while matches!(stuck.state, State::RollingBack(_)) {
        stuck = stuck.silence(&first);
    }
    let mut rolled_back = rolling.clone();
    let mut completed = started(specimen);
    crate::walk::finish(&mut rolled_back, &mut Vec::new());
    crate::walk::finish(&mut completed, &mut Vec::new());
    vec![
        ("not started", Story::before_start(specimen)),
        ("refused", cancelled_before_start(specimen, "ann")),
        ("advancing", started(specimen).done(&first)),
        ("paused", started(specimen).done(&first).paused("ann")),
        ("rolling back", rolling.clone()),
        ("paused rolling back", rolling.paused("ann")),
        ("stuck", stuck.clone()),
        ("completed", completed),
        ("rolled back", rolled_back),
        ("abandoned", stuck.abandoned("ann")),
    ]
}

fn two_steps(specimen: &Specimen) -> (String, String) {
    let mut steps = specimen.definition().command_step_names().map(ToString::to_string);
    match (steps.next(), steps.next()) {
        (Some(first), Some(second)) => (first, second),
        _ => panic!("the grid needs a definition with two command steps"),
    }
}

/// What is tried out in every state.
#[derive(Clone, Copy, Debug)]
enum Probe {
    Start,
    Answer(Direction, Says),
    RepeatedAnswer,
    Foreign,
    UnrelatedEvent,
    TakenBack,
    Turn,
    Timer,
    OldTimer,
    SagaDeadline,
    Operator(fn(By) -> Input),
    ByParent { completed_too: bool },
    Signal,
}

fn inputs() -> Vec<(&'static str, Probe)> {
    vec![
        ("start", Probe::Start),
        ("step done", Probe::Answer(Direction::Forward, Says::Done)),
        ("step refused", Probe::Answer(Direction::Forward, Says::Refused)),
        ("step asks for another try", Probe::Answer(Direction::Forward, Says::AskAgain)),
        ("step done, by a foreigner", Probe::Foreign),
        ("earlier step's answer repeated", Probe::RepeatedAnswer),
        ("earlier step taken back", Probe::TakenBack),
        ("compensation done", Probe::Answer(Direction::Compensate, Says::Done)),
        ("unrelated event", Probe::UnrelatedEvent),
        ("turn", Probe::Turn),
        ("timer due", Probe::Timer),
        ("timer of an old attempt", Probe::OldTimer),
        ("saga deadline due", Probe::SagaDeadline),
        ("cancel", Probe::Operator(|by| Input::Cancel { by })),
        ("cancel by the step that started it", Probe::ByParent { completed_too: false }),
        ("the same, even once completed", Probe::ByParent { completed_too: true }),
        ("pause", Probe::Operator(|by| Input::Pause { by })),
        ("resume", Probe::Operator(|by| Input::Resume { by })),
        ("retry", Probe::Operator(|by| Input::Retry { by })),
        ("skip", Probe::Operator(|by| Input::Skip { by })),
        ("abandon", Probe::Operator(|by| Input::Abandon { by })),
        ("unexpected signal", Probe::Signal),
    ]
}

fn cell(story: &Story, probe: &Probe) -> String {
    let mut story = story.clone();
    story.now = story.state.next_deadline().unwrap_or(story.now);
    if matches!(probe, Probe::SagaDeadline) {
        story.now = story.state.saga_deadline().unwrap_or(story.now);
    }
    let Some(input) = input(&story, probe) else { return "–".to_owned() };
    let events = decide(story.specimen.definition(), &story.state, &input, story.now);
    let kinds: Vec<&str> = events.iter().map(Event::kind).collect();
    if kinds.is_empty() { "·".to_owned() } else { kinds.join(", ") }
}

fn input(story: &Story, probe: &Probe) -> Option<Input> {
    let (first, second) = two_steps(&story.specimen);
    let (first, second) = (StepName::from(first.as_str()), StepName::from(second.as_str()));
    let answer = |step: &StepName, direction, says| {
        participant::answer(&story.specimen, story.id, (step, direction), says, story.try_of(step, direction))
    };
    match probe {
        Probe::Start => Some(story.start_input()),
        Probe::Answer(Direction::Forward, says) => answer(&second, Direction::Forward, *says).map(Input::Reply),
        Probe::Answer(Direction::Compensate, says) => answer(&first, Direction::Compensate, *says).map(Input::Reply),
        Probe::RepeatedAnswer => answer(&first, Direction::Forward, Says::Done).map(Input::Reply),
        Probe::Foreign => answer(&second, Direction::Forward, Says::Done).map(participant::foreign).map(Input::Reply),
        Probe::TakenBack => participant::undone(&story.specimen, story.id, &first).map(Input::Reply),
        Probe::UnrelatedEvent => answer(&second, Direction::Forward, Says::Done).map(|mut reply| {
            "SomethingElse".clone_into(&mut reply.event_type);
            Input::Reply(reply)
        }),
        Probe::Turn => {
            let direction = story.state.direction().unwrap_or(Direction::Forward);
            let open = story.state.open().first();
            Some(Input::Turn { step: open.map_or(second, |open| open.step.clone()), direction })
        }
        Probe::Timer | Probe::OldTimer => {
            let direction = story.state.direction().unwrap_or(Direction::Forward);
            let open = story.state.open().first();
            let step = open.map_or(second, |open| open.step.clone());
            let attempt = open.map_or(1, |open| open.attempt);
            let attempt = if matches!(probe, Probe::OldTimer) { attempt.wrapping_sub(1) } else { attempt };
            Some(Input::Deadline { step, direction, attempt })
        }
        Probe::SagaDeadline => Some(Input::SagaDeadline),
        Probe::ByParent { completed_too } => story.cancel_of_parent(*completed_too),
        Probe::Operator(input) => Some(input(By::who("ann"))),
        Probe::Signal => {
            Some(Input::Signal(Signal { name: "nobody-waits".to_owned(), data: Value::Null, by: By::who("ann") }))
        }
    }
}
