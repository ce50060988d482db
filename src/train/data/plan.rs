//! What batches are made of.

use super::{Augmentation, Normalisation};

/// What batches are made of, for one phase of a training.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The run's.
    pub seed: u64,
    /// The phase's name: another phase sees the samples in another order.
    pub phase: String,
    /// Samples a batch.
    pub batch: usize,
    /// What becomes of a sample.
    pub augmentation: Augmentation,
    /// The model's. Its mean colour fills what is outside of an image.
    pub normalisation: Normalisation,
    /// Threads; how many there are changes no batch.
    pub workers: usize,
}
