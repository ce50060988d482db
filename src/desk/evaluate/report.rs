//! Every figure of an evaluation, read off the tallies: what `--json` prints and the table shows.
//!
//! Fractions, not percent. A figure that is not defined is null, and `undefined` says why.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;

use super::judging::{ByDistance, Fold, Judging};
use super::tally::Tally;
use crate::desk::Failure;
use crate::desk::survey::Survey;
use crate::desk::walk::{Latency, Setup};
use crate::frame::Size;
use crate::metrics::confusion::Confusion;
use crate::metrics::curve::{Curve, CurveBounds};
use crate::metrics::distance;
use crate::metrics::reliability::{Reliability, ReliabilityBin};
use crate::model::Model;
use crate::score::Scoring;

/// A figure for each class.
type PerClass = Vec<Option<f64>>;

/// An evaluation.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub version: &'static str,
    #[serde(flatten)]
    pub setup: Option<Setup>,
    pub dataset: String,
    /// Over all files judged; null where one failed.
    pub set_sha256: Option<String>,
    pub frames: u64,
    pub failed: Vec<Failure>,
    /// That are annotated and were looked at.
    pub pixels: u64,
    pub anomalous: u64,
    /// Not annotated, or not looked at.
    pub ignored: u64,
    /// Of a score that is NaN: they count as most anomalous.
    pub non_finite: u64,
    pub classes: Vec<String>,
    pub miou: Option<f64>,
    pub iou: PerClass,
    #[serde(flatten)]
    pub first: ScoreReport,
    /// Of the other scores asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<ScoreReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_image: Option<PerImage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_distance: Vec<DistanceReport>,
    /// Expected calibration error of P(d_out|x).
    pub ece: Option<f64>,
    pub reliability: Vec<BinReport>,
    pub latency_ms: Option<Latency>,
    /// From the first file read to the last figure.
    pub wall_s: f64,
    /// Of these, in the network.
    pub network_share: f64,
    pub undefined: BTreeMap<&'static str, &'static str>,
}

/// What one score is worth.
#[derive(Debug, Serialize)]
pub(super) struct ScoreReport {
    pub score: &'static str,
    pub temperature: f32,
    #[serde(flatten)]
    pub ranked: Ranked,
    #[serde(flatten)]
    pub open: Open,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub folds: Vec<FoldReport>,
}

/// Without a threshold.
#[derive(Debug, Serialize)]
pub(super) struct Ranked {
    pub ap: Option<f64>,
    pub auroc: Option<f64>,
    pub fpr95: Option<f64>,
    pub best_f1: Option<f64>,
    pub best_f1_threshold: Option<f32>,
    /// At the TPR asked for, where that is not 0.95.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fpr_at_tpr: Option<f64>,
    /// Lowest and highest that each can be, where scores were counted in bins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Bounds>,
}

/// What the order within the bins leaves open.
#[derive(Debug, Serialize)]
pub(super) struct Bounds {
    pub ap: (f64, f64),
    pub auroc: (f64, f64),
    pub fpr95: (f64, f64),
    pub best_f1: (f64, f64),
}

/// With one.
#[derive(Debug, Default, Serialize)]
pub(super) struct Open {
    /// Scores above it are unknown. Null with folds: each has its own.
    pub threshold: Option<f32>,
    pub threshold_from: String,
    /// Whether it was chosen on the very pixels it is judged on.
    pub in_sample: bool,
    pub tpr: Option<f64>,
    pub fpr: Option<f64>,
    /// Mean over the images with anomalies of the share of their anomalous pixels that is missed.
    pub miss_rate: Option<f64>,
    pub open_miou: Option<f64>,
    /// Closed-set less open-set mIoU.
    pub gap: Option<f64>,
    /// Mean over the known classes.
    pub f1: Option<f64>,
    /// Mean over the K+1 classes.
    pub iou_open: Option<f64>,
    pub open_iou: PerClass,
    pub f1_per_class: PerClass,
    /// Of the K+1st class.
    pub iou_unknown: Option<f64>,
}

/// A fold judged at the threshold of the others.
#[derive(Debug, Serialize)]
pub(super) struct FoldReport {
    pub fold: String,
    pub frames: u64,
    pub miou: Option<f64>,
    #[serde(flatten)]
    pub ranked: Ranked,
    #[serde(flatten)]
    pub open: Open,
}

/// Means over the images that have the figure.
#[derive(Debug, Serialize)]
pub(super) struct PerImage {
    pub ap: Option<f64>,
    pub auroc: Option<f64>,
    pub fpr95: Option<f64>,
    /// That have anomalous pixels and known ones.
    pub images: u64,
    /// That have not, and are left out.
    pub images_undefined: u64,
}

/// Pixels about as far away.
#[derive(Debug, Serialize)]
pub(super) struct DistanceReport {
    pub from_m: f32,
    pub to_m: f32,
    pub pixels: u64,
    pub anomalous: u64,
    pub ap: Option<f64>,
    pub fpr95: Option<f64>,
}

impl DistanceReport {
    fn of(bin: usize, curve: &Curve) -> Self {
        let ((from_m, to_m), Ranked { ap, fpr95, .. }) = (distance::range(bin), Ranked::of(curve));
        let pixels = curve.positives + curve.negatives;
        Self { from_m, to_m, pixels, anomalous: curve.positives, ap, fpr95 }
    }
}

/// Pixels of nearly the same P(d_out|x).
#[derive(Debug, Serialize)]
pub(super) struct BinReport {
    pub low: f64,
    pub high: f64,
    pub pixels: u64,
    pub mean_probability: Option<f64>,
    pub anomalous_share: Option<f64>,
}

/// Where thresholds come from.
pub(super) struct Rule<'a> {
    pub given: Option<f32>,
    pub model: &'a Model,
    pub input_size: Option<Size>,
    pub tpr: f64,
    pub set_sha256: Option<&'a str>,
}

impl Ranked {
    fn of(curve: &Curve) -> Self {
        let asked = curve.at_tpr.get(1).filter(|(level, _)| *level != 0.95);
        Self {
            ap: curve.ap,
            auroc: curve.auroc,
            fpr95: curve.at_tpr.first().and_then(|(_, point)| point.as_ref()).map(|point| point.fpr),
            best_f1: curve.best_f1.as_ref().map(|best| best.f1),
            best_f1_threshold: curve.best_f1.as_ref().and_then(|best| best.threshold),
            fpr_at_tpr: asked.and_then(|(_, point)| point.as_ref()).map(|point| point.fpr),
            bounds: curve.error.as_ref().and_then(Bounds::of),
        }
    }
}

impl Bounds {
    fn of(error: &CurveBounds) -> Option<Self> {
        let fpr95 = *error.fpr_at_tpr.first()?;
        Some(Self { ap: error.ap, auroc: error.auroc, fpr95, best_f1: error.best_f1 })
    }
}

/// The levels every curve is read at: that of `fpr95`, then that of thresholds.
fn levels(tpr: f64) -> [f64; 2] {
    [0.95, tpr]
}

/// The threshold that finds the share `tpr` of the curve's anomalous pixels.
fn threshold_at(curve: &Curve) -> Option<f32> {
    curve.at_tpr.last().and_then(|(_, point)| point.as_ref()).and_then(|point| point.threshold)
}

impl Rule<'_> {
    /// For the whole set: as typed, else the manifest's, else one of this set's own.
    fn resolve(&self, scoring: &Scoring, curve: &Curve) -> Open {
        if let Some(threshold) = self.given {
            return Open {
                threshold: Some(threshold),
                threshold_from: "--threshold".into(),
                ..Open::default()
            };
        }
        if let Some(c) = self.input_size.and_then(|size| self.model.calibration(scoring, size)) {
            return Open {
                threshold: Some(c.threshold),
                threshold_from: format!("calibrated on {} ({} frames)", c.set, c.frames),
                in_sample: c.set_sha256.is_some() && c.set_sha256.as_deref() == self.set_sha256,
                ..Open::default()
            };
        }
        Open {
            threshold: threshold_at(curve),
            threshold_from: format!("tpr {} on this very set", self.tpr),
            in_sample: true,
            ..Open::default()
        }
    }
}

impl Open {
    /// Judges the folds chosen at the threshold.
    fn judge(mut self, tally: &mut Tally, fold: impl Fn(usize) -> bool + Copy) -> anyhow::Result<Self> {
        let Some(threshold) = self.threshold else { return Ok(self) };
        let at = tally.at(threshold, fold)?;
        (self.tpr, self.fpr, self.miss_rate) = (at.tpr, at.fpr, at.miss_rate);
        if let Some(open) = at.open {
            self.open_miou = open.open_miou();
            self.open_iou = open.open_iou();
            self.f1 = open.mean_f1();
            self.f1_per_class = open.f1();
            self.iou_open = open.iou_open();
            self.iou_unknown = open.iou_all().last().copied().flatten();
            let closed = tally.closed(fold)?.and_then(|c| c.miou());
            self.gap = closed.zip(self.open_miou).map(|(closed, open)| closed - open);
        }
        Ok(self)
    }

    /// The folds' figures, weighted by their images: `None` where a fold has none.
    fn weighted(folds: &[FoldReport], miou: Option<f64>, tpr: f64) -> Self {
        let frames: u64 = folds.iter().map(|f| f.frames).sum();
        let mean = |of: &dyn Fn(&Open) -> Option<f64>| {
            let parts: Option<Vec<f64>> =
                folds.iter().map(|f| of(&f.open).map(|v| v * f.frames as f64)).collect();
            parts.map(|parts| parts.iter().sum::<f64>() / frames as f64)
        };
        let open_miou = mean(&|o| o.open_miou);
        Self {
            threshold_from: format!("tpr {tpr} on the other folds"),
            tpr: mean(&|o| o.tpr),
            fpr: mean(&|o| o.fpr),
            miss_rate: mean(&|o| o.miss_rate),
            gap: miou.zip(open_miou).map(|(closed, open)| closed - open),
            open_miou,
            f1: mean(&|o| o.f1),
            iou_open: mean(&|o| o.iou_open),
            iou_unknown: mean(&|o| o.iou_unknown),
            ..Self::default()
        }
    }
}

impl ScoreReport {
    fn new(scoring: &Scoring, tally: &mut Tally, folds: &[Fold], rule: &Rule<'_>) -> anyhow::Result<Self> {
        let curve = tally.curve(|_| true, &levels(rule.tpr))?;
        let mut reports = Vec::new();
        if folds.len() > 1 {
            for (i, fold) in folds.iter().enumerate() {
                reports.push(FoldReport::new(tally, i, fold, rule.tpr)?);
            }
        }
        let open = if reports.is_empty() {
            rule.resolve(scoring, &curve).judge(tally, |_| true)?
        } else {
            Open::weighted(&reports, tally.closed(|_| true)?.and_then(|c| c.miou()), rule.tpr)
        };
        Ok(Self {
            score: scoring.score().name(),
            temperature: scoring.temperature(),
            ranked: Ranked::of(&curve),
            open,
            folds: reports,
        })
    }
}

impl FoldReport {
    fn new(tally: &mut Tally, index: usize, fold: &Fold, tpr: f64) -> anyhow::Result<Self> {
        let others = tally.curve(|f| f != index, &levels(tpr))?;
        let open = Open {
            threshold: threshold_at(&others),
            threshold_from: format!("tpr {tpr} on the other folds"),
            ..Open::default()
        };
        Ok(Self {
            fold: fold.name.clone(),
            frames: fold.frames,
            miou: tally.closed(|f| f == index)?.and_then(|c| c.miou()),
            ranked: Ranked::of(&tally.curve(|f| f == index, &levels(tpr))?),
            open: open.judge(tally, |f| f == index)?,
        })
    }
}

impl PerImage {
    fn of(curves: &[Curve]) -> Self {
        let ranked: Vec<Ranked> = curves.iter().map(Ranked::of).collect();
        let mean = |of: &dyn Fn(&Ranked) -> Option<f64>| {
            let defined: Vec<f64> = ranked.iter().filter_map(of).collect();
            (!defined.is_empty()).then(|| defined.iter().sum::<f64>() / defined.len() as f64)
        };
        let images = ranked.iter().filter(|r| r.auroc.is_some()).count() as u64;
        Self {
            ap: mean(&|r| r.ap.filter(|_| r.auroc.is_some())),
            auroc: mean(&|r| r.auroc),
            fpr95: mean(&|r| r.fpr95.filter(|_| r.auroc.is_some())),
            images,
            images_undefined: ranked.len() as u64 - images,
        }
    }
}

impl Report {
    /// Reads every figure off what was judged.
    ///
    /// # Errors
    /// Spilled scores that cannot be read back.
    pub fn new(mut judging: Judging, survey: Survey, about: About<'_>) -> anyhow::Result<Self> {
        let began = Instant::now();
        let About { model, dataset, given, tpr, input_size } = about;
        let rule = Rule { given, model, input_size, tpr, set_sha256: survey.set_sha256.as_deref() };
        let mut scores = Vec::new();
        for (scoring, tally) in &mut judging.tallies {
            scores.push(ScoreReport::new(scoring, tally, &judging.folds, &rule)?);
        }
        let (_, tally) = judging.tallies.first_mut().context("no score was asked for")?;
        let curve = tally.curve(|_| true, &[])?;
        let closed = tally.closed(|_| true)?;
        let first = scores.remove(0);
        let distances = judging.by_distance.as_mut().map(ByDistance::curves).transpose()?.unwrap_or_default();
        let reliability = judging.reliability.as_ref();
        let seconds = survey.seconds + began.elapsed().as_secs_f64();
        let mut report = Self {
            version: crate::VERSION,
            setup: survey.setup,
            dataset,
            set_sha256: survey.set_sha256.clone(),
            frames: survey.frames,
            failed: survey.failures,
            pixels: judging.pixels,
            anomalous: curve.positives,
            ignored: judging.ignored,
            non_finite: tally.nan(),
            classes: model.taxonomy().classes().iter().map(|c| c.name.clone()).collect(),
            miou: closed.as_ref().and_then(Confusion::miou),
            iou: closed.as_ref().map(Confusion::closed_iou).unwrap_or_default(),
            first,
            scores,
            per_image: judging.per_image.as_deref().map(PerImage::of),
            by_distance: distances
                .iter()
                .enumerate()
                .map(|(bin, curve)| DistanceReport::of(bin, curve))
                .collect(),
            ece: reliability.and_then(Reliability::ece),
            reliability: reliability.map(bin_reports).unwrap_or_default(),
            latency_ms: survey.latency_ms,
            wall_s: seconds,
            network_share: survey.network_seconds / seconds,
            undefined: BTreeMap::new(),
        };
        report.undefined = report.reasons(closed.is_some());
        Ok(report)
    }

    /// Why a figure is null.
    fn reasons(&self, classes_are_judged: bool) -> BTreeMap<&'static str, &'static str> {
        let known = self.pixels - self.anomalous;
        let mut undefined = BTreeMap::new();
        let mut because = |figures: &[&'static str], reason| {
            figures.iter().for_each(|figure| {
                undefined.entry(*figure).or_insert(reason);
            });
        };
        if self.anomalous == 0 {
            because(
                &["ap", "auroc", "fpr95", "best_f1", "tpr", "miss_rate"],
                "the set has no anomalous pixel",
            );
        }
        if known == 0 {
            because(&["auroc", "fpr95", "fpr", "miou", "gap"], "the set has no known pixel");
        }
        if !classes_are_judged {
            let figures = [
                "miou",
                "iou",
                "open_miou",
                "gap",
                "f1",
                "iou_open",
                "open_iou",
                "f1_per_class",
                "iou_unknown",
            ];
            because(&figures, "the truth tells anomalies, not classes");
        }
        if self.ece.is_none() {
            because(&["ece"], "the model has no dataset posterior");
        }
        if self.first.open.threshold.is_none() {
            if self.first.folds.is_empty() {
                let figures =
                    ["threshold", "tpr", "fpr", "open_miou", "gap", "f1", "iou_open", "iou_unknown"];
                because(
                    &figures,
                    "no threshold: none is given, none calibrated, and none can be chosen on this set",
                );
            } else {
                because(&["threshold"], "each fold has its own");
            }
        }
        undefined
    }
}

fn bin_reports(reliability: &Reliability) -> Vec<BinReport> {
    let report = |bin: ReliabilityBin| BinReport {
        low: bin.low,
        high: bin.high,
        pixels: bin.pixels,
        mean_probability: bin.mean_probability,
        anomalous_share: bin.outlier_share,
    };
    reliability.bins().into_iter().map(report).collect()
}

/// What a report says beside its figures.
pub(super) struct About<'a> {
    pub model: &'a Model,
    pub dataset: String,
    pub given: Option<f32>,
    pub tpr: f64,
    pub input_size: Option<Size>,
}
