//! How likely a picture is, in its terms and in bits.

use std::f64::consts::LN_2;

use tch::Tensor;

use super::FlowError;

/// ln p(x) of each picture, nats, in its terms.
#[derive(Debug)]
pub struct LogLikelihood {
    /// ln p(latents): `[N]`.
    pub latents: Tensor,
    /// ln |det| of all steps: `[N]`.
    pub volume: Tensor,
    /// −ln N(e) + Σ ln σ of the noise: `[N]`.
    pub noise: Tensor,
    /// −3·H·W·ln 256, for a density of colours from 0 to 256, not of the interval of length 1 that the flow sees.
    pub scale: f64,
}

impl LogLikelihood {
    /// Their sum, `[N]`: ln p(x) where the flow has no noise; otherwise one draw of a variable whose mean is a lower
    /// bound of it.
    ///
    /// # Errors
    /// libtorch's.
    pub fn total(&self) -> Result<Tensor, FlowError> {
        Ok(self.latents.f_add(&self.volume)?.f_add(&self.noise)?.f_add_scalar(self.scale)?)
    }
}

/// −ln p / (D·ln 2) for D = `dimensions` of one picture, 3·H·W: 8 for colours that are all equally likely.
///
/// Deviation: the paper's L_mle, eq. (16), is in nats; its reference code minimises this, with which λ = .03 goes.
///
/// # Errors
/// libtorch's.
pub fn bits_per_dimension(log_likelihood: &Tensor, dimensions: i64) -> Result<Tensor, FlowError> {
    Ok(log_likelihood.f_mul_scalar(-1.0 / (dimensions as f64 * LN_2))?)
}
