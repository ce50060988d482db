//! Objects found and objects missed: the component metrics of SegmentMeIfYouCan (Chan et al., 2021).
//!
//! Pixel figures are ruled by large objects; here each object counts once, and so does each false alarm.
//! Scores over a threshold make components of pixels that touch by a side or a corner, and so does the truth.
//!
//! * sIoU of an object k, with K̂ the union of the predictions that touch it: |k ∩ K̂| over
//!   |k ∪ K̂| − |pixels of K̂ on other objects|. One prediction over two objects is thus no loss to either.
//! * PPV of a prediction: the share of its pixels that lie on any object.
//! * at a level τ: TP is an object of sIoU ≥ τ, FN one below, FP a prediction of PPV < τ;
//!   F1*: the mean of 2·TP / (2·TP + FN + FP), counted over all frames, for τ = .25, .30, ..., .75.
//!
//! Two sizes matter, in this order: predictions below one are dropped, objects below the other are ignored,
//! that is, their pixels count nowhere, not in the predictions over them either.
//!
//! False alarms are counted by PPV in the paper and in the evaluation code published with the benchmark
//! (`prec_pred`); an early copy of that code went by an adjusted IoU, and its figures differ.
//!
//! Shares are kept as whole numbers of pixels and compared as such: in floating point .05 steps miss
//! their own multiples. Sums are whole numbers too, so frames may come in any order, and by shards.
//!
//! Deliberately does not know: where scores come from, and how a threshold is chosen.

use serde::{Deserialize, Serialize};

use crate::images::{ConnectedComponents, ImagesError, connected_components};
use crate::labels::IGNORE;

/// Levels τ, in twentieths.
const LEVELS: [u64; 11] = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// Means are summed in units of 2^-64, so that the order of the frames never shows.
const UNIT: f64 = (1u128 << 64) as f64;

/// The truth of a pixel that belongs to an object.
const OBJECT: u8 = 1;

/// Why a frame has no components.
#[derive(Debug, thiserror::Error)]
pub enum ComponentsError {
    /// Scores and truth are not of one frame.
    #[error("{scores} scores and {truth} pixels of truth, but {width}x{height} make {}", .width * .height)]
    Length {
        /// How many scores came.
        scores: usize,
        /// How many pixels of truth came.
        truth: usize,
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
    },
    /// The components themselves.
    #[error(transparent)]
    Images(#[from] ImagesError),
}

/// From which size on components count, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Smallest {
    /// Predicted components below it are dropped.
    pub prediction: u32,
    /// Objects below it are ignored.
    pub object: u32,
}

impl Smallest {
    /// Of the AnomalyTrack (RoadAnomaly21).
    pub const ANOMALY_TRACK: Self = Self { prediction: 500, object: 100 };
    /// Of the ObstacleTrack (RoadObstacle21, LostAndFound).
    pub const OBSTACLE_TRACK: Self = Self { prediction: 50, object: 10 };
}

/// Pixels of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Those that are meant.
    pub part: u32,
    /// Those among which; above 0.
    pub whole: u32,
}

impl Share {
    fn reaches(self, twentieths: u64) -> bool {
        20 * u64::from(self.part) >= twentieths * u64::from(self.whole)
    }

    /// In units of 2^-64, rounded down.
    fn fixed(self) -> u128 {
        (u128::from(self.part) << 64) / u128::from(self.whole.max(1))
    }
}

/// What one frame comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FrameComponents {
    /// sIoU of each object.
    pub objects: Vec<Share>,
    /// PPV of each prediction.
    pub predictions: Vec<Share>,
}

impl FrameComponents {
    /// Scores (NaN: above any threshold) against truth (1: object, [`IGNORE`]: not judged, else: none), both
    /// `width × height`. A pixel is predicted where its score is over the threshold, not where it equals it.
    ///
    /// # Errors
    /// Lengths that disagree; [`ImagesError::NotBuilt`] without OpenCV.
    pub fn find(
        smallest: Smallest,
        scores: &[f32],
        truth: &[u8],
        (width, height): (usize, usize),
        threshold: f32,
    ) -> Result<Self, ComponentsError> {
        let pixels = width.saturating_mul(height);
        if scores.len() != pixels || truth.len() != pixels {
            let (scores, truth) = (scores.len(), truth.len());
            return Err(ComponentsError::Length { scores, truth, width, height });
        }
        let is_known = |score: f32| score <= threshold; // so that NaN is not
        let mut mask: Vec<u8> =
            scores.iter().zip(truth).map(|(s, t)| u8::from(*t != IGNORE && !is_known(*s))).collect();
        let predicted = connected_components(&mask, width, height)?;
        for (inside, t) in mask.iter_mut().zip(truth) {
            *inside = u8::from(*t == OBJECT);
        }
        Ok(Self::compare(smallest, &predicted, &connected_components(&mask, width, height)?))
    }

    fn compare(smallest: Smallest, predicted: &ConnectedComponents, truth: &ConnectedComponents) -> Self {
        let mut objects: Vec<Share> = truth.areas.iter().map(|&whole| Share { part: 0, whole }).collect();
        // Of a prediction: `part` on objects, `whole` on objects and on nothing.
        let mut predictions = vec![Share { part: 0, whole: 0 }; predicted.areas.len()];
        // Which prediction touches which object, as seen on the way along the rows.
        let mut touching: Vec<(i32, i32)> = Vec::new();
        for (&p, &k) in predicted.labels.iter().zip(&truth.labels) {
            if p == 0 || predicted.areas[p as usize] < smallest.prediction {
                continue;
            }
            let prediction = &mut predictions[p as usize];
            if k == 0 {
                prediction.whole += 1;
            } else if truth.areas[k as usize] >= smallest.object {
                prediction.part += 1;
                prediction.whole += 1;
                objects[k as usize].part += 1;
                if touching.last() != Some(&(k, p)) {
                    touching.push((k, p));
                }
            }
        }
        touching.sort_unstable();
        touching.dedup();
        // k ∪ K̂ without the other objects is k and what of K̂ lies on nothing.
        for (k, p) in touching {
            let Share { part, whole } = predictions[p as usize];
            objects[k as usize].whole += whole - part;
        }
        let counts = |area: &u32| *area >= smallest.object;
        let objects = objects.into_iter().zip(&truth.areas).skip(1); // not the background
        Self {
            objects: objects.filter(|(_, area)| counts(area)).map(|(share, _)| share).collect(),
            predictions: predictions.into_iter().filter(|share| share.whole > 0).collect(),
        }
    }
}

/// What frames come to together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Components {
    objects: u64,
    predictions: u64,
    /// Sums, in units of 2^-64.
    siou: u128,
    ppv: u128,
    /// By level.
    found: [u64; LEVELS.len()],
    false_alarms: [u64; LEVELS.len()],
}

/// The figures; fractions. What is undefined is `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ComponentFigures {
    /// Objects that count.
    pub objects: u64,
    /// Predicted components that count.
    pub predictions: u64,
    /// Mean sIoU of the objects; `None` without any.
    pub siou_gt: Option<f64>,
    /// Mean PPV of the predictions; `None` without any.
    pub ppv: Option<f64>,
    /// F1*; `None` without objects.
    pub f1_star: Option<f64>,
    /// Objects found, the mean over the levels.
    pub tp: f64,
    /// Objects missed, likewise.
    pub fn_: f64,
    /// False alarms, likewise.
    pub fp: f64,
}

impl Components {
    /// One more frame.
    pub fn add(&mut self, frame: &FrameComponents) {
        self.objects += frame.objects.len() as u64;
        self.predictions += frame.predictions.len() as u64;
        self.siou += frame.objects.iter().map(|o| o.fixed()).sum::<u128>();
        self.ppv += frame.predictions.iter().map(|p| p.fixed()).sum::<u128>();
        for (i, level) in LEVELS.into_iter().enumerate() {
            self.found[i] += frame.objects.iter().filter(|o| o.reaches(level)).count() as u64;
            self.false_alarms[i] += frame.predictions.iter().filter(|p| !p.reaches(level)).count() as u64;
        }
    }

    /// The frames of another shard.
    pub fn merge(&mut self, other: &Self) {
        self.objects += other.objects;
        self.predictions += other.predictions;
        self.siou += other.siou;
        self.ppv += other.ppv;
        for i in 0..LEVELS.len() {
            self.found[i] += other.found[i];
            self.false_alarms[i] += other.false_alarms[i];
        }
    }

    /// What the frames so far come to.
    pub fn figures(&self) -> ComponentFigures {
        let mean = |sum: u128, count: u64| (count > 0).then(|| sum as f64 / UNIT / count as f64);
        let over_levels =
            |value: &dyn Fn(usize) -> f64| (0..LEVELS.len()).map(value).sum::<f64>() / LEVELS.len() as f64;
        let f1 = |i: usize| {
            let found = 2 * self.found[i];
            found as f64 / (self.found[i] + self.objects + self.false_alarms[i]) as f64
        };
        ComponentFigures {
            objects: self.objects,
            predictions: self.predictions,
            siou_gt: mean(self.siou, self.objects),
            ppv: mean(self.ppv, self.predictions),
            f1_star: (self.objects > 0).then(|| over_levels(&f1)),
            tp: over_levels(&|i| self.found[i] as f64),
            fn_: over_levels(&|i| self.objects as f64 - self.found[i] as f64),
            fp: over_levels(&|i| self.false_alarms[i] as f64),
        }
    }
}

#[cfg(all(test, feature = "vision"))]
#[path = "components_tests.rs"]
mod tests;
