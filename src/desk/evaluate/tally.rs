//! What a survey leaves of its pixels: scores by fold, truth and prediction, from which every figure follows.
//!
//! No threshold is known while frames are walked (it may come from these very scores, or from the other
//! fold's), so what is kept is each pixel's score in the stratum of its fold, its true label and its
//! closed-set label. Ranking the strata gives AP and its kind; counting those above a threshold gives the
//! K+1 confusion at it, whichever it is.

use crate::calibrate::Anomalies;
use crate::desk::data::TruthKind;
use crate::labels::IGNORE;
use crate::metrics::confusion::Confusion;
use crate::metrics::curve::Curve;
use crate::metrics::ranking::{Limits, Ranking, RankingError, Side};

/// Which stratum a pixel belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strata {
    folds: usize,
    /// K known classes and unknown; or, of binary truth, known and unknown.
    truths: usize,
    /// K classes, and K for a pixel whose logits were not finite; or one, where classes are not judged.
    predictions: usize,
}

impl Strata {
    /// `None` where there would be more strata than a store holds.
    pub fn new(kind: TruthKind, classes: usize, folds: usize) -> Option<Self> {
        let (truths, predictions) = match kind {
            TruthKind::Classes => (classes + 1, classes + 1),
            TruthKind::Binary => (2, 1),
        };
        let strata = Self { folds, truths, predictions };
        (strata.len() < usize::from(Ranking::SKIP)).then_some(strata)
    }

    pub fn len(self) -> usize {
        self.folds * self.truths * self.predictions
    }

    /// Of each pixel of a frame into `out`: [`Ranking::SKIP`] where nothing is annotated or nothing was
    /// looked at.
    pub fn of_frame(self, fold: usize, truth: &[u8], labels: &[u8], out: &mut Vec<u16>) {
        let base = fold * self.truths * self.predictions;
        out.clear();
        out.extend(truth.iter().zip(labels).map(|(truth, label)| {
            if *truth == IGNORE || *label == IGNORE {
                return Ranking::SKIP;
            }
            let prediction = usize::from(*label).min(self.predictions - 1);
            (base + usize::from(*truth) * self.predictions + prediction) as u16
        }));
    }

    /// Fold, truth and prediction.
    fn parts(self, stratum: usize) -> (usize, usize, usize) {
        let cell = stratum / self.predictions;
        (cell / self.truths, cell % self.truths, stratum % self.predictions)
    }

    fn side(self, stratum: usize) -> Side {
        if self.parts(stratum).1 + 1 == self.truths { Side::Positive } else { Side::Negative }
    }

    pub fn is_anomalous(self, stratum: u16) -> bool {
        stratum != Ranking::SKIP && self.side(stratum.into()) == Side::Positive
    }

    /// K, where classes are judged.
    fn classes(self) -> Option<usize> {
        (self.predictions > 1).then_some(self.truths - 1)
    }
}

/// One score's pixels.
pub(super) struct Tally {
    strata: Strata,
    ranking: Ranking,
    /// Of a histogram.
    bins: Option<u32>,
    /// Of each fold: what a threshold misses is also told image by image.
    anomalies: Vec<Anomalies>,
}

/// What a threshold does.
pub(super) struct AtThreshold {
    /// The threshold itself; in a histogram, the edge of its bin.
    pub threshold: Option<f32>,
    /// `None` without anomalous pixels.
    pub tpr: Option<f64>,
    /// `None` without known pixels.
    pub fpr: Option<f64>,
    /// Mean over the images with anomalies of the share of theirs that is missed; not of a histogram.
    pub miss_rate: Option<f64>,
    /// Of the K+1 labels, where classes are judged.
    pub open: Option<Confusion>,
}

impl Tally {
    /// Exact, or in `histogram` bins; one of so many that `share` the memory.
    pub fn new(strata: Strata, histogram: Option<u32>, share: usize) -> Result<Self, RankingError> {
        let all = Limits::default();
        let limits = Limits { keys_in_memory: all.keys_in_memory / share.max(1), ..all };
        let ranking = match histogram {
            Some(bins) => Ranking::quick(strata.len(), bins)?,
            None => Ranking::new(strata.len(), limits),
        };
        Ok(Self { strata, ranking, bins: histogram, anomalies: vec![Anomalies::default(); strata.folds] })
    }

    /// A frame's pixels by their strata, all of one fold.
    pub fn add(&mut self, fold: usize, strata: &[u16], scores: &[f32]) -> Result<(), RankingError> {
        let anomalous = strata.iter().zip(scores).filter(|(s, _)| self.strata.is_anomalous(**s));
        // Quick is also small: only exact scores are kept by image.
        if let (None, Some(anomalies)) = (self.bins, self.anomalies.get_mut(fold)) {
            anomalies.add(anomalous.map(|(_, score)| *score).collect());
        }
        self.ranking.extend(strata, scores)
    }

    /// Ranks the pixels of the folds chosen.
    pub fn curve(&mut self, fold: impl Fn(usize) -> bool, levels: &[f64]) -> Result<Curve, RankingError> {
        let strata = self.strata;
        self.ranking.curve(|s| fold(strata.parts(s).0).then(|| strata.side(s)), levels)
    }

    /// Labels the pixels of the folds chosen: unknown where the score is over `threshold`.
    pub fn at(&mut self, threshold: f32, fold: impl Fn(usize) -> bool) -> anyhow::Result<AtThreshold> {
        let above = self.ranking.above(threshold)?;
        let mut open = self.strata.classes().map(Confusion::new);
        let (mut found, mut anomalous, mut alarms, mut known) = (0, 0, 0, 0);
        for (stratum, above) in above.into_iter().enumerate() {
            let (of, truth, prediction) = self.strata.parts(stratum);
            if !fold(of) {
                continue;
            }
            let count = self.ranking.count(stratum);
            match self.strata.side(stratum) {
                Side::Positive => (found, anomalous) = (found + above, anomalous + count),
                Side::Negative => (alarms, known) = (alarms + above, known + count),
            }
            if let (Some(open), Some(unknown)) = (&mut open, self.strata.classes()) {
                open.add(truth, unknown, above)?;
                open.add(truth, prediction, count - above)?;
            }
        }
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let chosen = self.anomalies.iter().enumerate().filter(|(of, _)| fold(*of)).map(|(_, a)| a);
        let (missed, images) = chosen.fold((0.0, 0), |(m, n), a| (m + a.missed(threshold), n + a.images()));
        let miss_rate = (images > 0).then(|| missed / images as f64);
        Ok(AtThreshold {
            threshold: self.ranking.counted(threshold),
            tpr: share(found, anomalous),
            fpr: share(alarms, known),
            miss_rate,
            open,
        })
    }

    /// The closed-set confusion, where classes are judged: known pixels by their class and the network's.
    pub fn closed(&self, fold: impl Fn(usize) -> bool) -> anyhow::Result<Option<Confusion>> {
        let Some(classes) = self.strata.classes() else { return Ok(None) };
        let mut closed = Confusion::new(classes);
        for stratum in 0..self.strata.len() {
            let (of, truth, prediction) = self.strata.parts(stratum);
            if fold(of) && truth < classes {
                closed.add(truth, prediction, self.ranking.count(stratum))?;
            }
        }
        Ok(Some(closed))
    }

    /// Of a histogram; `None`, where scores are ranked exactly.
    pub fn bins(&self) -> Option<u32> {
        self.bins
    }

    /// Pixels whose score was NaN.
    pub fn nan(&self) -> u64 {
        (0..self.strata.len()).map(|s| self.ranking.nan(s)).sum()
    }
}
