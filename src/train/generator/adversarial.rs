//! Local adversarial attacks: inlier pixels, moved until the segmenter no longer knows their class (Table VII).

use tch::{Kind, Tensor};

use super::{Fitted, Generator, GeneratorError, Judge};
use crate::train::flow::Noise;
use crate::train::model::Parameters;

/// Projected signed gradient steps that make L_jsd of the patch smaller, within a distance of what it was.
///
/// The paper does not say which attack it compares with; this one searches for what its flow is trained towards.
#[derive(Debug)]
pub struct Adversarial {
    steps: u32,
    radius: f64,
    none: Parameters,
}

impl Adversarial {
    /// `steps` of 1 or more; no channel moves by more than `radius` of 255.
    pub fn new(steps: u32, radius: f64) -> Self {
        Self { steps, radius, none: Parameters::new() }
    }

    /// The nearest patch to `patch` that is allowed.
    fn project(&self, patch: &Tensor, of: &Tensor) -> Result<Tensor, GeneratorError> {
        let moved = patch.f_sub(of)?.f_clamp(-self.radius, self.radius)?;
        Ok(of.f_add(&moved)?.f_clamp(0.0, 255.0)?)
    }
}

impl Generator for Adversarial {
    fn identity(&self) -> String {
        format!("adversarial steps={} radius={}", self.steps, self.radius)
    }

    fn parameters(&self) -> &Parameters {
        &self.none
    }

    fn generate(
        &self,
        replaced: &[Tensor],
        judge: &mut Judge<'_>,
        noise: &mut Noise,
    ) -> Result<Vec<Tensor>, GeneratorError> {
        // From anywhere within the distance: the gradient at the image itself is often 0.
        let start = |of: &Tensor| -> Result<Tensor, GeneratorError> {
            let even = noise
                .uniform(&of.size(), (Kind::Float, of.device()))?
                .f_mul_scalar(2.0)?
                .f_sub_scalar(1.0)?;
            self.project(&of.f_add(&even.f_mul_scalar(self.radius)?)?, of)
        };
        let mut patches = replaced.iter().map(start).collect::<Result<Vec<_>, _>>()?;
        let stride = 1.5 * self.radius / f64::from(self.steps);
        for _ in 0..self.steps {
            let leaves = patches.iter().map(|p| p.f_detach()?.f_set_requires_grad(true));
            let leaves = leaves.collect::<Result<Vec<_>, _>>()?;
            let divergence = judge(&leaves)?;
            let gradients = Tensor::f_run_backward(&[&divergence], &leaves, false, false)?;
            let _no_grad = tch::no_grad_guard();
            for ((patch, of), gradient) in patches.iter_mut().zip(replaced).zip(gradients) {
                let moved = patch.f_sub(&gradient.f_sign()?.f_mul_scalar(stride)?)?;
                *patch = self.project(&moved, of)?;
            }
        }
        Ok(patches)
    }

    fn fit(&self, _: &[Tensor], _: &[Tensor], _: &mut Noise) -> Result<Vec<Fitted>, GeneratorError> {
        Ok(Vec::new())
    }
}
