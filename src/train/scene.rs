//! What a data set shows, and negatives are pasted into.

use crate::images::Rgb;

/// A labelled picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// The camera's picture.
    pub rgb: Rgb,
    /// `[height, width]`: `0..K`, or 255 for void.
    pub labels: Vec<u8>,
}
