//! A participant's HTTP door: sends commands to its topic, waits for what they lead to, reads state from its streams.
//! Separate from the participant, which decides; the door never writes to the database, so that the lane is the only one
//! who does.

mod reader;
mod sender;
mod wait;

pub use reader::Reader;
pub use sender::{Letter, SendError, Sender};
pub use wait::{Patience, WaitQuery};
