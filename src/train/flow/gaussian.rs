//! Normal densities: of the latents, channel by channel, and of noise.

use std::f64::consts::TAU;

use tch::{Kind, Tensor};

use super::axes::{per_channel, sum_per_image};
use super::{FlowError, Noise};
use crate::train::model::Role;
use crate::train::model::declare::Declare;

/// Independent normal numbers, of one mean and one deviation for each channel. Parameters `[C]`, 0 at first: N(0, 1).
#[derive(Debug)]
pub(super) struct Gaussian {
    mean: Tensor,
    log_deviation: Tensor,
}

impl Gaussian {
    pub(super) fn declare(declare: &mut Declare, name: &str, channels: usize) -> Result<Self, FlowError> {
        let mut zeros = |suffix: &str| {
            let name = format!("{name}.{suffix}");
            declare.shared(&name, &vec![0.0; channels], &[channels as i64], Role::Scale)
        };
        Ok(Self { mean: zeros("mean")?, log_deviation: zeros("log_deviation")? })
    }

    /// ln p(z), nats: `[N]`.
    pub(super) fn log_density(&self, z: &Tensor) -> Result<Tensor, FlowError> {
        let log_deviation = per_channel(&self.log_deviation, z)?;
        let e = z.f_sub(&per_channel(&self.mean, z)?)?.f_mul(&log_deviation.f_neg()?.f_exp()?)?;
        let widths = sum_per_image(&log_deviation.f_expand_as(z)?)?;
        Ok(log_density(&e)?.f_sub(&widths)?)
    }

    /// mean + deviation·e, differentiable with respect to both: `[count,C,height,width]`.
    pub(super) fn sample(
        &self,
        count: i64,
        height: i64,
        width: i64,
        noise: &mut Noise,
    ) -> Result<Tensor, FlowError> {
        let shape = [count, self.mean.size1()?, height, width];
        let e = noise.normal(&shape, (Kind::Float, self.mean.device()))?;
        let spread = e.f_mul(&per_channel(&self.log_deviation, &e)?.f_exp()?)?;
        Ok(spread.f_add(&per_channel(&self.mean, &e)?)?)
    }
}

/// ln N(e; 0, 1) of each picture, nats: `[N]`.
pub(super) fn log_density(e: &Tensor) -> Result<Tensor, FlowError> {
    let (count, ..) = e.size4()?;
    let dimensions = e.numel() as f64 / count.max(1) as f64;
    let squares = sum_per_image(&e.f_square()?)?;
    Ok(squares.f_mul_scalar(-0.5)?.f_sub_scalar(0.5 * dimensions * TAU.ln())?)
}
