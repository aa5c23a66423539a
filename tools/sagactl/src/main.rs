//! sagactl
fn main() {}
