//! The figures of a curve as every command writes them: one set of JSON keys, one set of words.
//!
//! Fractions, never percent, but in what people read. A figure that is not defined is null, and says why.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::metrics::average::Average;
use crate::metrics::curve::{Curve, CurveBounds, OperatingPoint};
use crate::metrics::distance;

/// The TPR of FPR95.
pub const TPR: f64 = 0.95;

/// A threshold, or why there is none.
pub type Threshold = Result<f32, &'static str>;

const NO_THRESHOLD: &str = "every score is over it, -inf too, and no threshold says that";
/// Of a threshold that is no number in JSON.
pub const ONLY_NAN: &str = "+inf: only NaN is over it";

/// What is undefined, and why.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Reasons(pub BTreeMap<&'static str, String>);

impl Reasons {
    /// The value, or nothing and the reason for it.
    pub fn keep<T>(&mut self, key: &'static str, value: Result<T, &str>) -> Option<T> {
        value.map_err(|reason| self.0.entry(key).or_insert_with(|| reason.into())).ok()
    }
}

impl fmt::Display for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut figures = BTreeMap::<_, Vec<_>>::new();
        for (key, reason) in &self.0 {
            figures.entry(reason).or_default().push(*key);
        }
        figures
            .iter()
            .try_for_each(|(reason, keys)| writeln!(f, "undefined, as {reason}: {}", keys.join(", ")))
    }
}

/// Why a curve has no figures.
pub fn undefined(curve: &Curve) -> Option<&'static str> {
    match (curve.positives, curve.negatives) {
        (0, 0) => Some("no pixel is judged"),
        (0, _) => Some("no judged pixel is an anomaly"),
        (_, 0) => Some("no judged pixel is an inlier"),
        _ => None,
    }
}

/// A threshold that JSON can tell.
pub fn told(point: Option<&OperatingPoint>, why: &'static str) -> Threshold {
    let threshold = point.ok_or(why)?.threshold.ok_or(NO_THRESHOLD)?;
    if threshold.is_finite() { Ok(threshold) } else { Err(ONLY_NAN) }
}

/// The threshold of the best pixel F1: +inf will do.
///
/// Deviation: the benchmark's evaluation code takes that point's lowest score itself for its strict threshold,
/// which leaves out the pixels that have it; above this one are the very pixels that make the best F1.
pub fn best_threshold(curve: &Curve) -> Threshold {
    match &curve.best_f1 {
        Some(point) => point.threshold.ok_or(NO_THRESHOLD),
        None => Err(undefined(curve).unwrap_or_default()),
    }
}

/// What ranks pixels, without a threshold of one's own.
#[derive(Debug, Serialize)]
pub struct Ranked {
    pub ap: Option<f64>,
    pub auroc: Option<f64>,
    pub fpr95: Option<f64>,
    pub fpr95_threshold: Option<f32>,
    pub best_f1: Option<f64>,
    pub best_f1_threshold: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fpr_at_tpr: Option<AtTpr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Bounds>,
}

/// The TPR that was asked for besides 95 %.
#[derive(Debug, Serialize)]
pub struct AtTpr {
    pub tpr: f64,
    pub fpr: Option<f64>,
    pub threshold: Option<f32>,
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

impl Ranked {
    /// The levels that its curve has to be read at.
    pub fn levels(tpr: f64) -> [f64; 2] {
        [TPR, tpr]
    }

    /// Of a curve at [`Ranked::levels`]; `bins`, where it is of a histogram.
    pub fn of(curve: &Curve, bins: Option<u32>, reasons: &mut Reasons) -> Self {
        let why = undefined(curve).unwrap_or_default();
        let at = |i: usize| curve.at_tpr.get(i).and_then(|(_, point)| point.as_ref());
        let asked = curve.at_tpr.get(1).map(|(tpr, _)| *tpr).filter(|tpr| *tpr != TPR);
        let bounds = |(bins, error): (u32, _)| {
            let CurveBounds { ap, auroc, best_f1, fpr_at_tpr } = error;
            Bounds { bins, ap, auroc, best_f1, fpr95: fpr_at_tpr.first().copied().unwrap_or_default() }
        };
        Self {
            ap: reasons.keep("ap", curve.ap.ok_or(why)),
            auroc: reasons.keep("auroc", curve.auroc.ok_or(why)),
            fpr95: reasons.keep("fpr95", at(0).map(|p| p.fpr).ok_or(why)),
            fpr95_threshold: reasons.keep("fpr95_threshold", told(at(0), why)),
            best_f1: reasons.keep("best_f1", curve.best_f1.map(|p| p.f1).ok_or(why)),
            best_f1_threshold: reasons.keep("best_f1_threshold", told(curve.best_f1.as_ref(), why)),
            fpr_at_tpr: asked.map(|tpr| AtTpr {
                tpr,
                fpr: reasons.keep("fpr_at_tpr", at(1).map(|p| p.fpr).ok_or(why)),
                threshold: reasons.keep("fpr_at_tpr_threshold", told(at(1), why)),
            }),
            histogram: bins.zip(curve.error.clone()).map(bounds),
        }
    }
}

/// What is averaged per image; there is none of an image that lacks anomalies or inliers.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ImageFigures {
    pub ap: f64,
    pub auroc: f64,
    pub fpr95: f64,
}

impl ImageFigures {
    /// Of one image's curve at [`TPR`].
    pub fn of(curve: &Curve) -> Option<Self> {
        let (_, at_95) = curve.at_tpr.first()?;
        Some(Self { ap: curve.ap?, auroc: curve.auroc?, fpr95: at_95.as_ref()?.fpr })
    }
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

impl PerImage {
    /// Over all images, those without figures included.
    pub fn of<'a>(images: impl IntoIterator<Item = &'a Option<ImageFigures>>) -> Self {
        let [mut ap, mut auroc, mut fpr95] = [Average::default(); 3];
        for figures in images {
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

impl fmt::Display for PerImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { images, undefined_images, ap, auroc, fpr95 } = self;
        writeln!(f, "mean of {images} images, {undefined_images} others lack anomalies or inliers")?;
        let [ap, auroc, fpr95] = [ap, auroc, fpr95].map(|figure| Percent(*figure));
        writeln!(f, "  AP {ap} %   AUROC {auroc} %   FPR95 {fpr95} %")
    }
}

/// Of the pixels about as far away.
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

impl AtDistance {
    /// Of the curve of a bin of [`distance`], at [`TPR`].
    pub fn of(bin: usize, curve: &Curve) -> Self {
        let (from_m, to_m) = distance::range(bin);
        Self {
            from_m,
            to_m,
            positives: curve.positives,
            negatives: curve.negatives,
            ap: curve.ap,
            fpr95: curve.at_tpr.first().and_then(|(_, point)| point.as_ref()).map(|p| p.fpr),
            undefined: undefined(curve),
        }
    }
}

impl fmt::Display for AtDistance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from_m, to_m, ap, fpr95, undefined, .. } = self;
        write!(f, "{from_m:>3} to {to_m:>2} m   AP {} %   FPR95 {} %", Percent(*ap), Percent(*fpr95))?;
        writeln!(f, "   {}", undefined.unwrap_or_default())
    }
}

/// A fraction as percent, right-aligned; a dash where it is not defined.
pub struct Percent(pub Option<f64>);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(share) => write!(f, "{:>6.2}", share * 100.0),
            None => write!(f, "{:>6}", "-"),
        }
    }
}
