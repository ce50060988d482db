//! How large a rectangle is.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::MULTIPLE;

/// Shortest and longest side in pixels of the scene; each side is drawn by itself, in steps of 8, as in the
/// method's reference code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sides(pub [usize; 2]);

impl Sides {
    /// Whether they are sides, multiples of 8, the smaller first.
    pub(super) fn are_some(self) -> bool {
        let Sides([low, high]) = self;
        let is_side = |side: usize| side.is_multiple_of(MULTIPLE) && (MULTIPLE..=2048).contains(&side);
        is_side(low) && is_side(high) && low <= high
    }

    /// Width and height.
    pub(super) fn draw(self, rng: &mut ChaCha8Rng) -> [usize; 2] {
        let [low, high] = self.0.map(|side| side / MULTIPLE);
        let mut side = || MULTIPLE * rng.random_range(low..=high.max(low));
        let width = side();
        [width, side()]
    }
}

impl Default for Sides {
    /// The larger of the intervals in the method's reference code.
    fn default() -> Self {
        Self([16, 216])
    }
}
