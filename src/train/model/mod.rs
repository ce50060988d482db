//! (being written)

pub mod ops;
