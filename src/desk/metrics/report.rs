//! The figures as they are written: JSON. For people: `table.rs`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::Failure;
use super::frame::{TPR, bin};
use super::settings::Track;
use super::tally::Tally;
use crate::metrics::average::Average;
use crate::metrics::curve::{Curve, OperatingPoint};
use crate::metrics::distance;
use crate::metrics::ranking::RankingError;

/// The threshold of the components, or why there is none.
pub type Threshold = Result<f32, &'static str>;

const NO_THRESHOLD: &str = "every score is over it, -inf too, and no threshold says that";
const ONLY_NAN: &str = "+inf: only NaN is over it";

/// Fractions, never percent. What is undefined is null, and `undefined` says why.
#[derive(Debug, Serialize)]
pub struct Report {
    pub frames: usize,
    pub failed: Vec<Failure>,
    /// Judged.
    pub pixels: u64,
    pub ignored: u64,
    pub positives: u64,
    pub negatives: u64,
    pub nan: u64,
    pub ap: Option<f64>,
    pub auroc: Option<f64>,
    pub fpr95: Option<f64>,
    pub fpr95_threshold: Option<f32>,
    pub best_f1: Option<f64>,
    pub best_f1_threshold: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fpr_at_tpr: Option<AtTpr>,
    #[serde(flatten)]
    pub components: Option<Components>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_image: Option<PerImage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_distance: Vec<AtDistance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Bounds>,
    pub undefined: BTreeMap<&'static str, String>,
}

/// The TPR that was asked for besides 95 %.
#[derive(Debug, Serialize)]
pub struct AtTpr {
    pub tpr: f64,
    pub fpr: Option<f64>,
    pub threshold: Option<f32>,
}

/// Means over the objects and predictions; counts are means over the levels.
#[derive(Debug, Serialize)]
pub struct Components {
    pub track: Track,
    pub threshold: Option<f32>,
    pub objects: u64,
    pub predictions: u64,
    pub siou_gt: Option<f64>,
    pub ppv: Option<f64>,
    pub f1_star: Option<f64>,
    pub tp: Option<f64>,
    #[serde(rename = "fn")]
    pub fn_: Option<f64>,
    pub fp: Option<f64>,
}

/// Means over the images that have both anomalies and inliers.
#[derive(Debug, Serialize)]
pub struct PerImage {
    pub images: u64,
    pub undefined_images: u64,
    pub ap: Option<f64>,
    pub auroc: Option<f64>,
    pub fpr95: Option<f64>,
}

#[derive(Debug, Serialize)]
pub struct AtDistance {
    pub from_m: f32,
    pub to_m: f32,
    pub positives: u64,
    pub negatives: u64,
    pub ap: Option<f64>,
    pub fpr95: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undefined: Option<&'static str>,
}

/// Of the quick mode: lowest and highest that the figures can be with every score told apart.
#[derive(Debug, Serialize)]
pub struct Bounds {
    pub bins: u32,
    pub ap: (f64, f64),
    pub auroc: (f64, f64),
    pub fpr95: (f64, f64),
    pub best_f1: (f64, f64),
}

impl Report {
    /// `tpr` asks for one more point of the curve; `threshold` is the components'.
    pub fn new(tally: &mut Tally, tpr: f64, threshold: Option<Threshold>) -> Result<Self, RankingError> {
        let curve = tally.curve(&[TPR, tpr])?;
        let why = undefined(&curve).unwrap_or_default();
        let mut reasons = Reasons::default();
        let at = |i: usize| curve.at_tpr.get(i).and_then(|(_, point)| point.as_ref());
        let fpr_at_tpr = (tpr != TPR).then(|| AtTpr {
            tpr,
            fpr: reasons.keep("fpr_at_tpr", at(1).map(|p| p.fpr).ok_or(why)),
            threshold: reasons.keep("fpr_at_tpr_threshold", told(at(1), why)),
        });
        let components = threshold.zip(tally.state.settings.components);
        let components = components.map(|(t, track)| Components::new(tally, track, t, &mut reasons));
        let bounds = tally.state.settings.histogram.zip(curve.error.as_ref());
        Ok(Self {
            frames: tally.state.frames.len(),
            failed: tally.state.failed.clone(),
            pixels: tally.state.pixels,
            ignored: tally.state.ignored,
            positives: curve.positives,
            negatives: curve.negatives,
            nan: curve.nan,
            ap: reasons.keep("ap", curve.ap.ok_or(why)),
            auroc: reasons.keep("auroc", curve.auroc.ok_or(why)),
            fpr95: reasons.keep("fpr95", at(0).map(|p| p.fpr).ok_or(why)),
            fpr95_threshold: reasons.keep("fpr95_threshold", told(at(0), why)),
            best_f1: reasons.keep("best_f1", curve.best_f1.map(|p| p.f1).ok_or(why)),
            best_f1_threshold: reasons.keep("best_f1_threshold", told(curve.best_f1.as_ref(), why)),
            fpr_at_tpr,
            components,
            per_image: tally.state.settings.per_image.then(|| PerImage::new(tally)),
            by_distance: if tally.state.settings.by_distance { by_distance(tally)? } else { Vec::new() },
            histogram: bounds.map(|(bins, error)| Bounds {
                bins,
                ap: error.ap,
                auroc: error.auroc,
                fpr95: error.fpr_at_tpr.first().copied().unwrap_or_default(),
                best_f1: error.best_f1,
            }),
            undefined: reasons.0,
        })
    }
}

/// What is undefined, and why.
#[derive(Default)]
struct Reasons(BTreeMap<&'static str, String>);

impl Reasons {
    fn keep<T>(&mut self, key: &'static str, value: Result<T, &str>) -> Option<T> {
        value.map_err(|reason| self.0.insert(key, reason.into())).ok()
    }
}

/// The threshold of the best pixel F1, for components: +inf will do.
///
/// Deviation: the benchmark's evaluation code takes that point's lowest score itself for its strict threshold,
/// which leaves out the pixels that have it; these are the components of the very pixels that make the best F1.
pub fn best_threshold(curve: &Curve) -> Threshold {
    match &curve.best_f1 {
        Some(point) => point.threshold.ok_or(NO_THRESHOLD),
        None => Err(undefined(curve).unwrap_or_default()),
    }
}

/// A threshold that JSON can tell.
fn told(point: Option<&OperatingPoint>, why: &'static str) -> Threshold {
    let threshold = point.ok_or(why)?.threshold.ok_or(NO_THRESHOLD)?;
    if threshold.is_finite() { Ok(threshold) } else { Err(ONLY_NAN) }
}

/// In the words of labels.
fn undefined(curve: &Curve) -> Option<&'static str> {
    match (curve.positives, curve.negatives) {
        (0, 0) => Some("no pixel is judged"),
        (0, _) => Some("no judged pixel is an anomaly (label 1)"),
        (_, 0) => Some("no judged pixel is an inlier (label 0)"),
        _ => None,
    }
}

impl Components {
    fn new(tally: &Tally, track: Track, threshold: Threshold, reasons: &mut Reasons) -> Self {
        let figures = tally.state.components.figures();
        let given = threshold.is_ok();
        let no_threshold = "there is no threshold: give --threshold";
        let (objects, predictions) = if given {
            ("no object is large enough to count", "no prediction is large enough to count")
        } else {
            (no_threshold, no_threshold)
        };
        let mut count = |key, value| reasons.keep(key, if given { Ok(value) } else { Err(no_threshold) });
        let (tp, fn_, fp) = (count("tp", figures.tp), count("fn", figures.fn_), count("fp", figures.fp));
        let finite = |t: f32| if t.is_finite() { Ok(t) } else { Err(ONLY_NAN) };
        Self {
            track,
            threshold: reasons.keep("threshold", threshold.and_then(finite)),
            objects: figures.objects,
            predictions: figures.predictions,
            siou_gt: reasons.keep("siou_gt", figures.siou_gt.ok_or(objects)),
            ppv: reasons.keep("ppv", figures.ppv.ok_or(predictions)),
            f1_star: reasons.keep("f1_star", figures.f1_star.ok_or(objects)),
            tp,
            fn_,
            fp,
        }
    }
}

impl PerImage {
    fn new(tally: &Tally) -> Self {
        let [mut ap, mut auroc, mut fpr95] = [Average::default(); 3];
        for figures in tally.state.frames.values() {
            ap.add(figures.map(|f| f.ap));
            auroc.add(figures.map(|f| f.auroc));
            fpr95.add(figures.map(|f| f.fpr95));
        }
        Self {
            images: ap.defined,
            undefined_images: ap.undefined,
            ap: ap.mean(),
            auroc: auroc.mean(),
            fpr95: fpr95.mean(),
        }
    }
}

fn by_distance(tally: &mut Tally) -> Result<Vec<AtDistance>, RankingError> {
    let one = |i: usize| {
        let curve = tally.curve_of(|stratum| bin(stratum) == i)?;
        let (from_m, to_m) = distance::range(i);
        Ok(AtDistance {
            from_m,
            to_m,
            positives: curve.positives,
            negatives: curve.negatives,
            ap: curve.ap,
            fpr95: curve.at_tpr.first().and_then(|(_, point)| point.as_ref()).map(|p| p.fpr),
            undefined: undefined(&curve),
        })
    };
    (0..distance::BINS).map(one).collect()
}
