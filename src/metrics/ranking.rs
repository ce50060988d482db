//! Scores of pixels by the billion, ranked exactly, in bounded memory, and mergeable across shards.
//!
//! Every pixel belongs to a stratum, a small number whose meaning is the caller's: fold × truth × predicted
//! class, say. One pass over the pixels then answers many questions: the curve of one fold, of one class, of
//! all. A stratum costs next to nothing; a few thousand are fine.
//!
//! Scores are kept as integers of the same order, and sorted in two steps of 16 bits. Blocks of keys are
//! grouped by their upper half, in memory; beyond [`Limits`] the groups go to disk as runs. A curve walks the
//! upper halves of all blocks and runs from the highest down, and counts the lower halves of each in a table.
//! It sees every distinct score once, with its positives and negatives, wherever they had been: in memory, on
//! disk or in another shard. So the figures are the same to the last bit.
//!
//! ```
//! use open_set::metrics::ranking::{Limits, Ranking, Side};
//!
//! let mut ranking = Ranking::new(2, Limits::default());
//! ranking.extend(&[0, 1, 0, Ranking::SKIP], &[-3.0, -2.0, -1.0, 5.0])?;
//! let sides = [Side::Negative, Side::Positive];
//! let curve = ranking.curve(|stratum| Some(sides[stratum]), &[0.95])?;
//! assert_eq!((curve.ap, curve.auroc), (Some(0.5), Some(0.5)));
//! # Ok::<(), open_set::metrics::ranking::RankingError>(())
//! ```

use super::blocks::Tally;
use super::curve::{Curve, Group, Sweep, count_for};
use super::exact::Exact;
use super::histogram::Histogram;
use super::key;
use super::run::{Head, Run};
use super::sealed::Reader;
use std::fs::File;
use std::num::NonZeroU32;
use std::path::Path;

pub use super::error::RankingError;
pub use super::limits::{Limits, Side};

/// The scores of many pixels, by stratum.
pub struct Ranking {
    strata: usize,
    store: Store,
}

enum Store {
    Exact(Exact),
    Quick(Histogram),
}

impl Ranking {
    /// The stratum of pixels that [`Ranking::extend`] leaves out.
    pub const SKIP: u16 = u16::MAX;

    /// An empty, exact ranking of at most 65535 strata.
    pub fn new(strata: usize, limits: Limits) -> Self {
        let strata = strata.min(usize::from(Self::SKIP));
        Self { strata, store: Store::Exact(Exact::new(strata, limits)) }
    }

    /// An empty ranking that only counts scores in bins, for a quick look: nothing is sorted or spilled, and
    /// [`Curve::error`] tells how far off the figures can be. The bins are equally many f32 each, from −∞ to
    /// +∞ (65536 bins: 128 to each factor of two), with NaN in one of their own, and take 8 bytes each, per
    /// stratum, where there are scores.
    ///
    /// # Errors
    /// Fewer than 2 bins.
    pub fn quick(strata: usize, bins: u32) -> Result<Self, RankingError> {
        let strata = strata.min(usize::from(Self::SKIP));
        let bins = NonZeroU32::new(bins).filter(|bins| bins.get() >= 2).ok_or(RankingError::Bins(bins))?;
        Ok(Self { strata, store: Store::Quick(Histogram::new(strata, bins)) })
    }

    /// How many strata there are; they are numbered from 0.
    pub fn strata(&self) -> usize {
        self.strata
    }

    /// Adds a score.
    ///
    /// # Errors
    /// No such stratum, or the scores in memory had to go to disk and could not.
    pub fn push(&mut self, stratum: usize, score: f32) -> Result<(), RankingError> {
        let strata = self.strata;
        let named = u16::try_from(stratum).ok().filter(|_| stratum < strata);
        self.append(named.ok_or(RankingError::Stratum { got: stratum, strata })?, &[score])
    }

    /// Adds the scores of many pixels, each with its stratum; [`Ranking::SKIP`] leaves a pixel out. Quickest
    /// where neighbours are of one stratum, as they are in images.
    ///
    /// # Errors
    /// Slices of different lengths, or no such stratum: nothing is added then. Scores in memory had to go to
    /// disk and could not: some are added.
    pub fn extend(&mut self, strata: &[u16], scores: &[f32]) -> Result<(), RankingError> {
        if strata.len() != scores.len() {
            return Err(RankingError::Length { strata: strata.len(), scores: scores.len() });
        }
        // SKIP wraps around to 0, all others are one above themselves.
        let most = usize::from(strata.iter().map(|s| s.wrapping_add(1)).max().unwrap_or(0));
        if most > self.strata {
            return Err(RankingError::Stratum { got: most - 1, strata: self.strata });
        }
        let mut rest = scores;
        for equal in strata.chunk_by(|a, b| a == b) {
            let (scores, later) = rest.split_at(equal.len());
            rest = later;
            if equal[0] != Self::SKIP {
                self.append(equal[0], scores)?;
            }
        }
        Ok(())
    }

    fn append(&mut self, stratum: u16, scores: &[f32]) -> Result<(), RankingError> {
        match &mut self.store {
            Store::Exact(exact) => exact.append(stratum, scores, key::key),
            Store::Quick(histogram) => {
                histogram.append(stratum, scores);
                Ok(())
            }
        }
    }

    /// Adds another shard's scores.
    ///
    /// # Errors
    /// It has other strata or bins: nothing is added then. Scores in memory had to go to disk and could not.
    pub fn merge(&mut self, other: Self) -> Result<(), RankingError> {
        let (ours, theirs) = (self.kind(), other.kind());
        match (&mut self.store, other.store) {
            (Store::Exact(exact), Store::Exact(other)) if ours == theirs => exact.merge(other),
            (Store::Quick(histogram), Store::Quick(other)) if ours == theirs => {
                histogram.merge(&other);
                Ok(())
            }
            _ => Err(RankingError::Merge { ours, theirs }),
        }
    }

    fn kind(&self) -> String {
        match &self.store {
            Store::Exact(_) => format!("an exact ranking of {} strata", self.strata),
            Store::Quick(h) => format!("a histogram of {} bins and {} strata", h.bins(), self.strata),
        }
    }

    /// Writes all scores to a file, from which [`Ranking::load`] takes them: the partial result of a shard,
    /// about 2 to 3 bytes a score. It has its name only when it is complete.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&mut self, file: &Path) -> Result<(), RankingError> {
        let unfinished = file.with_added_extension("unfinished");
        let failed = |source| RankingError::Write { path: unfinished.clone(), source };
        let opened = File::create(&unfinished).map_err(failed);
        let saved = opened.and_then(|out| match &mut self.store {
            Store::Exact(exact) => exact.save(out, &unfinished),
            Store::Quick(histogram) => histogram.save(out, &unfinished),
        });
        let named = saved.and_then(|()| std::fs::rename(&unfinished, file).map_err(failed));
        if named.is_err() {
            let _ = std::fs::remove_file(&unfinished); // where even that fails, the first error tells more
        }
        named
    }

    /// Takes what [`Ranking::save`] has written, exact or in bins. Exact scores stay in the file until a walk
    /// reads them, which then also compares their SHA-256.
    ///
    /// # Errors
    /// The file cannot be read, is no partial result of this version, is cut off, or contradicts itself.
    pub fn load(file: &Path, limits: Limits) -> Result<Self, RankingError> {
        let opened = File::open(file).map_err(|source| RankingError::Read { path: file.into(), source })?;
        let mut input = Reader::new(&opened, file)?;
        let Head { bins, tallies } = Head::read(&mut input)?;
        let strata = tallies.len();
        let store = match NonZeroU32::new(bins) {
            Some(bins) => Store::Quick(Histogram::load(input, bins, tallies)?),
            None => Store::Exact(Exact::of(Run::new(opened, file, tallies), limits)),
        };
        Ok(Self { strata, store })
    }

    /// How many scores a stratum has.
    pub fn count(&self, stratum: usize) -> u64 {
        self.tally(stratum).count
    }

    /// How many of a stratum's scores are NaN.
    pub fn nan(&self, stratum: usize) -> u64 {
        self.tally(stratum).nan
    }

    fn tally(&self, stratum: usize) -> Tally {
        match &self.store {
            _ if stratum >= self.strata => Tally::default(),
            Store::Exact(exact) => exact.tally(stratum),
            Store::Quick(histogram) => histogram.tally(stratum),
        }
    }

    /// The curve of some strata against others, those without a side left out; [`Curve::at_tpr`] at `levels`,
    /// in 0..=1 (and at one positive at least).
    ///
    /// # Errors
    /// A level outside 0..=1; a file of scores that cannot be read or is not what was written.
    pub fn curve(
        &mut self,
        side: impl Fn(usize) -> Option<Side>,
        levels: &[f64],
    ) -> Result<Curve, RankingError> {
        check(levels)?;
        let sides: Vec<_> = (0..self.strata).map(side).collect();
        let (mut sums, mut nan) = ([0; 2], 0);
        for (stratum, side) in sides.iter().enumerate() {
            if let Some(side) = side {
                sums[*side as usize] += self.count(stratum);
                nan += self.nan(stratum);
            }
        }
        let [negatives, positives] = sums;
        let mut sweep = Sweep::new(positives, negatives, levels, matches!(self.store, Store::Quick(_)));
        self.descend(&sides, |group| sweep.add(group))?;
        Ok(sweep.finish(nan))
    }

    /// For each stratum, how many scores are above a threshold, NaN among them (but none is above NaN). In a
    /// histogram the threshold counts as the lower edge of its bin, where those of its curves are anyway.
    ///
    /// # Errors
    /// A file of scores that cannot be read or is not what was written.
    pub fn above(&mut self, threshold: f32) -> Result<Vec<u64>, RankingError> {
        match &mut self.store {
            Store::Exact(exact) => exact.above(key::key(threshold)),
            Store::Quick(histogram) => Ok(histogram.above(key::key(threshold))),
        }
    }

    /// The threshold that [`Ranking::above`] really counts at: the one given, but in a histogram the lower edge of
    /// its bin; `None` where that is below −∞.
    pub fn counted(&self, threshold: f32) -> Option<f32> {
        match &self.store {
            Store::Exact(_) => Some(threshold),
            Store::Quick(histogram) => histogram.counted(key::key(threshold)),
        }
    }

    /// For each share in `q`, the smallest score with at least that share of the chosen strata's scores at or
    /// below it, NaN left out; in a histogram, the largest of its bin. `None` where there are no scores.
    ///
    /// # Errors
    /// A share outside 0..=1; a file of scores that cannot be read or is not what was written.
    pub fn quantiles(
        &mut self,
        chosen: impl Fn(usize) -> bool,
        q: &[f64],
    ) -> Result<Option<Vec<f32>>, RankingError> {
        check(q)?;
        let sides: Vec<_> = (0..self.strata).map(|s| chosen(s).then_some(Side::Negative)).collect();
        let chosen = (0..self.strata).filter(|stratum| sides[*stratum].is_some());
        let total = chosen.map(|stratum| self.count(stratum) - self.nan(stratum)).sum();
        if total == 0 {
            return Ok(None);
        }
        // From the top: the quantile is the first score with so few below it.
        let below: Vec<u64> = q.iter().map(|q| count_for(*q, total).max(1) - 1).collect();
        let mut order: Vec<usize> = (0..q.len()).collect();
        order.sort_by_key(|i| below[*i]);
        let (mut left, mut quantiles) = (total, vec![f32::NAN; q.len()]);
        self.descend(&sides, |group| {
            if group.lowest < key::NAN {
                left = left.saturating_sub(group.negatives);
                while let Some(i) = order.pop_if(|i| below[*i] >= left) {
                    quantiles[i] = key::score(group.highest);
                }
            }
        })?;
        Ok(Some(quantiles))
    }

    /// Forgets the scores: for the next image.
    pub fn clear(&mut self) {
        match &mut self.store {
            Store::Exact(exact) => exact.clear(),
            Store::Quick(histogram) => histogram.clear(),
        }
    }

    /// Hands out the distinct scores of the strata that have a side, from the highest down.
    fn descend(&mut self, sides: &[Option<Side>], emit: impl FnMut(Group)) -> Result<(), RankingError> {
        match &mut self.store {
            Store::Exact(exact) => exact.descend(sides, emit),
            Store::Quick(histogram) => {
                histogram.descend(sides, emit);
                Ok(())
            }
        }
    }
}

/// Shares are fractions.
fn check(shares: &[f64]) -> Result<(), RankingError> {
    match shares.iter().find(|share| !(0.0..=1.0).contains(*share)) {
        Some(share) => Err(RankingError::Share(*share)),
        None => Ok(()),
    }
}

#[cfg(test)]
#[path = "ranking_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "ranking_file_tests.rs"]
mod file_tests;
