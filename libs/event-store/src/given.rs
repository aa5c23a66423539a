//! Given, when, then: a command's decision as a story, with no store. For tests: it panics where the story is not kept.

use std::fmt::Debug;

use crate::command::Command;
use crate::execute::{CommandError, Decided, Draft};
use crate::{StreamId, StreamVersion};

/// What had happened.
#[derive(Debug, Clone)]
pub struct Given<E> {
    events: Vec<(StreamId, E)>,
}

/// These events had happened, in this order.
pub fn given<E>(events: impl IntoIterator<Item = (StreamId, E)>) -> Given<E> {
    Given { events: events.into_iter().collect() }
}

impl<E> Given<E> {
    /// The command is decided.
    pub fn when<C: Command<Event = E>>(&self, command: &C) -> Outcome<C> {
        let mut draft = Draft::of(command);
        let decide = || {
            loop {
                let asked = draft.missing()?;
                if asked.is_empty() {
                    return draft.facts();
                }
                for (stream, _) in asked {
                    let events = self.events.iter().filter(|(of, _)| *of == stream);
                    for (version, (_, event)) in (1..).zip(events) {
                        draft.apply(&stream, StreamVersion(version), event);
                    }
                }
            }
        };
        Outcome { result: { decide }() }
    }
}

/// What came of it.
#[must_use = "a story without an end shows nothing"]
pub struct Outcome<C: Command> {
    result: Decided<C>,
}

impl<C: Command> Outcome<C> {
    /// Exactly these events, in this order.
    ///
    /// # Panics
    /// When it is otherwise.
    pub fn emits(self, expected: impl IntoIterator<Item = (StreamId, C::Event)>)
    where
        C::Event: Debug + PartialEq,
    {
        let expected: Vec<_> = expected.into_iter().collect();
        match self.result {
            Ok(events) => assert_eq!(events, expected),
            Err(error) => panic!("events were expected, not {error:?}"),
        }
    }

    /// This refusal.
    ///
    /// # Panics
    /// When it is otherwise.
    pub fn refuses(self, expected: &C::Refusal)
    where
        C::Event: Debug,
        C::Refusal: PartialEq,
    {
        match self.result {
            Err(CommandError::Refused(refusal)) => assert_eq!(refusal, *expected),
            other => panic!("the refusal {expected:?} was expected, not {other:?}"),
        }
    }

    /// A write to this stream, which was not declared.
    ///
    /// # Panics
    /// When it is otherwise.
    pub fn writes_undeclared(self, expected: &StreamId)
    where
        C::Event: Debug,
    {
        match self.result {
            Err(CommandError::Undeclared { stream }) => assert_eq!(stream, *expected),
            other => panic!("an undeclared write was expected, not {other:?}"),
        }
    }
}
