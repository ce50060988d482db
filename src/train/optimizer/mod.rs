//! How parameters move: what a training does with the gradients of a step.
//!
//! Place: inside the loop of [`crate::train::run`]. [`Gradients`] of a step's batches are gathered and clipped, the
//! [`Optimizer`] moves the parameters by them at the rate of the [`Schedule`], [`Ema`] keeps their running means.
//! All state is in tensors by name and a count of steps, which checkpoints keep.
//!
//! Deliberately does not know: losses, batches, files.

mod ema;
mod gradients;
mod rule;
mod schedule;

pub use ema::Ema;
pub use gradients::Gradients;
pub use rule::{LrScale, Optimizer, Rule, Settings};
pub use schedule::{Decay, Schedule};
