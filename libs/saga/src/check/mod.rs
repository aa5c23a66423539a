//! Checks of a definition against the shapes of its messages: what would fail for every saga is refused at load.
//!
//! Separate from the validator, which knows the definition alone: here its messages are known too. A definition that
//! passes still meets data that no schema describes; what only may fail, passes, and some of it is told as a warning.

mod claims;
mod fit;
mod flow;
mod infer;
mod messages;
mod operators;
mod reach;
mod shape;
mod walk;

pub use shape::{Field, Messages, Record, Shape, Shapes};

use crate::definition::{Definition, Problem};

/// What the checks found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What makes the definition unusable, in document order.
    pub problems: Vec<Problem>,
    /// What its author should know.
    pub warnings: Vec<Problem>,
}

impl Findings {
    fn add(&mut self, problem: Problem) {
        let list = if problem.code.is_warning() { &mut self.warnings } else { &mut self.problems };
        // One cause may be met on several ways.
        if !list.contains(&problem) {
            list.push(problem);
        }
    }
}

impl Definition {
    /// Checks the definition against the shapes of its messages.
    pub fn check(&self, shapes: &Shapes) -> Findings {
        let mut findings = walk::check(self, shapes);
        claims::check(self, &mut findings);
        reach::check(self, &mut findings);
        findings
    }
}
