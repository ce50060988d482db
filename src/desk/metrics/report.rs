//! The figures as they are written: JSON. For people: `table.rs`.

use serde::Serialize;

use super::super::Failure;
use super::super::figures::{AtDistance, ONLY_NAN, PerImage, Ranked, Reasons, Threshold};
use super::frame::bin;
use super::settings::Track;
use super::tally::Tally;
use crate::metrics::distance;
use crate::metrics::ranking::RankingError;

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
    #[serde(flatten)]
    pub ranked: Ranked,
    #[serde(flatten)]
    pub components: Option<Components>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_image: Option<PerImage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_distance: Vec<AtDistance>,
    pub undefined: Reasons,
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

impl Report {
    /// `tpr` asks for one more point of the curve; `threshold` is the components'.
    pub fn new(tally: &mut Tally, tpr: f64, threshold: Option<Threshold>) -> Result<Self, RankingError> {
        let curve = tally.curve(&Ranked::levels(tpr))?;
        let mut reasons = Reasons::default();
        let ranked = Ranked::of(&curve, tally.state.settings.histogram, &mut reasons);
        let components = threshold.zip(tally.state.settings.components);
        let components = components.map(|(t, track)| Components::new(tally, track, t, &mut reasons));
        Ok(Self {
            frames: tally.state.frames.len(),
            failed: tally.state.failed.clone(),
            pixels: tally.state.pixels,
            ignored: tally.state.ignored,
            positives: curve.positives,
            negatives: curve.negatives,
            nan: curve.nan,
            ranked,
            components,
            per_image: tally.state.settings.per_image.then(|| PerImage::of(tally.state.frames.values())),
            by_distance: if tally.state.settings.by_distance { by_distance(tally)? } else { Vec::new() },
            undefined: reasons,
        })
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

fn by_distance(tally: &mut Tally) -> Result<Vec<AtDistance>, RankingError> {
    let one = |i: usize| Ok(AtDistance::of(i, &tally.curve_of(|stratum| bin(stratum) == i)?));
    (0..distance::BINS).map(one).collect()
}
