//! backstitch-order
fn main() {}
