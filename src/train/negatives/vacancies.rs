//! Places for negatives that the trainer makes itself, on its own thread: here only their size is drawn.

use rand_chacha::ChaCha8Rng;

use super::{Negative, NegativesError, SceneView, Sides, Source};

/// Rectangles to be filled by the run's generator.
#[derive(Debug)]
pub struct Vacancies(pub Sides);

impl Source for Vacancies {
    fn draw(&self, _: &SceneView<'_>, rng: &mut ChaCha8Rng) -> Result<Negative, NegativesError> {
        Ok(Negative::Vacancy(self.0.draw(rng)))
    }

    fn name(&self) -> String {
        "negatives generated in training".into()
    }
}
