//! A kit for testing sagas: stories that read as transcripts, and laws that every definition keeps; with the feature
//! `participant`, the contract that every participant keeps. `docs/testing.md` shows how, on an example of its own.
//!
//! Separate from the engine because it is for the authors of definitions, ours and yours: it drives the engine as a
//! shell would, with time standing still until the story moves it.
//!
//! ```
//! use backstitch_testkit::{Specimen, started};
//!
//! let tea = backstitch_saga_yaml::parse("tea.yaml", "
//! saga: tea
//! version: 1
//! steps:
//!   - { name: boil, ask: kitchen.commands, to: Boil, done_on: Boiled, refused_on: NoWater, on_rollback: nothing }
//! ").unwrap();
//! started(&Specimen::of(tea)).refused("boil").reads("
//!     kitchen <- Boil
//!     rolled back: NoWater
//! ");
//! ```

mod checks;
mod grid;
mod laws;
mod participant;
mod specimen;
mod story;
mod transcript;
mod walk;

#[cfg(feature = "participant")]
pub use backstitch_participant::contract::{Ask, Trial, keeps_the_contract};
pub use checks::broken_law;
pub use grid::{queue_grid, state_grid};
pub use laws::{Misbehaviours, keeps_the_laws};
pub use specimen::Specimen;
pub use story::{Story, cancelled_before_start, rolled_back_before_start, started, started_without};
pub use walk::{Walk, as_it_should_go, wander, wander_and_move};
