//! backstitch-orchestrator
fn main() {}
