//! The contract of participants as a table: what is to be done with a command, given how its like stand. Pure and small,
//! so that every rule can be seen at once.

use uuid::Uuid;

use crate::cause::Undoes;
use crate::note::Standing;
use crate::record::{Record, Status, Told};

/// What is to be done with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// It was answered: the same events again.
    Repeat,
    /// It is being worked on: the answer comes later.
    Wait,
    /// A forward command's turn.
    Decide,
    /// A forward command whose compensation came first.
    RefuseLate,
    /// A compensation whose forward command was done.
    Compensate,
    /// A compensation whose forward command was not done; a tombstone keeps it from being done later.
    NothingToUndo {
        /// Whether it still could be.
        tombstone: bool,
    },
    /// A compensation whose forward command has no certain outcome yet.
    Defer,
}

/// A forward command.
pub(crate) fn on_forward<S, C: Clone>(record: &Record<S, C>, id: Uuid, name: &str, attempt: u32) -> Ruling {
    match record.commands.get(&id).map(|told| answered(told, attempt)) {
        Some(Some(ruling)) => ruling,
        _ if record.is_tombstoned(id, name) => Ruling::RefuseLate,
        Some(None) | None => Ruling::Decide,
    }
}

/// A compensation.
pub(crate) fn on_compensation<S, C: Clone>(record: &Record<S, C>, id: Uuid, undoes: &Undoes, attempt: u32) -> Ruling {
    match record.commands.get(&id).map(|told| answered(told, attempt)) {
        Some(Some(ruling)) => ruling,
        Some(None) | None => settle(record, undoes),
    }
}

/// A compensation that has not been answered, or that was deferred.
pub(crate) fn settle<S, C>(record: &Record<S, C>, undoes: &Undoes) -> Ruling {
    let targets = || record.commands.iter().filter(|(id, told)| undoes.names(**id, &told.name)).map(|(_, told)| told);
    let is_done = |told: &Told<C>| matches!(told.status, Status::Done { undone: false });
    let may_be_done = |told: &Told<C>| matches!(told.status, Status::Retryable);
    if targets().any(|told| matches!(told.status, Status::Pending(_))) || is_being_undone(record, undoes) {
        Ruling::Defer
    } else if targets().any(is_done) {
        Ruling::Compensate
    } else {
        Ruling::NothingToUndo { tombstone: targets().next().is_none() || targets().any(may_be_done) }
    }
}

// A command that was answered, for good or for this try. `None`: it is its turn again.
fn answered<C>(told: &Told<C>, attempt: u32) -> Option<Ruling> {
    match told.status {
        Status::Pending(_) => Some(Ruling::Wait),
        Status::Done { .. } | Status::Refused => Some(Ruling::Repeat),
        Status::Retryable if attempt <= told.attempt => Some(Ruling::Repeat),
        Status::Retryable => None,
    }
}

// Whether another compensation of the same is waiting for a call's outcome.
fn is_being_undone<S, C>(record: &Record<S, C>, undoes: &Undoes) -> bool {
    record.commands.values().any(|told| {
        let calling = matches!(&told.status, Status::Pending(pending) if pending.call.is_some());
        calling && told.undoes.as_ref().is_some_and(|other| is_same(record, other, undoes))
    })
}

fn is_same<S, C>(record: &Record<S, C>, one: &Undoes, other: &Undoes) -> bool {
    record.commands.iter().any(|(id, told)| one.names(*id, &told.name) && other.names(*id, &told.name))
}

impl Standing {
    /// For metrics.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Retryable => "retryable",
            Self::Pending => "pending",
        }
    }
}
