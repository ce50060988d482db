//! The manifest's shape, and what must hold between its entries.

use super::statistics::Statistics;
use crate::score::Score;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The precision variant of a file run as it is.
pub const PRECISION: &str = "f32";

/// `models/NAME.yaml` as written. Unknown keys are refused: a misspelt one would be a silent default.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// How the model is called in logs and diagnostics.
    pub name: String,
    /// The ONNX file, relative to the manifest.
    pub file: PathBuf,
    /// Of the ONNX file, 64 hex digits.
    pub sha256: String,
    /// The K known classes in the order of the logits.
    pub classes: Vec<ClassEntry>,
    /// What the network is fed.
    pub input: InputSpec,
    /// Input sizes offered, the preferred one first.
    pub input_sizes: Vec<InputSizeEntry>,
    /// Names of the graph's outputs.
    pub outputs: OutputNames,
    /// How the model came to be, for people.
    pub training: Training,
    /// Thresholds, one per (score, temperature, input size, precision).
    #[serde(default)]
    pub calibrations: Vec<Calibration>,
    /// Of the training set, for the scores that need them.
    #[serde(default)]
    pub statistics: Statistics,
}

/// A class in the manifest.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassEntry {
    /// E.g. `road`.
    pub name: String,
    /// sRGB.
    pub color: [u8; 3],
}

/// Order of the input's three planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// How a model's training resized its images; another one at run time shifts its scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// Two neighbours an axis, half-pixel centres, no low-pass: OpenCV's `INTER_LINEAR`, PyTorch's
    /// `bilinear` with `align_corners=False`.
    #[default]
    Bilinear,
    /// The mean of what an output pixel covers, OpenCV's `INTER_AREA`; where it enlarges, bilinear.
    Area,
}

/// The image input: f32 `[1, 3, H, W]`, `(x/255 − mean) / std`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// The graph input's name.
    pub name: String,
    /// Order of the planes.
    pub channels: Channels,
    /// Per plane, of values in 0..1.
    pub mean: [f32; 3],
    /// Per plane, of values in 0..1.
    pub std: [f32; 3],
    /// How training resized its images.
    pub interpolation: Interpolation,
}

impl Default for InputSpec {
    fn default() -> Self {
        Self {
            name: "image".into(),
            channels: Channels::Rgb,
            mean: [0.0; 3],
            std: [1.0; 3],
            interpolation: Interpolation::Bilinear,
        }
    }
}

/// One input size and how much coarser its logits are.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSizeEntry {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Input pixels a logit, along each axis.
    pub stride: usize,
}

/// Names of the graph's outputs, as the contract calls them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputNames {
    /// f32 `[1, K, h, w]`.
    pub logits: String,
    /// f32 `[1, 1|2, h, w]`; absent from a closed-set model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_logits: Option<String>,
    /// f32 `[1, C, h, w]`; only some scores read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_logits: Option<String>,
}

/// Where a model comes from, in words.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Encoder, decoder, heads.
    pub network: String,
    /// What it was trained on, and how.
    pub data: String,
    /// What may be done with the weights.
    pub licence: String,
}

/// A threshold and what it was chosen on. It belongs to one score at one temperature and input size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// What the threshold is one of.
    pub score: Score,
    /// Of the score; absent: 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub temperature: f32,
    /// Network input, `WIDTHxHEIGHT`.
    pub input_size: String,
    /// Precision variant of the weights, `f32` for the file as it is.
    pub precision: String,
    /// In the score's unit; above it is unknown.
    pub threshold: f32,
    /// How it was chosen.
    #[serde(default)]
    pub method: Method,
    /// What was asked for: of [`Method::Empirical`] the TPR, of [`Method::Conformal`] 1 − α.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<f64>,
    /// Of [`Method::Conformal`]: the bound holds with confidence 1 − δ; absent, it holds in expectation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<f64>,
    /// Share of anomalous pixels above it on that set.
    pub tpr: f64,
    /// Share of known pixels above it on that set, if it was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fpr: Option<f64>,
    /// Name of the calibration set.
    pub set: String,
    /// Over the set's files; absent where it was not made by this product's own tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_sha256: Option<String>,
    /// Images in it.
    pub frames: u64,
    /// Day it was made, UTC, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// SHA-256 of the ONNX file it was made with: another file refuses it.
    pub model_sha256: String,
    /// Of the score on that set: what a stream is held against to tell whether the threshold still fits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<ScoreHistogram>,
}

/// How a threshold was chosen; [`crate::calibrate`] says what each promises.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A true positive rate of the set's pooled anomalous pixels.
    #[default]
    Empirical,
    /// A bound on the miss rate of images exchangeable with the set's.
    Conformal,
}

/// How a score is distributed over pixels that are not anomalous, the unlabelled ones included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreHistogram {
    /// `[B − 1]`, rising: the first bin is what is not above the first edge, the last what is above the last.
    pub edges: Vec<f32>,
    /// `[B]`, of the pixels, adding up to 1.
    pub shares: Vec<f64>,
}

fn one() -> f32 {
    1.0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_one(temperature: &f32) -> bool {
    *temperature == 1.0
}

impl Manifest {
    /// What serde's types cannot say.
    ///
    /// # Errors
    /// Which entry is impossible, and what would do.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.input_sizes.is_empty() {
            return Err("input_sizes is empty: offer at least one".into());
        }
        if let Some(s) = self.input_sizes.iter().find(|s| s.width == 0 || s.height == 0 || s.stride == 0) {
            return Err(format!(
                "input_sizes: {}x{} stride {}: all must be positive",
                s.width, s.height, s.stride
            ));
        }
        let InputSpec { mean, std, .. } = &self.input;
        if mean.iter().any(|m| !m.is_finite()) || std.iter().any(|s| !s.is_finite() || *s <= 0.0) {
            return Err(format!("input: mean {mean:?}, std {std:?}: finite numbers, std above 0"));
        }
        for c in &self.calibrations {
            let same = |o: &&Calibration| {
                (o.score, o.temperature, &o.input_size) == (c.score, c.temperature, &c.input_size)
            };
            if self.calibrations.iter().filter(same).count() > 1 {
                return Err(format!("two calibrations of {}: keep one", c.what()));
            }
            self.check_calibration(c).map_err(|reason| format!("calibration of {}: {reason}", c.what()))?;
        }
        self.statistics.check(self.classes.len(), |fit| {
            self.check_made_with(&fit.input_size, &fit.precision, &fit.model_sha256, "fit")
        })
    }

    fn check_calibration(&self, c: &Calibration) -> Result<(), String> {
        c.score.check_temperature(c.temperature).map_err(|e| e.to_string())?;
        if !c.threshold.is_finite() || !(0.0..=1.0).contains(&c.tpr) {
            return Err(format!(
                "threshold {}, tpr {}: threshold finite, tpr between 0 and 1",
                c.threshold, c.tpr
            ));
        }
        if let Some(level) = [c.level, c.delta].into_iter().flatten().find(|l| !(0.0..=1.0).contains(l)) {
            return Err(format!("level or delta {level}: between 0 and 1"));
        }
        if let Some(ScoreHistogram { edges, shares }) = &c.histogram {
            let rising = edges.iter().all(|e| e.is_finite()) && edges.is_sorted_by(|a, b| a < b);
            let whole = (shares.iter().sum::<f64>() - 1.0).abs() < 1e-3 && shares.iter().all(|s| *s >= 0.0);
            if !rising || !whole || shares.len() != edges.len() + 1 {
                return Err(format!(
                    "histogram of {} edges and {} shares: finite rising edges, one share more than edges, all \
                     adding up to 1",
                    edges.len(),
                    shares.len()
                ));
            }
        }
        self.check_made_with(&c.input_size, &c.precision, &c.model_sha256, "calibrate")
    }

    /// Takes out what was made with another file than the one described now.
    ///
    /// Says what that was.
    pub(super) fn drop_stale(&mut self) -> Vec<String> {
        let current = self.sha256.clone();
        let stale = |sha256: &str| !sha256.eq_ignore_ascii_case(&current);
        let mut dropped = Vec::new();
        self.calibrations.retain(|c| {
            let kept = !stale(&c.model_sha256);
            if !kept {
                dropped.push(format!("calibration of {}", c.what()));
            }
            kept
        });
        if self.statistics.sml.take_if(|s| stale(&s.fit.model_sha256)).is_some() {
            dropped.push("statistics of sml".into());
        }
        if self.statistics.react.take_if(|r| stale(&r.fit.model_sha256)).is_some() {
            dropped.push("statistics of react".into());
        }
        dropped
    }

    /// Whether what was made with this model was made with what it is now; `again` is what to do if not.
    fn check_made_with(
        &self,
        input_size: &str,
        precision: &str,
        model_sha256: &str,
        again: &str,
    ) -> Result<(), String> {
        let offered = |s: &InputSizeEntry| input_size == format!("{}x{}", s.width, s.height);
        if precision != PRECISION || !self.input_sizes.iter().any(offered) {
            return Err(format!(
                "input_size {input_size}, precision {precision}: the size must be one of input_sizes, the \
                 precision {PRECISION}"
            ));
        }
        if !model_sha256.eq_ignore_ascii_case(&self.sha256) {
            return Err(format!(
                "made with the file of sha256 {model_sha256}, the manifest's is {}: {again} again, or remove \
                 the block",
                self.sha256
            ));
        }
        Ok(())
    }
}

impl Calibration {
    /// What it is the threshold of, e.g. `hybrid at 480x360`.
    pub fn what(&self) -> String {
        format!("{} at {}", self.score.tempered(self.temperature), self.input_size)
    }
}
