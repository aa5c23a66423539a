//! Where in a value something is wrong. Separate, because reading and writing both build it, backwards and only on the
//! way out of an error, so that the good case pays nothing.

use std::fmt;

/// A place in a value, innermost step first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().rev().enumerate() {
            match step {
                Step::Field(name) if position == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// A problem and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At<P> {
    pub(crate) path: Path,
    pub(crate) problem: P,
}

impl<P> From<P> for At<P> {
    fn from(problem: P) -> Self {
        Self { path: Path::default(), problem }
    }
}

impl<P> At<P> {
    /// The same, seen from the record that has this field.
    pub(crate) fn in_field(mut self, name: &str) -> Self {
        self.path.0.push(Step::Field(name.to_owned()));
        self
    }

    /// The same, seen from the array that has this element.
    pub(crate) fn in_element(mut self, index: usize) -> Self {
        self.path.0.push(Step::Index(index));
        self
    }
}
