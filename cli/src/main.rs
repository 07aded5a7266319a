//! `port53` (being written).
fn main() {}
