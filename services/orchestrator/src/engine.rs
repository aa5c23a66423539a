//! The engine as a lane calls it. Separate, so that a lane can be given an engine with a known mistake: what watches over
//! sagas has to notice each of them. Chosen at compile time; the sound one costs nothing.

use backstitch_saga::{Definition, Effect, Event, Input, State, Timestamp, Unsendable};

/// The functions of `backstitch-saga`; whoever implements this says only where it differs.
pub trait Engine: Send + Sync + 'static {
    /// What follows from an input.
    fn decide(&self, definition: &Definition, state: &State, input: &Input, now: Timestamp) -> Vec<Event> {
        backstitch_saga::decide(definition, state, input, now)
    }

    /// What follows when some of it cannot be sent.
    fn decide_without(
        &self,
        definition: &Definition,
        state: &State,
        input: &Input,
        now: Timestamp,
        unsendable: &[Unsendable],
    ) -> Vec<Event> {
        backstitch_saga::decide_without(definition, state, input, now, unsendable)
    }

    /// Where an event leaves the saga.
    fn evolve(&self, state: State, event: &Event) -> State {
        backstitch_saga::evolve(state, event)
    }

    /// What an event obliges the lane to send.
    fn react(&self, definition: &Definition, event: &Event) -> Vec<Effect> {
        backstitch_saga::react(definition, event)
    }
}

/// The engine as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sound;

impl Engine for Sound {}
