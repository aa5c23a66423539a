//! backstitch-inventory
fn main() {}
