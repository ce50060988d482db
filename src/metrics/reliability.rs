//! Whether the dataset posterior means what it says: of the pixels given P(d_out|x) = 0.2 (eq. 8), a fifth
//! should be outliers.
//!
//! Expected calibration error over bins of equal width (Naeini et al., 2015), for the one event "is an
//! outlier": the mean of |share of outliers − mean P(d_out|x)| over the bins, weighted by their pixels.

/// Probabilities are added up in steps of 2⁻⁵³: integers, so that shards merge to the same bits in any order.
const STEPS: f64 = (1u64 << 53) as f64;

/// Counts of probabilities and of what came of them, by bin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reliability {
    bins: Vec<Tally>,
    invalid: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    pixels: u64,
    outliers: u64,
    /// Sum of probabilities, in steps.
    probability: u128,
}

/// One point of the reliability curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReliabilityBin {
    /// Smallest probability of the bin.
    pub low: f64,
    /// Where the next one begins; the last bin includes 1.
    pub high: f64,
    /// Pixels in it.
    pub pixels: u64,
    /// Mean probability of its pixels; `None` where there are none.
    pub mean_probability: Option<f64>,
    /// Share of outliers among them, in 0..=1; `None` where there are none.
    pub outlier_share: Option<f64>,
}

/// Two results in different bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("reliability in {theirs} bins cannot be added to one in {ours}: choose the same number")]
pub struct BinsDiffer {
    /// Bins of the one that was to grow.
    pub ours: usize,
    /// Bins of the other.
    pub theirs: usize,
}

impl Reliability {
    /// Empty, in so many bins of equal width over 0..=1 (at least one).
    pub fn new(bins: usize) -> Self {
        Self { bins: vec![Tally::default(); bins.max(1)], invalid: 0 }
    }

    /// Takes a pixel's P(d_out|x) and whether it was one. NaN and what is outside 0..=1 is only counted.
    pub fn add(&mut self, probability: f64, outlier: bool) {
        if !(0.0..=1.0).contains(&probability) {
            self.invalid += 1;
            return;
        }
        let last = self.bins.len() - 1;
        let bin = &mut self.bins[((probability * (last + 1) as f64) as usize).min(last)];
        bin.pixels += 1;
        bin.outliers += u64::from(outlier);
        bin.probability += u128::from((probability * STEPS) as u64);
    }

    /// Adds another shard's counts.
    ///
    /// # Errors
    /// It has another number of bins.
    pub fn merge(&mut self, other: &Self) -> Result<(), BinsDiffer> {
        if self.bins.len() != other.bins.len() {
            return Err(BinsDiffer { ours: self.bins.len(), theirs: other.bins.len() });
        }
        self.invalid += other.invalid;
        for (ours, theirs) in self.bins.iter_mut().zip(&other.bins) {
            ours.pixels += theirs.pixels;
            ours.outliers += theirs.outliers;
            ours.probability += theirs.probability;
        }
        Ok(())
    }

    /// Values that were no probabilities.
    pub fn invalid(&self) -> u64 {
        self.invalid
    }

    /// Expected calibration error, in 0..=1; `None` without pixels.
    pub fn ece(&self) -> Option<f64> {
        let pixels: u64 = self.bins.iter().map(|b| b.pixels).sum();
        let gaps = self.bins.iter().map(|b| (b.outliers as f64 - b.probability as f64 / STEPS).abs());
        (pixels > 0).then(|| gaps.sum::<f64>() / pixels as f64)
    }

    /// The curve, from the lowest bin up.
    pub fn bins(&self) -> Vec<ReliabilityBin> {
        let edge = |i: usize| i as f64 / self.bins.len() as f64;
        let point = |(i, bin): (usize, &Tally)| {
            let of_all = |sum: f64| (bin.pixels > 0).then(|| sum / bin.pixels as f64);
            ReliabilityBin {
                low: edge(i),
                high: edge(i + 1),
                pixels: bin.pixels,
                mean_probability: of_all(bin.probability as f64 / STEPS),
                outlier_share: of_all(bin.outliers as f64),
            }
        };
        self.bins.iter().enumerate().map(point).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn worked_by_hand() {
        let mut r = Reliability::new(2);
        assert_eq!(r.ece(), None);
        // Lower bin: mean 1/4, one of four. Upper: mean 3/4, all of two, 1 included.
        for (probability, outlier) in
            [(0.0, false), (0.25, false), (0.25, true), (0.49, false), (0.5, true), (1.0, true)]
        {
            r.add(probability, outlier);
        }
        let [lower, upper] = r.bins()[..] else { panic!("two bins") };
        assert_eq!((lower.low, lower.high, lower.pixels), (0.0, 0.5, 4));
        assert!((lower.mean_probability.unwrap() - 0.2475).abs() < 1e-15);
        assert_eq!(lower.outlier_share, Some(0.25));
        assert_eq!((upper.mean_probability, upper.outlier_share), (Some(0.75), Some(1.0)));
        // (4·|0.25 − 0.2475| + 2·|1 − 0.75|) / 6
        assert!((r.ece().unwrap() - 0.51 / 6.0).abs() < 1e-15);
    }

    #[test]
    fn what_is_no_probability_is_counted_apart() {
        let mut r = Reliability::new(0);
        for bad in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
            r.add(bad, true);
        }
        assert_eq!((r.invalid(), r.ece(), r.bins().len()), (4, None, 1));
        assert_eq!(r.bins()[0].outlier_share, None);
    }

    proptest! {
        #[test]
        fn shards_merge_to_the_same_bits(
            pixels in prop::collection::vec((0.0f64..=1.0, any::<bool>()), 0..60),
            bins in 1usize..20,
            cut in 0usize..60,
        ) {
            let fill = |part: &[(f64, bool)]| {
                let mut r = Reliability::new(bins);
                part.iter().for_each(|(p, o)| r.add(*p, *o));
                r
            };
            let (early, late) = pixels.split_at(cut.min(pixels.len()));
            let mut merged = fill(late);
            merged.merge(&fill(early)).unwrap();
            prop_assert_eq!(&merged, &fill(&pixels));
            prop_assert!(merged.merge(&Reliability::new(bins + 1)).is_err());

            let mean = |b: &ReliabilityBin| b.mean_probability.unwrap_or(b.low);
            prop_assert!(merged.bins().iter().all(|b| b.low <= mean(b) + 1e-12 && mean(b) <= b.high + 1e-12));
            prop_assert!(merged.ece().is_none_or(|e| (0.0..=1.0).contains(&e)));
        }
    }
}
