//! The commands of `cargo xtask`, a file each.
//!
//! Separate from the stack, because commands talk to people and the stack does not.

pub mod bench;
pub mod demo;
pub mod down;
pub mod logs;
pub mod restart;
pub mod simulate;
pub mod status;
pub mod test;
pub mod up;
