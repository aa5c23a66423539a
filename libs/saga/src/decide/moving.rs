//! What follows when somebody wants a saga to go on under another definition of its name.
//!
//! Separate because it is the one decision that knows two definitions; whether it may is compared elsewhere.

use super::draft::Draft;
use super::{Unsendable, forward};
use crate::cause::By;
use crate::definition::Definition;
use crate::event::{Event, Fact};
use crate::migrate::{Obstacle, can_move};
use crate::state::State;
use crate::time::Timestamp;

/// The wish that a saga goes on under another definition.
#[derive(Clone, Copy, Debug)]
pub struct Move<'a> {
    /// That definition's hash.
    pub hash: &'a str,
    /// That definition, if it is known.
    pub to: Option<&'a Definition>,
    /// Who wants it.
    pub by: &'a By,
}

/// What follows: [`Fact::DefinitionMoved`], and what the other definition begins beside what is under way; or
/// [`Fact::MoveRefused`] with every obstacle. All of it is under the other definition. An empty answer means that there
/// is nothing to move: the saga does not live, or is under that definition already.
pub fn decide_move(
    from: &Definition,
    wish: &Move<'_>,
    state: &State,
    now: Timestamp,
    unsendable: &[Unsendable],
) -> Vec<Event> {
    if state.saga().is_none() || from.hash() == wish.hash {
        return Vec::new();
    }
    let (hash, by) = (wish.hash.to_owned(), wish.by.clone());
    let known = wish.to.ok_or_else(|| vec![Obstacle::Unknown { hash: hash.clone() }]);
    match known.and_then(|to| can_move(from, to, state).map(|()| to)) {
        Err(obstacles) => {
            let reason = obstacles.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            vec![Event { at: now, fact: Fact::MoveRefused { to: hash, by, reason } }]
        }
        Ok(to) => {
            let mut draft = Draft::new(to, state, now).without(unsendable);
            draft.push(Fact::DefinitionMoved { from: from.hash().to_owned(), to: hash, version: to.version(), by });
            forward::advance(&mut draft);
            draft.into_events()
        }
    }
}
