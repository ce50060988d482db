//! Activation normalisation (Glow; Kingma and Dhariwal, 2018): y = (x + shift) · e^log_scale, channel by channel.

use tch::Tensor;

use super::FlowError;
use super::axes::{area, per_channel};
use crate::train::model::Role;
use crate::train::model::declare::Declare;

/// A channel that is as good as constant in the first batch is not blown up without end. Dequantised colours, the
/// least that a flow sees, have deviations from 1/256/√12 = 0.0011 on.
const LEAST_DEVIATION: f64 = 1e-3;

/// Its parameters, both `[C]`; it is the identity until it is initialised.
#[derive(Debug)]
pub(super) struct ActNorm {
    shift: Tensor,
    log_scale: Tensor,
}

impl ActNorm {
    pub(super) fn declare(declare: &mut Declare, name: &str, channels: usize) -> Result<Self, FlowError> {
        let mut zeros = |suffix: &str| {
            let name = format!("{name}.{suffix}");
            declare.shared(&name, &vec![0.0; channels], &[channels as i64], Role::Scale)
        };
        Ok(Self { shift: zeros("shift")?, log_scale: zeros("log_scale")? })
    }

    /// From here on, `x` comes out with mean 0 and variance 1 in each channel.
    pub(super) fn initialise(&self, x: &Tensor) -> Result<(), FlowError> {
        let axes = [0i64, 2, 3];
        let _no_grad = tch::no_grad_guard();
        let mean = x.f_mean_dim(axes.as_slice(), true, None)?;
        let variance = x.f_sub(&mean)?.f_square()?.f_mean_dim(axes.as_slice(), false, None)?;
        let deviation = variance.f_sqrt()?.f_clamp_min(LEAST_DEVIATION)?;
        self.shift.shallow_clone().f_copy_(&mean.f_neg()?.f_view([-1])?)?;
        self.log_scale.shallow_clone().f_copy_(&deviation.f_log()?.f_neg()?)?;
        Ok(())
    }

    /// y, and ln |det| = h·w·Σ log_scale, the same for all pictures: `[]`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<(Tensor, Tensor), FlowError> {
        let scale = per_channel(&self.log_scale, x)?.f_exp()?;
        let y = x.f_add(&per_channel(&self.shift, x)?)?.f_mul(&scale)?;
        let log_det = self.log_scale.f_sum(x.f_kind()?)?.f_mul_scalar(area(x)?)?;
        Ok((y, log_det))
    }

    pub(super) fn inverse(&self, y: &Tensor) -> Result<Tensor, FlowError> {
        let scale = per_channel(&self.log_scale, y)?.f_neg()?.f_exp()?;
        Ok(y.f_mul(&scale)?.f_sub(&per_channel(&self.shift, y)?)?)
    }
}
