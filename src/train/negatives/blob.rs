//! A round outline, another one each time.

use std::f64::consts::TAU;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// r(θ) = ¾·(1 + four waves around the circle), at most 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Blob {
    /// Amplitude and phase of the waves of 2, 3, 4 and 5 periods.
    waves: [[f64; 2]; 4],
}

impl Blob {
    pub(super) fn draw(rng: &mut ChaCha8Rng) -> Self {
        let mut wave = || [rng.random_range(0.0..1.0 / 12.0), rng.random_range(0.0..TAU)];
        Self { waves: [wave(), wave(), wave(), wave()] }
    }

    /// Whether a place of the square from (−1, −1) to (1, 1) is in it.
    pub(super) fn contains(&self, x: f64, y: f64) -> bool {
        let angle = y.atan2(x);
        let waves = self.waves.iter().zip(2u8..);
        let sum: f64 =
            waves.map(|([size, phase], periods)| size * (f64::from(periods) * angle + phase).cos()).sum();
        x.hypot(y) <= 0.75 * (1.0 + sum)
    }
}
