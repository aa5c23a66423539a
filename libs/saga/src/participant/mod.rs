//! Participants as a whole, beyond any one saga: when their clocks stand still.
//!
//! Separate because a participant is known by the topic that its commands go to, whichever sagas ask it; what is
//! decided here holds for all of them, with no write to any.

mod breaker;
mod clocks;
mod openings;

pub use breaker::{Breaker, BreakerRules, Heard, Phase};
pub use clocks::{Clocks, Due, Withheld};
pub use openings::{Opening, Openings};
