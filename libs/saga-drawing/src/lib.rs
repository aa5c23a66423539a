//! Pictures of definitions: what comes after what, what each outcome leads to, and the way back.
//!
//! Separate from the engine, which has no need of pictures, and from the tools, so that any of them can show one.

mod labels;
mod mermaid;
mod svg;

pub use mermaid::mermaid;
pub use svg::svg;
