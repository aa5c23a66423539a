//! Pictures of definitions.
