//! Places for negatives that the trainer makes itself, on its own thread: here only their size is drawn.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Negative, NegativesError, SceneView, Sides, Source};

/// Rectangles to be filled by the run's generator.
#[derive(Debug)]
pub struct Vacancies {
    /// Of a rectangle.
    pub sides: Sides,
    /// How many times larger than what the generator makes it is: from, to; drawn evenly by its logarithm.
    pub magnify: [f64; 2],
}

impl Source for Vacancies {
    fn draw(&self, _: &SceneView<'_>, rng: &mut ChaCha8Rng) -> Result<Negative, NegativesError> {
        let sides = self.sides.draw(rng);
        let [low, high] = self.magnify;
        let magnified = if low < high { low * (high / low).powf(rng.random()) } else { low };
        Ok(Negative::Vacancy { sides, magnified })
    }

    fn name(&self) -> String {
        "negatives generated in training".into()
    }
}
