//! backstitch-simulators
fn main() {}
