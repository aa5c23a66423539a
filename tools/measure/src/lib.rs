//! What the measuring programs share: what processes spent, and what a window came to. Few dependencies, so that programs of
//! another workspace can be measured by the same code.

pub mod figures;
pub mod machine;
