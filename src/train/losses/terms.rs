//! Each [`Term`] on tensors; the gradient is libtorch's.
//!
//! `[N,K,H,W]` is the one large thing here, so few steps make one: the log-posterior, and, on need, the
//! logits of the outliers, which are few, as rows of their own.

use super::pixels::{Pixels, VOID, mean as mean_over, zero_outside};
use super::{LossError, Term, jensen_shannon_to_uniform};
use tch::{Reduction, Tensor};

/// What the network gave, at the size of the labels.
pub(super) struct Network {
    /// s `[N,K,H,W]`
    logits: Tensor,
    /// d `[N,H,W]`
    dataset_logits: Tensor,
}

impl Network {
    /// Takes `[N,K,H,W]` and `[N,1,H,W]`.
    pub(super) fn new(logits: Tensor, dataset_logits: &Tensor) -> Result<Self, LossError> {
        Ok(Self { logits, dataset_logits: dataset_logits.f_squeeze_dim(1)? })
    }

    /// s of the outliers, `[M,K]`.
    fn outliers(&self, pixels: &Pixels) -> Result<Tensor, LossError> {
        Ok(self.logits.f_permute([0, 2, 3, 1])?.f_index(&[Some(&pixels.outliers)])?)
    }
}

/// The mean that a term is.
pub(super) fn mean(term: Term, network: &Network, pixels: &Pixels) -> Result<Tensor, LossError> {
    match term {
        Term::Class => class(&network.logits, pixels),
        Term::DatasetIn => {
            let surprise = network.dataset_logits.f_neg()?.f_log_sigmoid()?.f_neg()?;
            mean_over(&zero_outside(&surprise, &pixels.inliers)?, &pixels.inliers)
        }
        Term::DatasetOut => {
            let surprise = network.dataset_logits.f_log_sigmoid()?.f_neg()?;
            mean_over(&zero_outside(&surprise, &pixels.outliers)?, &pixels.outliers)
        }
        Term::Likelihood { floor } => {
            let log_likelihood = network.outliers(pixels)?.f_logsumexp(1, false)?;
            let log_likelihood = match floor {
                Some(floor) => log_likelihood.f_clamp_min(floor)?,
                None => log_likelihood,
            };
            mean_over(&log_likelihood, &pixels.outliers)
        }
        Term::Uniform => {
            let surprise = network.outliers(pixels)?.f_log_softmax(1, None)?.f_neg()?;
            mean_over(&surprise.f_mean_dim(1, false, None)?, &pixels.outliers)
        }
        Term::JensenShannon => jensen_shannon_to_uniform(&network.outliers(pixels)?),
        Term::EnergyIn { margin } => {
            let energy = network.logits.f_logsumexp(1, false)?.f_neg()?;
            let over = energy.f_sub_scalar(margin)?.f_relu()?.f_square()?;
            mean_over(&zero_outside(&over, &pixels.inliers)?, &pixels.inliers)
        }
        Term::EnergyOut { margin } => {
            let energy = network.outliers(pixels)?.f_logsumexp(1, false)?.f_neg()?;
            let under = energy.f_neg()?.f_add_scalar(margin)?.f_relu()?.f_square()?;
            mean_over(&under, &pixels.outliers)
        }
    }
}

/// Eq. (10), as PyTorch's cross-entropy but for batches without an inlier, whose mean would be 0/0.
fn class(logits: &Tensor, pixels: &Pixels) -> Result<Tensor, LossError> {
    let log_posterior = logits.f_log_softmax(1, None)?;
    let weights = pixels.weights.as_ref().map(|(weights, _)| weights);
    let sum = log_posterior.f_nll_loss2d(&pixels.labels, weights, Reduction::Sum, VOID)?;
    match &pixels.weights {
        // Where all inliers are of classes of weight 0, the sum is 0 too.
        Some((_, weight)) => Ok(sum.f_div(&weight.f_clamp_min(f64::from(f32::MIN_POSITIVE))?)?),
        None => mean_over(&sum, &pixels.inliers),
    }
}
