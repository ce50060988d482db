//! Which pixels a term is a mean over: D_in, D_out, and neither.

use super::LossError;
use crate::labels::IGNORE;
use tch::{Kind, Tensor};

/// Void, as labels in tensors have it.
pub(super) const VOID: i64 = IGNORE as i64;

/// The two sets of pixels of a batch. Maps are `[N,H,W]`.
pub(super) struct Pixels {
    /// y on inliers, 255 elsewhere.
    pub(super) labels: Tensor,
    pub(super) inliers: Tensor,
    pub(super) outliers: Tensor,
    /// Where classes have weights: w `[K]`, and the sum of w_y over the inliers.
    pub(super) weights: Option<(Tensor, Tensor)>,
}

impl Pixels {
    pub(super) fn of(
        logits: &Tensor,
        dataset_logits: &Tensor,
        labels: &Tensor,
        outliers: &Tensor,
        class_weights: Option<&Tensor>,
    ) -> Result<Self, LossError> {
        let (s, y) = (logits.size(), labels.size());
        let wrong = |what, got, expected| {
            Err(LossError::Shape { what, got, expected, logits: s.clone(), labels: y.clone() })
        };
        let [n, classes, h, w] = s[..] else {
            return wrong("logits", s.clone(), "[N,K,h,w]");
        };
        if y.len() != 3 || y[0] != n {
            return wrong("labels", y.clone(), "[N,H,W]");
        }
        if dataset_logits.size() != [n, 1, h, w] {
            return wrong("dataset_logits", dataset_logits.size(), "[N,1,h,w]");
        }
        if outliers.size() != y {
            return wrong("outliers", outliers.size(), "[N,H,W]");
        }
        if let Some(weights) = class_weights.filter(|w| w.size() != [classes]) {
            return wrong("class_weights", weights.size(), "[K]");
        }

        let outliers = outliers.f_ne(0)?;
        let inliers = labels.f_ne(VOID)?.f_logical_and(&outliers.f_logical_not()?)?;
        // Void becomes a class for a moment, so that two extremes tell whether any label is none.
        let known = labels.f_where_self(&inliers, &labels.f_zeros_like()?)?;
        if known.numel() > 0 {
            for extreme in [known.f_min()?, known.f_max()?] {
                let got = extreme.f_int64_value(&[])?;
                if !(0..classes).contains(&got) {
                    return Err(LossError::Label { got, classes });
                }
            }
        }
        let weights = match class_weights {
            Some(weights) => {
                let weights = weights.f_to_kind(logits.kind())?;
                let of_pixels = weights.f_index_select(0, &known.f_flatten(0, -1)?)?.f_reshape(&y)?;
                let sum = zero_outside(&of_pixels, &inliers)?.f_sum(logits.kind())?;
                Some((weights, sum))
            }
            None => None,
        };
        let labels = labels.f_masked_fill(&inliers.f_logical_not()?, VOID)?;
        Ok(Self { labels, inliers, outliers, weights })
    }

    /// Height and width.
    pub(super) fn size(&self) -> (i64, i64) {
        let size = self.labels.size();
        (size[1], size[2])
    }
}

/// E over a set: `values` are 0 outside of it, and an empty set has the mean 0.
pub(super) fn mean(values: &Tensor, set: &Tensor) -> Result<Tensor, LossError> {
    let count = set.f_sum(Kind::Int64)?.f_clamp_min(1)?;
    Ok(values.f_sum(values.kind())?.f_div(&count)?)
}

/// The values in the set, and 0 elsewhere, whatever was there: 0 · ∞ would not be 0.
pub(super) fn zero_outside(values: &Tensor, set: &Tensor) -> Result<Tensor, LossError> {
    Ok(values.f_masked_fill(&set.f_logical_not()?, 0.0)?)
}
