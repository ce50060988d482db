//! Places for negatives that the trainer makes itself, on its own thread: here only their size is drawn.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Blob, MULTIPLE, Negative, NegativesError, SceneView, Sides, Source};

/// Rectangles to be filled by the run's generator.
#[derive(Debug)]
pub struct Vacancies {
    /// Of a rectangle.
    pub sides: Sides,
    /// How many times larger than what the generator makes it is: from, to; drawn evenly by its logarithm.
    pub magnify: [f64; 2],
    /// The share of them that are blobs, 0..1.
    pub blobs: f64,
}

/// A place that is to be filled, before it is known where it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wanted {
    /// Width and height, multiples of [`MULTIPLE`].
    pub sides: [usize; 2],
    /// How many times larger it is than what is made for it, 1 or more.
    pub magnified: f64,
    /// What of the rectangle is filled; absent: all.
    pub blob: Option<Blob>,
}

impl Wanted {
    /// Width and height of what is made for a place of these sides, multiples of [`MULTIPLE`].
    pub(super) fn made(&self, sides: [usize; 2]) -> [usize; 2] {
        let steps = |side: usize| (side as f64 / self.magnified / MULTIPLE as f64).round();
        sides.map(|side| (steps(side) as usize).max(1) * MULTIPLE)
    }

    /// Whether that pixel of a place of these sides is filled.
    pub(super) fn covers(&self, pixel: [usize; 2], sides: [usize; 2]) -> bool {
        let across = |axis: usize| (2 * pixel[axis] + 1) as f64 / sides[axis] as f64 - 1.0;
        self.blob.is_none_or(|blob| blob.contains(across(0), across(1)))
    }
}

impl Source for Vacancies {
    fn draw(&self, _: &SceneView<'_>, rng: &mut ChaCha8Rng) -> Result<Negative, NegativesError> {
        let sides = self.sides.draw(rng);
        let [low, high] = self.magnify;
        let magnified = if low < high { low * (high / low).powf(rng.random()) } else { low };
        let blob = (self.blobs > 0.0 && rng.random_bool(self.blobs)).then(|| Blob::draw(rng));
        Ok(Negative::Vacancy(Wanted { sides, magnified, blob }))
    }

    fn name(&self) -> String {
        "negatives generated in training".into()
    }
}
