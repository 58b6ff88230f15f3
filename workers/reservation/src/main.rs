//! Purchase Fleet.
fn main() {}
