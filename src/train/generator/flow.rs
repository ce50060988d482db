//! The flow as a generator, eqs. (16) and (17).

use tch::{Device, Tensor};

use super::{Fitted, Generator, GeneratorError, Judge};
use crate::train::flow::{Flow, FlowSpec, Noise, STRIDE, bits_per_dimension, dequantise};
use crate::train::model::Parameters;

/// A normalizing flow that is fitted to what its samples replace.
#[derive(Debug)]
pub struct FlowGenerator(Flow);

impl FlowGenerator {
    /// A fresh flow of that preset.
    ///
    /// # Errors
    /// There is no such preset; libtorch's.
    pub fn new(preset: &str, seed: u64, device: Device) -> Result<Self, GeneratorError> {
        Ok(Self(Flow::new(FlowSpec::preset(preset)?, seed, device)?))
    }
}

impl Generator for FlowGenerator {
    fn identity(&self) -> String {
        self.0.spec().identity()
    }

    fn parameters(&self) -> &Parameters {
        self.0.parameters()
    }

    /// x⁻ = h⁻¹(z), z ~ N(0, I), less the half step that dequantised colours are above 8-bit ones in the mean: so that
    /// brightness alone does not tell the two apart.
    fn generate(
        &self,
        replaced: &[Tensor],
        _: &mut Judge<'_>,
        noise: &mut Noise,
    ) -> Result<Vec<Tensor>, GeneratorError> {
        let sample = |of: &Tensor| {
            let (_, _, height, width) = of.size4()?;
            Ok(self.0.sample(1, height, width, noise)?.f_sub_scalar(0.5)?)
        };
        replaced.iter().map(sample).collect()
    }

    /// L_mle, eq. (16): −ln p_ζ of the replaced pixels, the mean over the patches.
    ///
    /// Deviation: in bits per dimension, where the paper writes nats: the reference code has them, and λ = 0.03 was
    /// found with them.
    fn fit(
        &self,
        replaced: &[Tensor],
        _: &[Tensor],
        noise: &mut Noise,
    ) -> Result<Vec<Fitted>, GeneratorError> {
        let mut bits = Vec::new();
        for patch in replaced {
            let (_, channels, height, width) = patch.size4()?;
            let log_likelihood = self.0.log_likelihood(&dequantise(patch, noise)?, noise)?;
            bits.push(bits_per_dimension(&log_likelihood, channels * height * width)?);
        }
        if bits.is_empty() {
            return Ok(Vec::new());
        }
        let value = Tensor::f_cat(&bits, 0)?.f_mean(tch::Kind::Float)?;
        Ok(vec![Fitted { name: "bits_per_dimension", weight: 1.0, value }])
    }

    fn is_blank(&self) -> Result<bool, GeneratorError> {
        Ok(!self.0.is_initialised()?)
    }

    fn initialise(&self, images: &Tensor, noise: &mut Noise) -> Result<(), GeneratorError> {
        let (_, _, height, width) = images.size4()?;
        let [height, width] = [height, width].map(|side| side / STRIDE * STRIDE);
        let whole = images.f_narrow(2, 0, height)?.f_narrow(3, 0, width)?;
        Ok(self.0.initialise(&dequantise(&whole, noise)?, noise)?)
    }
}
