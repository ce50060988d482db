//! The anomaly score and the K+1 labels: from a segmenter's logits to one label and one score a pixel.
//!
//! [`Score`] names the formula, [`Scoring`] is one ready to compute. [`reference`](mod@reference) is the
//! definition, plain and in f64; [`cpu`] is the fast pass, one sweep over the output that upsamples, takes the log-sum-exp and the argmax,
//! scores and thresholds, and never holds the logits at full size. Knows nothing of images.
//!
//! Upsampling comes first and scoring after, as in the method's reference code: the two do not commute.

pub mod cpu;
mod math;
pub mod moments;
pub mod reference;
mod scoring;

pub use scoring::{Fitted, Scoring, ScoringError};

use serde::{Deserialize, Serialize};
use std::fmt;

/// A function of logits and dataset logits; higher is more anomalous, everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Score {
    /// `ln P(d_out|x) − ln p̂(x)`, eq. (9): the discriminative and the generative score together.
    Hybrid,
    /// `−ln p̂(x) = −LSE(s)`, eq. (6): also known as the energy score.
    #[serde(alias = "energy")]
    Generative,
    /// `ln P(d_out|x)`, eq. (8).
    Discriminative,
    /// `−max_y P(y|x)`, maximum softmax probability.
    Msp,
    /// `−max_y s_y`.
    MaxLogit,
    /// `H(P(y|x)) = −Σ_y P(y|x) ln P(y|x)`, in nats.
    Entropy,
    /// `−P(d_in|x)·max_y P(y|x)`: MSP, discounted where the dataset posterior sees an outlier.
    OhMsp,
    /// `−(max_y s_y − μ_ŷ)/σ_ŷ`, standardised max logit (Jung et al., 2021): with mean and deviation of what
    /// the predicted class ŷ shows on training inliers.
    ///
    /// Deviation: without the boundary suppression and dilated smoothing that were published with it.
    Sml,
    /// The generative score of rectified logits, ReAct (Sun et al., 2021): of what the class head makes of
    /// pre-logits clipped at a quantile of the training set's. The labels are those of these logits too.
    /// Clipping is the segmenter's part.
    React,
}

impl Score {
    /// Every score, with the name it is asked for by.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Hybrid, "hybrid"),
        (Self::Generative, "generative"),
        (Self::Discriminative, "discriminative"),
        (Self::Msp, "msp"),
        (Self::MaxLogit, "max-logit"),
        (Self::Entropy, "entropy"),
        (Self::OhMsp, "oh-msp"),
        (Self::Sml, "sml"),
        (Self::React, "react"),
    ];

    /// The score of that name; `energy` is the generative one.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = if name == "energy" { "generative" } else { name };
        Self::ALL.iter().find(|(_, n)| *n == name).map(|(s, _)| *s)
    }

    /// The name in configuration, manifests and diagnostics.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(s, _)| *s == self).map_or("", |(_, n)| n)
    }

    /// Whether the formula reads P(d_out|x), so that the model must have `dataset_logits`.
    pub fn needs_dataset_logits(self) -> bool {
        matches!(self, Self::Hybrid | Self::Discriminative | Self::OhMsp)
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a segmenter says of a frame, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Outputs<'a> {
    /// `[K, h, w]`.
    pub logits: Logits<'a>,
    /// `[1|2, h, w]` on the same grid, of an open-set model.
    pub dataset_logits: Option<Logits<'a>>,
}

/// One of a segmenter's outputs, borrowed: channel-major planes of `height × width`.
#[derive(Debug, Clone, Copy)]
pub struct Logits<'a> {
    /// `[channels, height, width]`, row-major.
    pub data: &'a [f32],
    /// K for class logits; 1 (logit of being an outlier) or 2 (inlier, outlier) for dataset logits.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// Where along one axis of the logits each output pixel looks: two neighbours and the share of the second.
///
/// Half-pixel centres, clamped at the borders (bilinear with `align_corners=False`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Taps {
    /// Per output pixel: first neighbour, second neighbour, weight of the second in 0..1.
    pub taps: Vec<(u32, u32, f32)>,
}

impl Taps {
    /// `count` output pixels, the centre of the i-th at `(i + ½)·scale + offset` of an axis that is
    /// `length` logits long and one unit a logit.
    pub fn new(count: usize, scale: f64, offset: f64, length: usize) -> Self {
        let last = length.saturating_sub(1);
        let taps = (0..count)
            .map(|i| {
                let u = ((i as f64 + 0.5) * scale + offset - 0.5).clamp(0.0, last as f64);
                let first = (u.floor() as usize).min(last);
                (first as u32, (first + 1).min(last) as u32, (u - first as f64) as f32)
            })
            .collect();
        Self { taps }
    }
}

/// Where the score looks and where it writes: the output image and the rectangle of it that is scored.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sampling {
    /// Width of the output image in pixels.
    pub width: usize,
    /// Height of the output image in pixels.
    pub height: usize,
    /// First scored column; what lies outside is [`IGNORE`](crate::labels::IGNORE) and NaN.
    pub left: usize,
    /// First scored row.
    pub top: usize,
    /// One tap a scored column.
    pub columns: Taps,
    /// One tap a scored row.
    pub rows: Taps,
}

impl Sampling {
    /// The whole output, `height × width`, over logits of `logit_height × logit_width`.
    pub fn whole(width: usize, height: usize, logit_width: usize, logit_height: usize) -> Self {
        let scale = |to: usize, from: usize| from as f64 / to as f64;
        Self {
            width,
            height,
            left: 0,
            top: 0,
            columns: Taps::new(width, scale(width, logit_width), 0.0, logit_width),
            rows: Taps::new(height, scale(height, logit_height), 0.0, logit_height),
        }
    }
}

/// What one pass over a frame found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pixels that were scored.
    pub scored: u64,
    /// Of those, labelled UNKNOWN, the non-finite ones included.
    pub unknown: u64,
    /// Of those, with a NaN or infinite logit: UNKNOWN, and NaN in the anomaly map.
    pub non_finite: u64,
}

impl Counts {
    /// Share of scored pixels labelled UNKNOWN, 0 where none were scored.
    pub fn unknown_share(&self) -> f64 {
        if self.scored == 0 { 0.0 } else { self.unknown as f64 / self.scored as f64 }
    }

    /// Share of scored pixels with non-finite logits.
    pub fn non_finite_share(&self) -> f64 {
        if self.scored == 0 { 0.0 } else { self.non_finite as f64 / self.scored as f64 }
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.scored += other.scored;
        self.unknown += other.unknown;
        self.non_finite += other.non_finite;
    }
}
