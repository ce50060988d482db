//! Rectangles of uniform noise: what a negative is at its cheapest (Table VII).

use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Negative, NegativesError, SceneView, Sides, Source};
use crate::dataset::paste::Cutout;

/// Every pixel is a colour of its own, each channel 0 to 255 with the same chance.
#[derive(Debug)]
pub struct Noise(pub Sides);

impl Source for Noise {
    fn draw(&self, scene: &SceneView<'_>, rng: &mut ChaCha8Rng) -> Result<Negative, NegativesError> {
        let [width, height] = self.0.draw(rng);
        let (width, height) = (width.min(scene.rgb.width), height.min(scene.rgb.height));
        let mut pixels = vec![[0; 4]; width * height];
        for pixel in &mut pixels {
            let [r, g, b, _] = rng.next_u32().to_le_bytes();
            *pixel = [r, g, b, 255];
        }
        Ok(Negative::AsItIs(Arc::new(Cutout { name: self.name(), width, height, pixels })))
    }

    fn name(&self) -> String {
        "uniform noise".into()
    }
}
