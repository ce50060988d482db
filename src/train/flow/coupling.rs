//! The affine coupling (RealNVP; Dinh et al., 2017): one half of the channels says how the other is shifted and scaled.

use tch::Tensor;

use super::axes::sum_per_image;
use super::conditioner::Conditioner;
use super::{FlowError, FlowSpec};
use crate::train::model::declare::Declare;

/// (a, b) ↦ (a, b·e^(log-scale of a) + shift of a)
#[derive(Debug)]
pub(super) struct Coupling {
    conditioner: Conditioner,
    /// Channels of a, the first ones: one more than of b where their number is odd.
    given: i64,
    /// Channels of b.
    changed: i64,
}

impl Coupling {
    pub(super) fn declare(
        declare: &mut Declare,
        name: &str,
        channels: usize,
        spec: &FlowSpec,
    ) -> Result<Self, FlowError> {
        let changed = channels / 2;
        let given = channels - changed;
        let conditioner = Conditioner::declare(declare, name, given, changed, spec)?;
        Ok(Self { conditioner, given: given as i64, changed: changed as i64 })
    }

    /// y, and ln |det| = Σ log-scale: `[N]`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<(Tensor, Tensor), FlowError> {
        let (a, b) = self.halves(x)?;
        let (shift, log_scale) = self.conditioner.forward(&a)?;
        let b = b.f_mul(&log_scale.f_exp()?)?.f_add(&shift)?;
        Ok((Tensor::f_cat(&[a, b], 1)?, sum_per_image(&log_scale)?))
    }

    pub(super) fn inverse(&self, y: &Tensor) -> Result<Tensor, FlowError> {
        let (a, b) = self.halves(y)?;
        let (shift, log_scale) = self.conditioner.forward(&a)?;
        let b = b.f_sub(&shift)?.f_mul(&log_scale.f_neg()?.f_exp()?)?;
        Ok(Tensor::f_cat(&[a, b], 1)?)
    }

    fn halves(&self, x: &Tensor) -> Result<(Tensor, Tensor), FlowError> {
        Ok((x.f_narrow(1, 0, self.given)?, x.f_narrow(1, self.given, self.changed)?))
    }
}
