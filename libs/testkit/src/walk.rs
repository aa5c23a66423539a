//! Everything that can happen next to a saga, and walks through it.
//!
//! Separate because the exhaustive laws and the random walks choose from the same moves and differ only in choosing.

use backstitch_saga::{By, Direction, Input, State, StepName, Timestamp, Waiting};

use crate::checks;
use crate::participant::{self, Says};
use crate::specimen::Specimen;
use crate::story::Story;

/// Something that can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    Answer(StepName, Says),
    AnswerByForeigner(StepName),
    LateAnswer(StepName, Direction, Says),
    TimeUp(StepName),
    Turn(StepName),
    Arrival(StepName),
    EarlyArrival(StepName),
    TakenBack(StepName),
    SagaDeadline,
    Repeat,
    Cancel,
    CancelByParent { completed_too: bool },
    CancelByAnotherSaga,
    PauseAndResume,
    PauseWhile(StepName, Says),
    Retry,
    Skip,
}

impl Move {
    /// Whether this is how things should go.
    pub(crate) fn is_expected(&self) -> bool {
        matches!(self, Self::Answer(_, Says::Done) | Self::Arrival(_) | Self::Turn(_))
    }
}

/// Everything that can happen next.
pub(crate) fn moves(story: &Story) -> Vec<Move> {
    match &story.state {
        State::Advancing(_) | State::RollingBack(_) => moving(story),
        State::Stuck(stuck) => {
            let mut moves = vec![Move::Retry, Move::Skip, Move::Cancel, Move::Repeat];
            let late = stuck.course.open().iter();
            moves.extend(late.map(|open| Move::LateAnswer(open.step.clone(), stuck.course.direction(), Says::Done)));
            moves.extend(by_parent(story));
            moves
        }
        State::Completed(_) => by_parent(story),
        _ => Vec::new(),
    }
}

/// What the step that started the saga may want, if one did.
fn by_parent(story: &Story) -> Vec<Move> {
    let moves = [true, false].map(|completed_too| Move::CancelByParent { completed_too });
    story.specimen.parent().map(|_| moves.to_vec()).unwrap_or_default()
}

fn moving(story: &Story) -> Vec<Move> {
    let Some(direction) = story.state.direction() else { return Vec::new() };
    let mut moves = Vec::new();
    for open in story.state.open() {
        let step = open.step.clone();
        let expects =
            |says: Says| participant::answer(&story.specimen, story.id, (&step, direction), says, 1).is_some();
        match open.waiting {
            Waiting::Answer { .. } => {
                let says = [Says::Done, Says::Refused, Says::AskAgain].into_iter().filter(|says| expects(*says));
                moves.extend(says.map(|says| Move::Answer(step.clone(), says)));
                moves.push(Move::TimeUp(step.clone()));
                moves.push(Move::AnswerByForeigner(step.clone()));
                moves.push(Move::PauseWhile(step.clone(), Says::Done));
            }
            Waiting::NextAttempt { .. } => {
                moves.push(Move::TimeUp(step.clone()));
                moves.push(Move::Answer(step.clone(), Says::Done));
            }
            Waiting::Turn { until, .. } => {
                moves.push(Move::Turn(step.clone()));
                moves.extend(until.map(|_| Move::TimeUp(step.clone())));
                // Of an attempt before, or of nobody.
                moves.push(Move::Answer(step.clone(), Says::Refused));
                moves.push(Move::AnswerByForeigner(step.clone()));
            }
            Waiting::Delay { .. } => moves.push(Move::TimeUp(step.clone())),
            Waiting::Arrival { until } => {
                moves.push(Move::Arrival(step.clone()));
                moves.extend(until.map(|_| Move::TimeUp(step.clone())));
            }
            Waiting::AfterRefusal | Waiting::AfterSilence => {}
        }
    }
    moves.extend([Move::Cancel, Move::PauseAndResume, Move::Repeat]);
    moves.extend(story.specimen.parent().map(|_| Move::CancelByAnotherSaga));
    moves.extend(by_parent(story));
    moves.extend(story.state.saga_deadline().map(|_| Move::SagaDeadline));
    moves.extend(others(story, direction));
    moves
}

fn others(story: &Story, direction: Direction) -> Vec<Move> {
    let definition = story.specimen.definition();
    let mut moves = Vec::new();
    let signals = definition.awaited_signals().map(|(step, _)| step);
    for step in signals.chain(definition.awaited_events().map(|(step, ..)| step)) {
        moves.push(Move::EarlyArrival(step.clone()));
    }
    let sent = story.sent.iter().map(|command| (command.step.clone(), command.direction));
    for (step, of) in sent {
        let open = story.state.open().iter().any(|open| open.step == step) && of == direction;
        if !open && !moves.contains(&Move::LateAnswer(step.clone(), of, Says::Done)) {
            moves.push(Move::LateAnswer(step.clone(), of, Says::Done));
        }
        if participant::undone(&story.specimen, story.id, &step).is_some()
            && !moves.contains(&Move::TakenBack(step.clone()))
        {
            moves.push(Move::TakenBack(step));
        }
    }
    moves
}

/// Makes a move.
pub(crate) fn make(story: &mut Story, next: &Move) {
    let by = By::who("somebody");
    match next {
        Move::Answer(step, says) => {
            let direction = story.state.direction().unwrap_or(Direction::Forward);
            say(story, step, direction, *says);
        }
        Move::AnswerByForeigner(step) => {
            let direction = story.state.direction().unwrap_or(Direction::Forward);
            let reply = participant::answer(&story.specimen, story.id, (step, direction), Says::Done, 1);
            if let Some(reply) = reply.map(participant::foreign) {
                story.feed(&Input::Reply(reply));
            }
        }
        Move::LateAnswer(step, direction, says) => say(story, step, *direction, *says),
        Move::Turn(step) => story.give_turn(step),
        Move::TimeUp(step) => story.ring(step.as_str()),
        Move::Arrival(step) | Move::EarlyArrival(step) => {
            if let Some(input) = participant::arrival(&story.specimen, story.id, step) {
                story.feed(&input);
            }
        }
        Move::TakenBack(step) => {
            if let Some(reply) = participant::undone(&story.specimen, story.id, step) {
                story.feed(&Input::Reply(reply));
            }
        }
        Move::SagaDeadline => {
            story.now = story.state.saga_deadline().map_or(story.now, |at| story.now.max(at));
            story.feed(&Input::SagaDeadline);
        }
        Move::Repeat => repeat(story),
        Move::Cancel => {
            story.feed(&Input::Cancel { by });
        }
        Move::CancelByParent { completed_too } => story.cancel_by_parent(*completed_too),
        Move::CancelByAnotherSaga => {
            let status = story.state.status();
            *story = story.clone().cancelled_by_another_saga();
            assert_eq!(story.state.status(), status, "a saga obeyed one that had not started it");
        }
        Move::PauseAndResume => {
            story.feed(&Input::Pause { by: by.clone() });
            story.feed(&Input::Resume { by });
        }
        Move::PauseWhile(step, says) => {
            let direction = story.state.direction().unwrap_or(Direction::Forward);
            story.feed(&Input::Pause { by: by.clone() });
            say(story, step, direction, *says);
            story.feed(&Input::Resume { by });
        }
        Move::Retry => {
            story.feed(&Input::Retry { by });
        }
        Move::Skip => {
            story.feed(&Input::Skip { by });
        }
    }
}

fn say(story: &mut Story, step: &StepName, direction: Direction, says: Says) {
    let tried = story.try_of(step, direction);
    if let Some(reply) = participant::answer(&story.specimen, story.id, (step, direction), says, tried) {
        story.feed(&Input::Reply(reply));
    }
}

/// Everything said so far is said again, and the start too: none of it may have an effect, but for a step's answer
/// that was final and is wanted again because a person asked for another try.
fn repeat(story: &mut Story) {
    let before = story.journal.len();
    // A sub-saga that has ended says so again.
    let told = story.journal.iter().any(|event| event.kind() == "ParentTold");
    if !told {
        story.start();
    }
    for reply in story.heard.clone() {
        story.feed(&Input::Reply(reply));
    }
    let asked_again = story.journal.iter().any(|event| event.kind() == "SagaUnstuck");
    assert!(
        asked_again || story.journal.len() == before,
        "a repetition had an effect at entry {}:\n{}",
        before + 1,
        checks::journal_text(&story.journal)
    );
}

/// A walk that chooses its moves by the numbers it is given.
#[derive(Clone, Debug)]
pub struct Walk {
    /// How each move is chosen among those possible.
    pub choices: Vec<u16>,
    /// What cannot be sent, from the start on: chosen among all steps, their first items and their compensations.
    pub unsendable: Vec<u16>,
}

/// Walks at random, then lets everything go as it should, and checks that the saga ends and kept the laws.
///
/// # Panics
/// When it does not, with the moves made.
pub fn wander(specimen: &Specimen, walk: &Walk) {
    let (mut story, mut made) = (ready(specimen, walk), Vec::new());
    stroll(&mut story, &walk.choices, &mut made);
    finish(&mut story, &mut made);
    checks::check(&story, &|| format!("{made:#?}"));
}

/// The same, with a wish in the middle that the saga goes on under another definition of its name. Answers the story.
///
/// # Panics
/// When the saga does not end, or breaks a law of the definition it ends under.
pub fn wander_and_move(from: &Specimen, to: &Specimen, walk: &Walk) -> Story {
    let (mut story, mut made) = (ready(from, walk), Vec::new());
    let (before, after) = walk.choices.split_at(walk.choices.len() / 2);
    stroll(&mut story, before, &mut made);
    story = story.moved_to(to, "somebody");
    stroll(&mut story, after, &mut made);
    finish(&mut story, &mut made);
    checks::check(&story, &|| format!("{made:#?}"));
    story
}

fn ready(specimen: &Specimen, walk: &Walk) -> Story {
    let unsendable = walk.unsendable.iter().map(|choice| usize::from(*choice));
    let mut story = unsendable.fold(Story::before_start(specimen), Story::without_one_of_all);
    story.start();
    story
}

fn stroll(story: &mut Story, choices: &[u16], made: &mut Vec<Move>) {
    for choice in choices {
        let moves = moves(story);
        if moves.is_empty() {
            break;
        }
        let next = moves[usize::from(*choice) % moves.len()].clone();
        make(story, &next);
        made.push(next);
        checks::check(story, &|| format!("{made:#?}"));
    }
}

/// What a saga is given, and when, if everything goes as it should: from its start to its end. For whoever measures.
///
/// # Panics
/// When it does not end.
pub fn as_it_should_go(specimen: &Specimen) -> Vec<(Timestamp, Input)> {
    let mut story = Story::before_start(specimen);
    story.fed = Some(Vec::new());
    story.start();
    finish(&mut story, &mut Vec::new());
    story.fed.unwrap_or_default()
}

/// Lets everything go as it should until the saga has ended or is stuck.
pub(crate) fn finish(story: &mut Story, made: &mut Vec<Move>) {
    for _ in 0..1_000 {
        let moves = moves(story);
        let Some(next) = best(story, &moves) else { return };
        make(story, &next);
        made.push(next);
    }
    panic!("the saga does not end\n{made:#?}\n{}", checks::journal_text(&story.journal));
}

fn best(story: &Story, moves: &[Move]) -> Option<Move> {
    if matches!(story.state, State::Stuck(_) | State::Completed(_)) {
        return None;
    }
    let expected = moves.iter().find(|next| next.is_expected());
    expected.or_else(|| moves.iter().find(|next| matches!(next, Move::TimeUp(_)))).cloned()
}
