//! The figures of a ranking: one pass over its distinct scores, from the highest down.
//!
//! A positive is an anomaly, and a threshold turns all scores above it into alarms. Equal scores stand or
//! fall together, so each distinct score is one operating point, with `tp` and `fp` the positives and
//! negatives down to it, and P and N all of them:
//!
//! - AP: the step-wise area Σ ΔR·P = Σ (Δtp / P) · tp / (tp + fp), with a compensated sum in this order.
//! - AUROC, the trapezoid under the ROC curve: the share of pairs of a positive and a negative in which the
//!   positive scores higher, equal ones half. Counted in integers.
//! - FPR at a TPR (FPR95 at 0.95): fp / N at the first point with tp / P ≥ level, the quotient rounded once.
//!   0.95 of 20 are 19 then: the quotient of equal value is rounded to the same f64 as the decimal.
//! - Best F1: the largest 2tp / (tp + fp + P), compared as fractions; of equals the one at the highest score.
//!
//! Without positives, or without negatives, none of them is defined, and each is `None`.
//!
//! # Bounds
//! A histogram does not know the order within a bin. The figures take the scores of a bin as equal, and
//! [`CurveBounds`] say what any order of them, ties included, could have made of it. For a bin of p positives
//! and n negatives: AP is lowest with all negatives first and then the positives one by one, highest with all
//! positives first and tied. AUROC moves by up to p·n/2 pairs either way. FPR at a TPR is between leaving out
//! the bin's negatives and counting all. The best F1 is at least the one at the edge of a bin, at most the
//! one with a bin's positives and none of its negatives.

use super::key;
use super::sum::Sum;

/// What one pass found. Shares are fractions in 0..=1.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Scores of positives, P.
    pub positives: u64,
    /// Scores of negatives, N.
    pub negatives: u64,
    /// Of both, those that are NaN; they rank above +∞.
    pub nan: u64,
    /// Average precision.
    pub ap: Option<f64>,
    /// Area under the ROC curve.
    pub auroc: Option<f64>,
    /// The point of the largest F1.
    pub best_f1: Option<OperatingPoint>,
    /// For each true positive rate that was asked for, the first point that reaches it.
    pub at_tpr: Vec<(f64, Option<OperatingPoint>)>,
    /// Where the figures would be with every score told apart; `None` where they are exact, or undefined.
    pub error: Option<CurveBounds>,
}

impl Curve {
    /// Why there are no figures, where there are none.
    pub fn undefined(&self) -> Option<&'static str> {
        match (self.positives, self.negatives) {
            (0, 0) => Some("no scores"),
            (0, _) => Some("no positives"),
            (_, 0) => Some("no negatives"),
            _ => None,
        }
    }
}

/// A threshold and what it does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OperatingPoint {
    /// Alarm where score > threshold, strictly, and where the score is NaN. +∞: only there. `None` where even
    /// −∞ must raise one, which no threshold does.
    pub threshold: Option<f32>,
    /// Share of positives that raise an alarm.
    pub tpr: f64,
    /// Share of negatives that do.
    pub fpr: f64,
    /// Share of positives among alarms.
    pub precision: f64,
    /// 2·tp / (alarms + positives).
    pub f1: f64,
}

/// Lowest and highest that each figure can be, in 0..=1.
#[derive(Debug, Clone, PartialEq)]
pub struct CurveBounds {
    /// Of [`Curve::ap`].
    pub ap: (f64, f64),
    /// Of [`Curve::auroc`].
    pub auroc: (f64, f64),
    /// Of the F1 of [`Curve::best_f1`].
    pub best_f1: (f64, f64),
    /// Of the FPR of each of [`Curve::at_tpr`].
    pub fpr_at_tpr: Vec<(f64, f64)>,
}

/// Scores that count as equal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    pub(super) lowest: u32,
    pub(super) highest: u32,
    pub(super) positives: u64,
    pub(super) negatives: u64,
}

/// The smallest count whose share of `total`, as a correctly rounded quotient, is at least `level`.
pub(super) fn count_for(level: f64, total: u64) -> u64 {
    let reached = |count: u64| count as f64 / total as f64 >= level;
    let mut count = (level * total as f64) as u64; // one off at most
    while count > 0 && reached(count - 1) {
        count -= 1;
    }
    while count < total && !reached(count) {
        count += 1;
    }
    count
}

/// A point of the curve: all scores from `key` up.
#[derive(Debug, Clone, Copy)]
struct Point {
    key: u32,
    tp: u64,
    fp: u64,
}

/// A true positive rate that was asked for.
struct Wanted {
    level: f64,
    /// Positives that make it.
    tp: u64,
    found: Option<Point>,
    /// Negatives above the group that made it.
    fp_before: u64,
}

/// The pass: takes the groups from the highest down.
pub(super) struct Sweep {
    positives: u64,
    negatives: u64,
    tp: u64,
    fp: u64,
    /// Σ Δtp · precision.
    ap: Sum,
    /// Twice the pairs won: a tie is half a pair.
    pairs: u128,
    best: Option<Point>,
    wanted: Vec<Wanted>,
    spread: Option<Spread>,
}

/// What the order within groups could change.
#[derive(Default)]
struct Spread {
    ap: (Sum, Sum),
    /// Pairs within one group.
    pairs: u128,
    best_f1: f64,
}

impl Sweep {
    /// A pass over so many scores; `binned` where a group may hold scores that differ.
    pub(super) fn new(positives: u64, negatives: u64, levels: &[f64], binned: bool) -> Self {
        let wanted = levels.iter().map(|level| {
            let tp = count_for(*level, positives).max(1);
            Wanted { level: *level, tp, found: None, fp_before: 0 }
        });
        Self {
            positives,
            negatives,
            tp: 0,
            fp: 0,
            ap: Sum::default(),
            pairs: 0,
            best: None,
            wanted: wanted.collect(),
            spread: binned.then(Spread::default),
        }
    }

    #[inline]
    pub(super) fn add(&mut self, group: Group) {
        let Group { positives, negatives, .. } = group;
        self.pairs += u128::from(negatives) * u128::from(2 * self.tp + positives);
        if positives > 0 {
            self.add_positives(group);
        }
        self.tp += positives;
        self.fp += negatives;
    }

    /// Everything but AUROC changes only where there are positives.
    fn add_positives(&mut self, Group { lowest, positives, negatives, .. }: Group) {
        let now = Point { key: lowest, tp: self.tp + positives, fp: self.fp + negatives };
        self.ap.add(positives as f64 * now.precision());
        let f1_parts = |p: Point| (u128::from(p.tp), u128::from(p.tp + p.fp + self.positives));
        let better = self.best.is_none_or(|best| {
            let ((tp, all), (best_tp, best_all)) = (f1_parts(now), f1_parts(best));
            tp * best_all > best_tp * all
        });
        if better {
            self.best = Some(now);
        }
        for wanted in self.wanted.iter_mut().filter(|w| w.found.is_none() && w.tp <= now.tp) {
            wanted.found = Some(now);
            wanted.fp_before = self.fp;
        }
        if let Some(spread) = &mut self.spread {
            spread.pairs += u128::from(positives) * u128::from(negatives);
            let first = Point { fp: self.fp, ..now };
            spread.best_f1 = spread.best_f1.max(first.f1(self.positives));
            spread.ap.1.add(positives as f64 * first.precision());
            for tp in self.tp + 1..=now.tp {
                spread.ap.0.add(Point { tp, ..now }.precision());
            }
        }
    }

    /// The figures, once all groups have come.
    pub(super) fn finish(self, nan: u64) -> Curve {
        let (positives, negatives) = (self.positives, self.negatives);
        let defined = positives > 0 && negatives > 0;
        let pairs = u128::from(positives) * u128::from(negatives);
        let auroc = |twice: u128| twice as f64 / (2 * pairs) as f64;
        let ap = |sum: Sum| sum.total() / positives as f64;
        let of = |point: Option<Point>| point.filter(|_| defined).map(|p| p.operating(positives, negatives));
        let best_f1 = of(self.best);
        let bounds = |spread: &Spread| CurveBounds {
            ap: outward(ap(spread.ap.0), ap(spread.ap.1)),
            auroc: outward(auroc(self.pairs - spread.pairs), auroc(self.pairs + spread.pairs)),
            best_f1: outward(best_f1.map_or(0.0, |best| best.f1), spread.best_f1),
            fpr_at_tpr: self.wanted.iter().map(|w| w.bounds(negatives)).collect(),
        };
        Curve {
            positives,
            negatives,
            nan,
            ap: defined.then(|| ap(self.ap)),
            auroc: defined.then(|| auroc(self.pairs)),
            best_f1,
            at_tpr: self.wanted.iter().map(|w| (w.level, of(w.found))).collect(),
            error: self.spread.as_ref().filter(|_| defined).map(bounds),
        }
    }
}

/// Bounds with room for the few roundings that made them.
fn outward(low: f64, high: f64) -> (f64, f64) {
    const ROUNDINGS: f64 = 8.0 * f64::EPSILON;
    ((low * (1.0 - ROUNDINGS)).max(0.0), (high * (1.0 + ROUNDINGS)).min(1.0))
}

impl Wanted {
    fn bounds(&self, negatives: u64) -> (f64, f64) {
        let fp = self.found.map_or(0, |point| point.fp);
        (self.fp_before as f64 / negatives as f64, fp as f64 / negatives as f64)
    }
}

impl Point {
    fn precision(self) -> f64 {
        self.tp as f64 / (self.tp + self.fp) as f64
    }

    fn f1(self, positives: u64) -> f64 {
        (2 * self.tp) as f64 / (self.tp + self.fp + positives) as f64
    }

    fn operating(self, positives: u64, negatives: u64) -> OperatingPoint {
        OperatingPoint {
            threshold: key::strictly_below(self.key),
            tpr: self.tp as f64 / positives as f64,
            fpr: self.fp as f64 / negatives as f64,
            precision: self.precision(),
            f1: self.f1(positives),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::count_for;

    #[test]
    fn exact_fractions_of_the_positives_reach_their_level() {
        assert_eq!(count_for(0.95, 20), 19);
        assert_eq!(count_for(0.95, 21), 20);
        assert_eq!((count_for(0.0, 7), count_for(1.0, 7), count_for(0.5, 0)), (0, 7, 0));
        for total in 1..=3000u64 {
            for percent in 1..=100 {
                let exact = (percent * total).div_ceil(100);
                assert_eq!(count_for(percent as f64 / 100.0, total), exact, "{percent} % of {total}");
            }
        }
        let many = (1 << 45) / 20 * 20;
        assert_eq!(count_for(0.95, many), many / 20 * 19);
    }
}
