//! A frame's pixels into the tallies: what happens on the judging thread.

use super::tally::{Strata, Tally};
use crate::desk::figures::{ImageFigures, TPR};
use crate::desk::survey::Judged;
use crate::metrics::curve::Curve;
use crate::metrics::distance;
use crate::metrics::ranking::{Limits, Ranking, RankingError, Side};
use crate::metrics::reliability::Reliability;
use crate::score::Scoring;

/// Everything that grows while frames are walked.
pub(super) struct Judging {
    pub strata: Strata,
    /// One a score, in the order asked for; the first is the pipeline's own.
    pub tallies: Vec<(Scoring, Tally)>,
    /// Of the dataset posterior, for a model that has one; its score is then the last of the frame's others.
    pub reliability: Option<Reliability>,
    /// Of the first score, where it was asked for.
    pub per_image: Option<Vec<Option<ImageFigures>>>,
    /// Of the first score, where it was asked for.
    pub by_distance: Option<ByDistance>,
    pub folds: Vec<Fold>,
    /// Of each sample: which fold it is in.
    pub fold_of: Vec<usize>,
    /// Pixels of known truth that were looked at.
    pub pixels: u64,
    /// Pixels that are not annotated, or not looked at.
    pub ignored: u64,
    pub scratch: Vec<u16>,
}

/// A drive or a city; without folds, the whole set.
pub(super) struct Fold {
    pub name: String,
    pub frames: u64,
}

/// Scores by how far away their pixels are: two strata a bin of distance, known and anomalous.
pub(super) struct ByDistance {
    ranking: Ranking,
    strata: Vec<u16>,
}

impl ByDistance {
    pub fn new() -> Self {
        Self { ranking: Ranking::new(2 * distance::BINS, Limits::default()), strata: Vec::new() }
    }

    /// Pixels that are judged, with their distances.
    fn add(
        &mut self,
        judged: &[u16],
        strata: Strata,
        metres: &[f32],
        scores: &[f32],
    ) -> Result<(), RankingError> {
        let stratum = |(judged, metres): (&u16, &f32)| match distance::bin(*metres) {
            Some(bin) if *judged != Ranking::SKIP => 2 * bin as u16 + u16::from(strata.is_anomalous(*judged)),
            _ => Ranking::SKIP,
        };
        self.strata.clear();
        self.strata.extend(judged.iter().zip(metres).map(stratum));
        self.ranking.extend(&self.strata, scores)
    }

    /// One curve a bin, nearest first.
    pub fn curves(&mut self) -> Result<Vec<Curve>, RankingError> {
        let side = |s: usize| if s % 2 == 1 { Side::Positive } else { Side::Negative };
        (0..distance::BINS)
            .map(|bin| self.ranking.curve(|s| (s / 2 == bin).then(|| side(s)), &[0.95]))
            .collect()
    }
}

impl Judging {
    pub fn frame(&mut self, frame: &Judged) -> Result<(), RankingError> {
        let fold = self.fold_of[frame.index];
        self.folds[fold].frames += 1;
        self.strata.of_frame(fold, &frame.truth, &frame.labels, &mut self.scratch);
        let judged = self.scratch.iter().filter(|s| **s != Ranking::SKIP).count() as u64;
        self.pixels += judged;
        self.ignored += self.scratch.len() as u64 - judged;

        let maps = [&frame.anomaly].into_iter().chain(&frame.others);
        for ((_, tally), map) in self.tallies.iter_mut().zip(maps) {
            tally.add(fold, &self.scratch, map)?;
        }
        if let (Some(reliability), Some(log_p_outlier)) = (&mut self.reliability, frame.others.last()) {
            for (stratum, log_p) in self.scratch.iter().zip(log_p_outlier) {
                if *stratum != Ranking::SKIP && !log_p.is_nan() {
                    reliability.add(f64::from(*log_p).exp(), self.strata.is_anomalous(*stratum));
                }
            }
        }
        if let (Some(by_distance), Some(metres)) = (&mut self.by_distance, &frame.depth) {
            by_distance.add(&self.scratch, self.strata, metres, &frame.anomaly)?;
        }
        if let Some(images) = &mut self.per_image {
            let mut alone = Tally::new(self.strata, None, 1)?;
            alone.add(fold, &self.scratch, &frame.anomaly)?;
            images.push(ImageFigures::of(&alone.curve(|_| true, &[TPR])?));
        }
        Ok(())
    }
}
