//! Saga definitions from YAML documents.
//!
//! Separate from the engine because it reads files and knows a text format. It adds no rule of its own: a document
//! becomes the engine's written form, is checked by the engine's validator, and only gains file, line and column.

mod document;
mod error;
mod outline;

pub use document::{Checked, Document, Documents, load_dir, load_file, parse};
pub use error::{Fault, LoadError};
