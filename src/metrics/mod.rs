//! How good scores are: figures from scores and truth.

pub mod components;
