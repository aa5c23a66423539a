//! The whole system in one thread, with virtual time and one seed: orchestrators and participants on a broker that
//! delays and repeats, over databases whose connections break, with processes that die or stand still at any point of
//! input or output. `docs/simulation.md` says what is real and what is a model.
//!
//! Separate from the tests of each crate, because what is looked for here lies between them.

mod broker;
mod cast;
mod dice;
mod life;
mod mistaken;
mod mutation;
mod oracle;
mod participant;
mod postgres;
mod process;
mod run;
mod schema;
mod script;
mod shop;
mod world;

pub use mutation::Mutation;
pub use run::{Report, run};
pub use shop::{Fate, Fates, Kept, ShopReport, Trouble, run_shop};
