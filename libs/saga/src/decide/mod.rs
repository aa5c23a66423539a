//! stub
use crate::definition::Definition;
use crate::event::Event;
use crate::input::Input;
use crate::state::State;
use crate::time::Timestamp;

/// What follows from an input.
pub fn decide(_definition: &Definition, _state: &State, _input: &Input, _now: Timestamp) -> Vec<Event> {
    Vec::new()
}
