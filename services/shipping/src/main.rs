//! backstitch-shipping
fn main() {}
