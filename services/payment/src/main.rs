//! backstitch-payment
fn main() {}
