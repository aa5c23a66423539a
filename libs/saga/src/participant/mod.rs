//! Participants as a whole, beyond any one saga: when their clocks stand still, and whose turn it is with them.
//!
//! Separate because a participant is known by the topic that its commands go to, whichever sagas ask it; what is
//! decided here holds for all of them, with no write to any.

mod breaker;
mod clocks;
mod limits;
mod openings;
mod turns;

pub use breaker::{Breaker, BreakerRules, Heard, Phase};
pub use clocks::{Clocks, Due, Withheld};
pub use limits::{Bucket, Limits, Rate, RateError};
pub use openings::{Opening, Openings};
pub use turns::{Turn, Turns};
