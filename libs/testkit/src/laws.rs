//! Laws that every definition keeps, tried out exhaustively.
//!
//! Separate because a definition's author runs them with one line, and learns of a path nobody had thought of.

use backstitch_saga::State;

use crate::checks;
use crate::specimen::Specimen;
use crate::story::Story;
use crate::walk::{Move, finish, make, moves};

/// How many things may go wrong in one story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misbehaviours(pub usize);

/// Tells every story in which at most so many things go wrong, at every point and in every way: steps refuse, fall
/// silent, repeat, come late, are taken back; the saga is cancelled, paused, past its deadline, retried, settled. Each
/// must end completed, rolled back, or stuck, with a journal that keeps the laws. Answers how many stories were told.
///
/// # Panics
/// At the first story that breaks a law, with its moves and journal.
pub fn keeps_the_laws(specimen: &Specimen, allowed: Misbehaviours) -> usize {
    let mut story = Story::before_start(specimen);
    story.start();
    let mut told = 0;
    tell(&story, &mut Vec::new(), allowed.0, &mut told);
    told
}

fn tell(story: &Story, made: &mut Vec<Move>, allowed: usize, told: &mut usize) {
    checks::check(story, &|| format!("{made:#?}"));
    if allowed == 0 {
        let mut story = story.clone();
        let mut made = made.clone();
        finish(&mut story, &mut made);
        ends(&story, &made);
        *told += 1;
        return;
    }
    let moves = moves(story);
    if moves.is_empty() || matches!(story.state, State::Completed(_)) {
        ends(story, made);
        *told += 1;
    }
    for next in moves {
        let mut after = story.clone();
        make(&mut after, &next);
        let costs = usize::from(!next.is_expected());
        made.push(next);
        tell(&after, made, allowed - costs, told);
        made.pop();
    }
}

fn ends(story: &Story, made: &[Move]) {
    checks::check(story, &|| format!("{made:#?}"));
    let ended =
        matches!(story.state, State::Completed(_) | State::RolledBack(_) | State::Abandoned(_) | State::Stuck(_));
    assert!(ended, "the saga did not end\n{made:#?}\n{}", checks::journal_text(&story.journal));
}
