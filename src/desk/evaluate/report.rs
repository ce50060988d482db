//! Every figure of an evaluation, read off the tallies: what `--json` prints and the table shows.
//!
//! Fractions, not percent. A figure that is not defined is null, and `undefined` says why.

use std::time::Instant;

use anyhow::Context;
use serde::Serialize;

use super::judging::{ByDistance, Fold, Judging};
use super::tally::Tally;
use crate::desk::Failure;
use crate::desk::figures::{AtDistance, PerImage, Ranked, Reasons, Threshold, told, undefined};
use crate::desk::survey::Survey;
use crate::desk::walk::{Latency, Setup};
use crate::frame::Size;
use crate::metrics::confusion::Confusion;
use crate::metrics::curve::Curve;
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
    pub by_distance: Vec<AtDistance>,
    /// Expected calibration error of P(d_out|x).
    pub ece: Option<f64>,
    pub reliability: Vec<BinReport>,
    pub latency_ms: Option<Latency>,
    /// From the first file read to the last figure.
    pub wall_s: f64,
    /// Of these, in the network.
    pub network_share: f64,
    pub undefined: Reasons,
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

/// With a threshold.
#[derive(Debug, Default, Serialize)]
pub(super) struct Open {
    /// Scores above it are unknown. Null with folds: each has its own.
    pub threshold: Option<f32>,
    pub threshold_from: String,
    /// Whether it was chosen on the very pixels it is judged on; null where that cannot be told: it was chosen
    /// on other frames of a set of this name, or on more or fewer.
    pub in_sample: Option<bool>,
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
    pub undefined: Reasons,
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
    pub set: &'a str,
    pub set_sha256: Option<&'a str>,
}

/// The threshold that finds the share `tpr` of the curve's anomalous pixels.
fn threshold_at(curve: &Curve) -> Threshold {
    let point = curve.at_tpr.last().and_then(|(_, point)| point.as_ref());
    told(point, undefined(curve).unwrap_or_default())
}

impl Rule<'_> {
    /// For the whole set: as typed, else the manifest's, else one of this set's own.
    fn resolve(&self, scoring: &Scoring, curve: &Curve, reasons: &mut Reasons) -> Open {
        if let Some(threshold) = self.given {
            return Open {
                threshold: Some(threshold),
                threshold_from: "--threshold".into(),
                in_sample: Some(false),
                ..Open::default()
            };
        }
        if let Some(c) = self.input_size.and_then(|size| self.model.calibration(scoring, size)) {
            return Open {
                threshold: Some(c.threshold),
                threshold_from: format!("calibrated on {} ({} frames)", c.set, c.frames),
                in_sample: match c.set_sha256.as_deref() {
                    Some(hash) if Some(hash) == self.set_sha256 => Some(true),
                    _ if c.set.split(' ').next() == Some(self.set) => None,
                    _ => Some(false),
                },
                ..Open::default()
            };
        }
        Open {
            threshold: reasons.keep("threshold", threshold_at(curve)),
            threshold_from: format!("tpr {} on this very set", self.tpr),
            in_sample: Some(true),
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
        self.threshold = at.threshold;
        let closed = tally.closed(fold)?.and_then(|c| c.miou());
        // Without a known pixel the known classes have no figures, although each missed anomaly makes a 0.
        if let Some(open) = at.open.filter(|_| closed.is_some()) {
            self.open_miou = open.open_miou();
            self.open_iou = open.open_iou();
            self.f1 = open.mean_f1();
            self.f1_per_class = open.f1();
            self.iou_open = open.iou_open();
            self.iou_unknown = open.iou_all().last().copied().flatten();
            self.gap = closed.zip(self.open_miou).map(|(closed, open)| closed - open);
        }
        Ok(self)
    }

    /// Names what is null.
    fn explain(&self, why: &str, reasons: &mut Reasons) {
        let Self { tpr, fpr, miss_rate, open_miou, gap, f1, iou_open, iou_unknown, .. } = self;
        let figures = [
            ("tpr", tpr),
            ("fpr", fpr),
            ("miss_rate", miss_rate),
            ("open_miou", open_miou),
            ("gap", gap),
            ("f1", f1),
            ("iou_open", iou_open),
            ("iou_unknown", iou_unknown),
        ];
        for (key, _) in figures.into_iter().filter(|(_, value)| value.is_none()) {
            reasons.keep::<()>(key, Err(why));
        }
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
            in_sample: Some(false),
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
    fn new(
        scoring: &Scoring,
        tally: &mut Tally,
        folds: &[Fold],
        rule: &Rule<'_>,
        reasons: &mut Reasons,
    ) -> anyhow::Result<Self> {
        let curve = tally.curve(|_| true, &Ranked::levels(rule.tpr))?;
        let mut reports = Vec::new();
        if folds.len() > 1 {
            for (i, fold) in folds.iter().enumerate() {
                reports.push(FoldReport::new(tally, i, fold, rule.tpr)?);
            }
        }
        let open = if reports.is_empty() {
            rule.resolve(scoring, &curve, reasons).judge(tally, |_| true)?
        } else {
            reasons.keep::<()>("threshold", Err("each fold has its own"));
            Open::weighted(&reports, tally.closed(|_| true)?.and_then(|c| c.miou()), rule.tpr)
        };
        Ok(Self {
            score: scoring.score().name(),
            temperature: scoring.temperature(),
            ranked: Ranked::of(&curve, tally.bins(), reasons),
            open,
            folds: reports,
        })
    }
}

impl FoldReport {
    fn new(tally: &mut Tally, index: usize, fold: &Fold, tpr: f64) -> anyhow::Result<Self> {
        let mut reasons = Reasons::default();
        let others = tally.curve(|f| f != index, &Ranked::levels(tpr))?;
        let open = Open {
            threshold: reasons.keep("threshold", threshold_at(&others)),
            threshold_from: format!("tpr {tpr} on the other folds"),
            in_sample: Some(false),
            ..Open::default()
        };
        let own = tally.curve(|f| f == index, &Ranked::levels(tpr))?;
        let ranked = Ranked::of(&own, tally.bins(), &mut reasons);
        let open = open.judge(tally, |f| f == index)?;
        open.explain(undefined(&own).unwrap_or("there is no threshold"), &mut reasons);
        Ok(Self {
            fold: fold.name.clone(),
            frames: fold.frames,
            miou: tally.closed(|f| f == index)?.and_then(|c| c.miou()),
            ranked,
            open,
            undefined: reasons,
        })
    }
}

impl Report {
    /// Reads every figure off what was judged.
    ///
    /// # Errors
    /// Spilled scores that cannot be read back.
    pub fn new(mut judging: Judging, survey: Survey, about: About<'_>) -> anyhow::Result<Self> {
        let began = Instant::now();
        let About { model, dataset, set, given, tpr, input_size } = about;
        let set_sha256 = survey.set_sha256.as_deref();
        let rule = Rule { given, model, input_size, tpr, set: &set, set_sha256 };
        let mut scores = Vec::new();
        let mut reasons = Reasons::default();
        for (scoring, tally) in &mut judging.tallies {
            scores.push(ScoreReport::new(scoring, tally, &judging.folds, &rule, &mut reasons)?);
        }
        let (_, tally) = judging.tallies.first_mut().context("no score was asked for")?;
        let quick = tally.bins().is_some();
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
            per_image: judging.per_image.as_ref().map(PerImage::of),
            by_distance: distances
                .iter()
                .enumerate()
                .map(|(bin, curve)| AtDistance::of(bin, curve))
                .collect(),
            ece: reliability.and_then(Reliability::ece),
            reliability: reliability.map(bin_reports).unwrap_or_default(),
            latency_ms: survey.latency_ms,
            wall_s: seconds,
            network_share: survey.network_seconds / seconds,
            undefined: reasons,
        };
        report.say_why(closed.is_some(), curve.positives, quick);
        Ok(report)
    }

    /// Names what else is null.
    fn say_why(&mut self, classes_are_judged: bool, anomalous: u64, quick: bool) {
        let (reasons, open) = (&mut self.undefined, &self.first.open);
        let mut because = |figures: &[&'static str], why: &str| {
            figures.iter().for_each(|figure| {
                reasons.keep::<()>(figure, Err(why));
            });
        };
        let of_classes =
            ["miou", "iou", "open_miou", "gap", "f1", "iou_open", "open_iou", "f1_per_class", "iou_unknown"];
        if !classes_are_judged {
            because(&of_classes, "the truth tells anomalies, not classes");
        } else if self.miou.is_none() {
            because(&of_classes, "no judged pixel is an inlier");
        }
        if anomalous == 0 {
            because(&["tpr", "miss_rate"], "no judged pixel is an anomaly");
        } else if quick {
            because(&["miss_rate"], "a histogram keeps no images apart");
        }
        if self.ece.is_none() {
            let no_pixel = "no pixel is judged";
            because(&["ece"], if self.pixels == 0 { no_pixel } else { "the model has no dataset posterior" });
        }
        open.explain(
            match (self.first.folds.is_empty(), open.threshold) {
                (false, _) => "it is not defined on every fold: see there",
                (true, None) => {
                    "no threshold is given, none is calibrated, and none can be chosen on this set"
                }
                (true, Some(_)) => "no judged pixel is an inlier",
            },
            reasons,
        );
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
    /// Its name alone.
    pub set: String,
    pub given: Option<f32>,
    pub tpr: f64,
    pub input_size: Option<Size>,
}
