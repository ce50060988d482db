//! What batches are made of.

use super::{Augmentation, Normalisation};
use crate::images::Rgb;

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
    /// Crops show nothing but the image: frames are enlarged until a window lies in them.
    pub within: bool,
    /// The model's. Its mean colour fills what is outside of an image.
    pub normalisation: Normalisation,
    /// Threads; how many there are changes no batch.
    pub workers: usize,
}

impl Plan {
    /// What becomes of that image.
    pub(super) fn augmentation_of(&self, image: &Rgb) -> Augmentation {
        let mut augmentation = self.augmentation.clone();
        if self.within {
            let [width, height] = augmentation.crop.sides();
            let least = (width as f64 / image.width as f64).max(height as f64 / image.height as f64);
            augmentation.scale = augmentation.scale.map(|scale| scale.max(least));
        }
        augmentation
    }
}
