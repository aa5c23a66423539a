//! backstitch-dev
fn main() {}
