//! Random numbers that are a function of a seed and of what they are for.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// The source of one parameter's initial numbers: no other parameter changes what this one gets.
pub(in crate::train) fn generator(seed: u64, name: &str) -> ChaCha8Rng {
    let mut key = Sha256::new();
    key.update(seed.to_le_bytes());
    key.update(name.as_bytes());
    ChaCha8Rng::from_seed(key.finalize().into())
}

/// `count` draws from N(0, deviation²).
pub(in crate::train) fn normals(rng: &mut ChaCha8Rng, count: usize, deviation: f64) -> Vec<f32> {
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        // Box and Muller: two normal numbers of two uniform ones, the first in (0, 1].
        let (u, v) = (uniform(rng), uniform(rng));
        let radius = deviation * (-2.0 * (1.0 - u).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * v).sin_cos();
        values.extend([(radius * cos) as f32, (radius * sin) as f32]);
    }
    values.truncate(count);
    values
}

/// In [0, 1), steps of 2⁻⁵³.
fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}
