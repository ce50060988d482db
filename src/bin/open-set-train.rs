//! The trainer: see `open_set::train`.

fn main() {}
