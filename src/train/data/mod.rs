//! What the trainer sees: batches of augmented, labelled crops, with negatives in them.
//!
//! Place: before the model. A sample is read through [`crate::dataset`] (`set`), cut out of its image at a
//! random size and place (`window`), gets its negatives ([`crate::train::negatives`]), then another light
//! (`photometric`); so many of them are a [`Batch`], made ahead by worker threads (`stream`).
//!
//! A batch is a function of (seed, phase, step) and of the files, never of a thread or of what came before:
//! a run that is resumed at a step sees what it would have seen. Negatives come before the light, for one
//! camera takes both.
//!
//! Deliberately does not know: networks, losses, what the trainer does with a batch.

mod batch;
mod error;
pub mod generated;
mod normalisation;
mod order;
mod photometric;
mod plan;
mod random;
mod sample;
mod set;
mod settings;
mod stream;
mod survey;
mod window;

pub use batch::Batch;
pub use error::DataError;
pub use normalisation::Normalisation;
pub use plan::Plan;
pub use random::generator;
pub use set::TrainingSet;
pub use settings::{Augmentation, Crop, Photometric, Settings};
pub use stream::Stream;

#[cfg(test)]
mod tests;
