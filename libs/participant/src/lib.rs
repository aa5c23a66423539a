//! Taking part in sagas without having to think of repeats, tombstones and late commands.
//!
//! A service implements [`Participant`]: what its commands mean for its own event-sourced state. [`ParticipantLogic`]
//! does the rest, the same for all of them, and is what the processor runs. `docs/participants.md` is the contract; with
//! the feature `contract`, a test holds a service to it.

mod answer;
mod append;
mod batch;
mod cache;
mod calls;
mod case;
mod cause;
#[cfg(feature = "contract")]
pub mod contract;
mod draft;
mod event;
#[cfg(any(test, feature = "contract"))]
mod in_memory;
mod load;
mod logic;
mod note;
mod participant;
mod place;
mod publish;
mod query;
mod record;
mod recover;
mod rules;
mod settings;
mod shared;
mod snapshots;
#[cfg(test)]
mod tests;
mod view;

pub use answer::{Answer, Changes};
pub use append::add_append;
pub use calls::{Calls, CallsOf, Nothing};
pub use draft::Placed;
pub use event::{DomainEvent, UnreadableEvent, Visibility};
pub use load::{Source, Streams, Writers};
pub use logic::ParticipantLogic;
pub use participant::{Intent, Participant, Route};
pub use query::{published, shared_state_of, state_of};
pub use settings::Settings;
pub use snapshots::Snapshots;
pub use view::View;
