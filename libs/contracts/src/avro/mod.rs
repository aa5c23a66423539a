//! Avro's binary form, to and from JSON values, over schemas compiled once.
//!
//! Ours and not a library's, because it must do three things at once that none does: name the path of what is wrong,
//! never allocate for a length that the bytes merely claim, and know which member of a union was written. Parsing and
//! compatibility are `apache-avro`'s; the tests hold every byte against it.

mod path;
mod read;
mod resolve;
mod shape;
mod write;

pub use shape::SchemaError;

pub(crate) use path::At;
pub(crate) use read::{ReadProblem, Reader, instant, readable};
pub(crate) use resolve::Resolution;
pub(crate) use shape::{NodeId, RecordShape, Shape, Shapes, TimeUnit};
pub(crate) use write::{WriteProblem, write, write_bytes, write_long};
