//! The saga engine: what follows from an input, decided without I/O, clock or randomness.
//!
//! ```text
//! decide(definition, &state, &input, now) -> events     what follows
//! evolve(state, &event) -> state                        where that leaves the saga; total
//! react(definition, &event) -> effects                  what the shell must send
//! ```
//!
//! Separate so that every rule about sagas can be tested in microseconds and replayed for ever: the shell around it
//! only reads, stores and sends. An empty answer of `decide` means a stale input; on a log, latecomers are weather.

mod backoff;
mod cause;
pub mod check;
mod decide;
pub mod definition;
mod effect;
mod event;
mod evolve;
mod expression;
mod ids;
mod input;
pub mod migrate;
pub mod participant;
mod state;
pub mod sub_saga;
mod time;

pub use cause::{By, Cause};
pub use decide::{Move, Unsendable, decide, decide_move, decide_without};
pub use definition::{
    Definition, DefinitionBuilder, DefinitionError, DefinitionSpec, Problem, StartError, StartMatch, StartedBy,
    StepBuilder, Trigger, check_together, compensate, event as expected_event,
};
pub use effect::{Command, Effect, Emission, Report, react};
pub use event::{Event, Fact, JournalError, KINDS, Request, SagaStarted};
pub use evolve::evolve;
pub use ids::{CommandId, Direction, START_STEP, SagaId, StepName, command_id, emitted_event_id};
pub use input::{Input, ParentCancel, Reply, Seen, Signal, Start};
pub use state::{
    Advancing, Course, Early, Ended, How, Open, OpenDeadline, Outcome, Passed, Paused, Refusal, RollingBack, Saga,
    State, Stuck, Waiting,
};
pub use sub_saga::{Parent, SubSagaAnswer};
pub use time::{Span, SpanError, Timestamp};
