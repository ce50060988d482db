//! The objectives: what a training step makes smaller (DenseHybrid, Sec. 4), and what it is compared with.
//!
//! Place: after the network, before the optimizer. An [`Objective`] is a weighted sum of [`Term`]s, and each
//! term is a mean over one of two sets of pixels: D_in, whose label is a known class, and D_out, the pasted
//! negatives. Void pixels, which are neither, are in no term. A set without pixels makes its terms 0, so a
//! batch without negatives trains the closed-set part alone.
//!
//! # Modules, in reading order
//! [`objective`] ▸ `terms`, `divergence` ▸ `pixels` ▸ `error`
//!
//! Deliberately does not know: networks, images, where negatives come from, how gradients are used.

mod divergence;
mod error;
pub mod objective;
mod pixels;
mod terms;

#[cfg(test)]
mod tests;

pub use divergence::jensen_shannon_to_uniform;
pub use error::LossError;
pub use objective::{Margin, Objective, Term, Weighted};

use pixels::Pixels;
use tch::{Kind, Tensor};

/// What [`loss`] gives.
#[derive(Debug)]
pub struct Loss {
    /// The objective, a scalar to go backward from; nats per pixel (squared for the energy margin).
    pub total: Tensor,
    /// Each term before its weight, a scalar without gradient, in the order of the objective's.
    pub terms: Vec<(&'static str, Tensor)>,
}

/// The objective on a batch: the [`sum`] of its terms.
///
/// # Errors
/// As [`sum`].
pub fn loss(
    objective: &Objective,
    logits: &Tensor,
    dataset_logits: &Tensor,
    labels: &Tensor,
    outliers: &Tensor,
    class_weights: Option<&Tensor>,
) -> Result<Loss, LossError> {
    sum(&objective.terms(), logits, dataset_logits, labels, outliers, class_weights)
}

/// Terms on a batch, each by its weight.
///
/// | argument | shape | |
/// |---|---|---|
/// | `logits` | `[N,K,h,w]` | s, at any size: upsampled to that of the labels ([`upsample`]) |
/// | `dataset_logits` | `[N,1,h,w]` | d, the logit of being an outlier: P(d_out\|x) = σ(d) |
/// | `labels` | `[N,H,W]` i64 | 0..K; 255 is void |
/// | `outliers` | `[N,H,W]` | not 0 for D_out, whatever the label there is |
/// | `class_weights` | `[K]` | w: the class term is −Σ w_y·ln P(y\|x) / Σ w_y; no other has weights |
///
/// # Errors
/// Shapes that do not fit each other, a label outside 0..K that is not 255, an error of libtorch.
pub fn sum(
    terms: &[Weighted],
    logits: &Tensor,
    dataset_logits: &Tensor,
    labels: &Tensor,
    outliers: &Tensor,
    class_weights: Option<&Tensor>,
) -> Result<Loss, LossError> {
    let (logits, dataset_logits) = (in_full_precision(logits)?, in_full_precision(dataset_logits)?);
    let pixels = Pixels::of(&logits, &dataset_logits, labels, outliers, class_weights)?;
    let size = pixels.size();
    let network = terms::Network::new(upsample(&logits, size)?, &upsample(&dataset_logits, size)?)?;

    let mut total = Tensor::f_zeros([], (logits.kind(), logits.device()))?;
    let mut values = Vec::new();
    for Weighted { weight, term } in terms {
        let value = terms::mean(*term, &network, &pixels)?;
        total = total.f_add(&value.f_mul_scalar(*weight)?)?;
        values.push((term.name(), value.f_detach()?));
    }
    Ok(Loss { total, terms: values })
}

/// Maps `[N,C,h,w]` at another height and width: bilinear, half-pixel centres, as the product's score does.
///
/// # Errors
/// An error of libtorch.
pub fn upsample(maps: &Tensor, (height, width): (i64, i64)) -> Result<Tensor, LossError> {
    if maps.size().get(2..) == Some(&[height, width]) {
        return Ok(maps.shallow_clone());
    }
    Ok(maps.f_upsample_bilinear2d([height, width], false, None, None)?)
}

/// bf16 has 8 bits for a logit: too few for a difference of logarithms.
fn in_full_precision(maps: &Tensor) -> Result<Tensor, LossError> {
    match maps.kind() {
        Kind::Half | Kind::BFloat16 => Ok(maps.f_to_kind(Kind::Float)?),
        _ => Ok(maps.shallow_clone()),
    }
}
