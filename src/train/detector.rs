//! The detector of Table V's last rows: a density fitted to pre-logits, in the place of the unnormalised one of
//! eq. (6). Its scores are files, which `open-set metrics` judges beside the product's own.
//!
//! Deviation: the paper trains such a flow end to end, with negatives; here the segmenter is done, and the density is
//! fitted to what it makes of inliers.
//!
//! Deliberately does not know: how the segmenter was trained, files, metrics.

use rand::RngExt;
use tch::{Kind, Tensor};

use super::data::{Normalisation, generator as random};
use super::flow::{FeatureDensity, FlowError};
use super::losses::{LossError, upsample};
use super::model::{Mode, Network, NetworkError, Outputs};
use super::optimizer::{self, Gradients, Optimizer};
use crate::dataset::{Dataset, DatasetError};
use crate::images::Rgb;

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum DetectorError {
    /// A frame.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The density.
    #[error(transparent)]
    Density(#[from] FlowError),
    /// The segmenter.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Scores at full size.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// Frames without anything to fit it to.
    #[error("no pixel of {frames} frames is of a known class: is the data set labelled?")]
    NoInlier {
        /// How many were looked at.
        frames: usize,
    },
    /// Nothing to go on with.
    #[error(
        "the density's fit is no number any more at step {step}: pre-logits that are none, or too large?"
    )]
    NotFinite {
        /// Counted from 0.
        step: u64,
    },
    /// libtorch.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
}

/// How the density is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// Gradient steps.
    pub steps: u64,
    /// Modules of the density.
    pub modules: usize,
    /// Of everything random.
    pub seed: u64,
}

/// Frames a step.
const FRAMES: usize = 2;
/// Pixels of a frame a step.
const PIXELS: usize = 2048;

/// Fits a density to the pre-logits of labelled pixels; tells its mean every so often.
///
/// # Errors
/// A frame that cannot be read, none with an inlier; a density that is no number; the segmenter; libtorch's.
pub fn fit(
    network: &dyn Network,
    normalisation: &Normalisation,
    dataset: &Dataset,
    classes: usize,
    fit: Fit,
    mut tell: impl FnMut(u64, f64),
) -> Result<FeatureDensity, DetectorError> {
    let mut density: Option<(FeatureDensity, Optimizer)> = None;
    for step in 0..fit.steps {
        let found = inliers(network, normalisation, dataset, classes, (fit.seed, step))?;
        let Some(features) = found else { continue };
        let (density, optimizer) = match &mut density {
            Some(there) => there,
            None => {
                let (_, channels) = features.size2()?;
                let device = network.parameters().device();
                let fresh = FeatureDensity::new(channels as usize, fit.modules, fit.seed, device)?;
                fresh.initialise(&features)?;
                let optimizer = Optimizer::new(&rule(), fresh.parameters())?;
                density.insert((fresh, optimizer))
            }
        };
        let mean = density.log_density(&features)?.f_mean(Kind::Float)?;
        let mut gradients = Gradients::default();
        gradients.add(&mean.f_neg()?, density.parameters(), false)?;
        let (norm, told) = (gradients.norm()?, mean.f_double_value(&[])?);
        if !norm.is_finite() || !told.is_finite() {
            return Err(DetectorError::NotFinite { step });
        }
        gradients.clip(norm, 100.0)?;
        let left = 1.0 - step as f64 / fit.steps as f64;
        optimizer.step(density.parameters(), &gradients, left)?;
        tell(step, told);
    }
    let frames = FRAMES.saturating_mul(fit.steps as usize);
    Ok(density.ok_or(DetectorError::NoInlier { frames })?.0)
}

fn rule() -> optimizer::Settings {
    let lr_scale = optimizer::LrScale::default();
    let (betas, epsilon) = ([0.9, 0.999], 1e-8);
    let kind = optimizer::Rule::Adamax;
    optimizer::Settings { kind, lr: 1e-3, lr_scale, weight_decay: 0.0, betas, epsilon, momentum: 0.0 }
}

/// Pre-logits of some labelled pixels of some frames, `[M, C]`; `None`: these have none.
fn inliers(
    network: &dyn Network,
    normalisation: &Normalisation,
    dataset: &Dataset,
    classes: usize,
    (seed, step): (u64, u64),
) -> Result<Option<Tensor>, DetectorError> {
    let mut rng = random(seed, ["detector", "frames"], step);
    let mut found = Vec::new();
    for _ in 0..FRAMES {
        let sample = &dataset.samples()[rng.random_range(0..dataset.len())];
        let loaded = dataset.read(sample)?;
        let (width, height) = (loaded.rgb.width, loaded.rgb.height);
        let pre_logits = forward(network, normalisation, &loaded.rgb)?.pre_logits;
        let (_, channels, rows, columns) = pre_logits.size4()?;
        let cells = pre_logits.f_view([channels, rows * columns])?.f_permute([1, 0])?;
        // The label in the middle of each cell.
        let middle = |cell: i64, cells: i64, side: usize| {
            ((2 * cell + 1) as usize * side / (2 * cells) as usize).min(side - 1)
        };
        let label = |cell: i64| {
            let (x, y) = (middle(cell % columns, columns, width), middle(cell / columns, rows, height));
            usize::from(loaded.truth.labels[y * width + x])
        };
        let mut known: Vec<i64> = (0..rows * columns).filter(|cell| label(*cell) < classes).collect();
        for i in 0..known.len().min(PIXELS) {
            let other = rng.random_range(i..known.len());
            known.swap(i, other);
        }
        known.truncate(PIXELS);
        if !known.is_empty() {
            found.push(cells.f_index_select(0, &Tensor::f_from_slice(&known)?.f_to_device(cells.device())?)?);
        }
    }
    Ok(if found.is_empty() { None } else { Some(Tensor::f_cat(&found, 0)?) })
}

fn forward(
    network: &dyn Network,
    normalisation: &Normalisation,
    rgb: &Rgb,
) -> Result<Outputs, DetectorError> {
    let _no_grad = tch::no_grad_guard();
    let device = network.parameters().device();
    let of = |values: &[f32; 3]| Tensor::f_from_slice(values)?.f_view([1, 1, 1, 3]);
    let pixels = Tensor::f_from_slice(&rgb.data)?.f_view([1, rgb.height as i64, rgb.width as i64, 3])?;
    let pixels = pixels.f_to_kind(Kind::Float)?.f_div_scalar(255.0)?;
    let pixels = pixels.f_sub(&of(&normalisation.mean)?)?.f_div(&of(&normalisation.std)?)?;
    Ok(network.forward(&pixels.f_permute([0, 3, 1, 2])?.f_to_device(device)?, Mode::Eval)?)
}

/// The two scores of a frame, `[height, width]`, nats, up is anomalous.
#[derive(Debug)]
pub struct Scores {
    /// −ln p(z)
    pub generative: Vec<f32>,
    /// ln P(d_out|x) − ln p(z)
    pub hybrid: Vec<f32>,
}

/// Of an image at its own size; both densities are upsampled before the score is made, as the product does.
///
/// # Errors
/// The segmenter; libtorch's.
pub fn score(
    network: &dyn Network,
    normalisation: &Normalisation,
    density: &FeatureDensity,
    rgb: &Rgb,
) -> Result<Scores, DetectorError> {
    let _no_grad = tch::no_grad_guard();
    let Outputs { pre_logits, dataset_logits, .. } = forward(network, normalisation, rgb)?;
    let (_, channels, rows, columns) = pre_logits.size4()?;
    let features = pre_logits.f_view([channels, rows * columns])?.f_permute([1, 0])?.f_contiguous()?;
    let size = (rgb.height as i64, rgb.width as i64);
    let log_p = upsample(&density.log_density(&features)?.f_view([1, 1, rows, columns])?, size)?;
    let log_p_outlier = upsample(&dataset_logits, size)?.f_log_sigmoid()?;
    let map = |t: Tensor| -> Result<Vec<f32>, tch::TchError> {
        let mut values = vec![0.0; t.numel()];
        t.f_to_device(tch::Device::Cpu)?.f_contiguous()?.f_copy_data(&mut values, t.numel())?;
        Ok(values)
    };
    Ok(Scores { generative: map(log_p.f_neg()?)?, hybrid: map(log_p_outlier.f_sub(&log_p)?)? })
}
