//! Rankings against their definitions, and histograms against rankings.

use super::*;
use crate::metrics::curve::{CurveBounds, OperatingPoint};
use crate::metrics::sum::Sum;
use proptest::prelude::*;

pub(super) const STRATA: usize = 4;
pub(super) const LEVELS: [f64; 4] = [0.5, 0.95, 1.0, 0.0];

/// Odd strata are positives, 2 has no side.
pub(super) fn side(stratum: usize) -> Option<Side> {
    [Some(Side::Negative), Some(Side::Positive), None, Some(Side::Positive)][stratum]
}

#[derive(Debug, Clone, Default)]
pub(super) struct Pixels {
    pub(super) strata: Vec<u16>,
    pub(super) scores: Vec<f32>,
}

impl Pixels {
    pub(super) fn fill(&self, mut ranking: Ranking) -> Ranking {
        ranking.extend(&self.strata, &self.scores).unwrap();
        ranking
    }

    pub(super) fn in_memory(&self) -> Ranking {
        self.fill(Ranking::new(STRATA, Limits::default()))
    }

    /// Score and whether it is a positive's.
    fn judged(&self) -> Vec<(f32, bool)> {
        let all = self.strata.iter().zip(&self.scores).filter(|(s, _)| **s != Ranking::SKIP);
        all.filter_map(|(s, score)| Some((*score, side((*s).into())? == Side::Positive))).collect()
    }

    fn map(&self, f: impl Fn(f32) -> f32) -> Self {
        Self { strata: self.strata.clone(), scores: self.scores.iter().map(|s| f(*s)).collect() }
    }
}

/// Few values and so many ties, many values, all bit patterns, or one value; of any mix of strata.
pub(super) fn pixels() -> impl Strategy<Value = Pixels> {
    let special = prop::sample::select(vec![
        f32::NAN,
        -f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        0.0,
        -0.0,
        f32::MAX,
        f32::MIN_POSITIVE / 2.0,
    ]);
    let tied = (-3i8..3).prop_map(|i| f32::from(i) * 0.5);
    let score = prop_oneof![
        Just(tied.clone().boxed()),
        Just((-20.0f32..5.0).boxed()),
        Just(prop_oneof![tied, special].boxed()),
        Just(any::<u32>().prop_map(f32::from_bits).boxed()),
        Just(Just(-7.25f32).boxed()),
    ];
    let stratum = prop::sample::subsequence(vec![0, 1, 2, 3, Ranking::SKIP], 1..=5);
    (score, stratum).prop_flat_map(|(score, strata)| {
        prop::collection::vec((prop::sample::select(strata), score), 0..120)
            .prop_map(|pixels| pixels.into_iter().unzip())
            .prop_map(|(strata, scores)| Pixels { strata, scores })
    })
}

fn above(a: f32, b: f32) -> bool {
    a > b || (a.is_nan() && !b.is_nan())
}

/// Every figure by its definition, in quadratic time.
fn naive(pixels: &[(f32, bool)], levels: &[f64]) -> Curve {
    let of = |positive: bool| pixels.iter().filter(move |(_, p)| *p == positive).map(|(score, _)| *score);
    let (positives, negatives) = (of(true).count() as u64, of(false).count() as u64);
    let mut distinct: Vec<f32> = pixels.iter().map(|(score, _)| *score).collect();
    distinct.sort_by(|a, b| if above(*a, *b) { std::cmp::Ordering::Less } else { above(*b, *a).cmp(&false) });
    distinct.dedup_by(|a, b| !above(*a, *b) && !above(*b, *a));

    // (score, tp, fp): all scores that are not below it.
    let down_to = |s: f32, positive| of(positive).filter(|score| !above(s, *score)).count() as u64;
    let points: Vec<_> = distinct.iter().map(|s| (*s, down_to(*s, true), down_to(*s, false))).collect();
    let operating = |(score, tp, fp): (f32, u64, u64)| OperatingPoint {
        threshold: match score {
            f32::NEG_INFINITY => None,
            nan if nan.is_nan() => Some(f32::INFINITY),
            score => Some(score.next_down()),
        },
        tpr: tp as f64 / positives as f64,
        fpr: fp as f64 / negatives as f64,
        precision: tp as f64 / (tp + fp) as f64,
        f1: (2 * tp) as f64 / (tp + fp + positives) as f64,
    };

    let (mut ap, mut before) = (Sum::default(), 0);
    for (_, tp, fp) in &points {
        ap.add((tp - before) as f64 * (*tp as f64 / (tp + fp) as f64));
        before = *tp;
    }
    let mut twice_won = 0;
    for positive in of(true) {
        for negative in of(false) {
            twice_won += if above(positive, negative) { 2 } else { u64::from(!above(negative, positive)) };
        }
    }
    let mut best = None::<(f32, u64, u64)>;
    for point in points.iter().filter(|(_, tp, _)| *tp > 0) {
        let better =
            |b: (f32, u64, u64)| point.1 * (b.1 + b.2 + positives) > b.1 * (point.1 + point.2 + positives);
        if best.is_none_or(better) {
            best = Some(*point);
        }
    }
    let at = |level: f64| points.iter().find(|(_, tp, _)| *tp > 0 && *tp as f64 / positives as f64 >= level);
    let defined = positives > 0 && negatives > 0;
    Curve {
        positives,
        negatives,
        nan: pixels.iter().filter(|(score, _)| score.is_nan()).count() as u64,
        ap: defined.then(|| ap.total() / positives as f64),
        auroc: defined.then(|| twice_won as f64 / (2 * positives * negatives) as f64),
        best_f1: best.filter(|_| defined).map(operating),
        at_tpr: levels.iter().map(|l| (*l, at(*l).filter(|_| defined).map(|p| operating(*p)))).collect(),
        error: None,
    }
}

/// As all figures are finite, equal text is equal bits.
pub(super) fn bits(curve: &Curve) -> String {
    format!("{curve:?}")
}

fn within((low, high): (f64, f64), figure: Option<f64>) -> bool {
    figure.is_some_and(|figure| low <= figure && figure <= high)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn exact_is_the_definition_to_the_bit(pixels in pixels()) {
        let mut ranking = pixels.in_memory();
        let expected = naive(&pixels.judged(), &LEVELS);
        prop_assert_eq!(bits(&ranking.curve(side, &LEVELS).unwrap()), bits(&expected));
        prop_assert_eq!(bits(&ranking.curve(side, &LEVELS).unwrap()), bits(&expected), "the second time");
        ranking.extend(&pixels.strata, &pixels.scores).unwrap();
        let twice = [pixels.judged(), pixels.judged()].concat();
        prop_assert_eq!(bits(&ranking.curve(side, &LEVELS).unwrap()), bits(&naive(&twice, &LEVELS)));
        ranking.clear();
        prop_assert_eq!(bits(&ranking.curve(side, &[]).unwrap()), bits(&naive(&[], &[])));
    }

    #[test]
    fn ap_and_auroc_survive_strictly_monotone_maps(
        pixels in pixels(),
        step in 0.5f32..9.0,
        shift in -1e3f32..1e3,
    ) {
        let mut distinct: Vec<f32> = pixels.scores.iter().map(|s| s + 0.0).filter(|s| !s.is_nan()).collect();
        distinct.sort_by(f32::total_cmp);
        distinct.dedup();
        let mapped = pixels.map(|score| match distinct.iter().position(|d| *d == score) {
            Some(rank) => rank as f32 * step + shift,
            None => score,
        });
        let before = pixels.in_memory().curve(side, &[]).unwrap();
        let after = mapped.in_memory().curve(side, &[]).unwrap();
        prop_assert_eq!((before.ap, before.auroc), (after.ap, after.auroc));
    }

    #[test]
    fn a_histogram_knows_how_wrong_it_can_be(
        pixels in pixels(),
        bins in prop_oneof![2u32..9, 1000u32..100_000],
        cut in 0usize..120,
    ) {
        let exact = pixels.in_memory().curve(side, &LEVELS).unwrap();
        let mut quick = pixels.fill(Ranking::quick(STRATA, bins).unwrap());
        let curve = quick.curve(side, &LEVELS).unwrap();
        prop_assert_eq!(
            (curve.positives, curve.negatives, curve.nan, curve.undefined()),
            (exact.positives, exact.negatives, exact.nan, exact.undefined())
        );
        prop_assert_eq!(curve.error.is_some(), curve.undefined().is_none());
        if let Some(CurveBounds { ap, auroc, best_f1, fpr_at_tpr }) = &curve.error {
            for curve in [&curve, &exact] {
                prop_assert!(within(*ap, curve.ap), "{:?} {:?}", ap, curve.ap);
                prop_assert!(within(*auroc, curve.auroc), "{:?} {:?}", auroc, curve.auroc);
                prop_assert!(within(*best_f1, curve.best_f1.map(|p| p.f1)));
                for (bounds, (_, point)) in fpr_at_tpr.iter().zip(&curve.at_tpr) {
                    prop_assert!(within(*bounds, point.map(|p| p.fpr)));
                }
            }
        }
        // The operating points are real: the exact ranking has these rates at these thresholds.
        let points = curve.at_tpr.iter().filter_map(|(_, point)| *point).chain(curve.best_f1);
        for point in points {
            let Some(threshold) = point.threshold else { continue };
            let counts = pixels.in_memory().above(threshold).unwrap();
            prop_assert_eq!(&quick.above(threshold).unwrap(), &counts);
            prop_assert_eq!((counts[1] + counts[3]) as f64 / curve.positives as f64, point.tpr);
            prop_assert_eq!(counts[0] as f64 / curve.negatives as f64, point.fpr);
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shard");
        let cut = cut.min(pixels.scores.len());
        let part = |from: usize, to: usize| {
            let (strata, scores) = (pixels.strata[from..to].to_vec(), pixels.scores[from..to].to_vec());
            Pixels { strata, scores }.fill(Ranking::quick(STRATA, bins).unwrap())
        };
        part(0, cut).save(&file).unwrap();
        let mut merged = Ranking::load(&file, Limits::default()).unwrap();
        merged.merge(part(cut, pixels.scores.len())).unwrap();
        prop_assert_eq!(bits(&merged.curve(side, &LEVELS).unwrap()), bits(&curve));
        quick.clear();
        prop_assert_eq!(quick.count(0), 0);
        prop_assert_eq!(quick.curve(side, &[]).unwrap().undefined(), Some("no scores"));
    }

    #[test]
    fn above_and_quantiles_are_their_definitions(
        pixels in pixels(),
        threshold: u32,
        pick: usize,
        bins in 2u32..5000,
    ) {
        let any = f32::from_bits(threshold);
        let one = pixels.scores.get(pick % pixels.scores.len().max(1)).copied().unwrap_or(any);
        let mut ranking = pixels.in_memory();
        for threshold in [any, one, f32::INFINITY, f32::NEG_INFINITY] {
            let counts = ranking.above(threshold).unwrap();
            for (stratum, count) in counts.iter().enumerate() {
                let all = pixels.strata.iter().zip(&pixels.scores);
                let of = all.filter(|(s, score)| usize::from(**s) == stratum && above(**score, threshold));
                prop_assert_eq!(*count, of.count() as u64);
            }
        }

        let chosen = |stratum: usize| stratum != 1;
        let of = pixels.strata.iter().zip(&pixels.scores).filter(|(s, _)| **s < 4 && chosen((**s).into()));
        let mut sorted: Vec<f32> = of.map(|(_, s)| *s + 0.0).filter(|s| !s.is_nan()).collect();
        sorted.sort_by(f32::total_cmp);
        let q = [0.5, 0.0, 0.05, 1.0, 0.95, 0.5];
        let mass = |score: f32| sorted.iter().filter(|s| **s <= score).count() as f64 / sorted.len() as f64;
        let expected = (!sorted.is_empty())
            .then(|| q.map(|q| sorted.iter().copied().find(|s| mass(*s) >= q).unwrap()).to_vec());
        prop_assert_eq!(&ranking.quantiles(chosen, &q).unwrap(), &expected);

        let quick = pixels.fill(Ranking::quick(STRATA, bins).unwrap()).quantiles(chosen, &q).unwrap();
        prop_assert_eq!(quick.is_some(), expected.is_some());
        let pairs = quick.into_iter().flatten().zip(expected.into_iter().flatten());
        prop_assert!(pairs.into_iter().all(|(quick, exact)| quick >= exact), "the upper end of its bin");
    }
}

/// Two bins, of the negative and the other numbers. Upper: two positives and a negative; lower: one and two.
#[test]
fn the_bounds_of_a_histogram_are_reached() {
    let pixels = Pixels { strata: vec![1, 1, 0, 1, 0, 0], scores: vec![1.0, 2.0, 3.0, -1.0, -2.0, -3.0] };
    let curve = pixels.fill(Ranking::quick(STRATA, 2).unwrap()).curve(side, &[0.5, 1.0]).unwrap();
    let close = |(low, high): (f64, f64), expected: (f64, f64)| {
        assert!((low - expected.0).abs() < 1e-14 && (high - expected.1).abs() < 1e-14, "{low} {high}");
    };
    let bounds = curve.error.unwrap();
    // Negatives first: 1/2 and 2/3, then 3/6. Positives first and tied: 2/2 twice, then 3/4.
    close(bounds.ap, ((1. / 2. + 2. / 3. + 3. / 6.) / 3., (2. + 3. / 4.) / 3.));
    // Four of nine pairs are in different bins and won; four are within one.
    close(bounds.auroc, (4. / 9., 8. / 9.));
    // At both edges 2/3; at best three positives of four alarms.
    close(bounds.best_f1, (2. / 3., 6. / 7.));
    close(bounds.fpr_at_tpr[0], (0., 1. / 3.));
    close(bounds.fpr_at_tpr[1], (1. / 3., 1.));
}

#[test]
fn with_a_bin_for_each_f32_a_histogram_is_exact() {
    let scores = vec![0.0, 1.0, f32::NAN, -0.0, 1.0f32.next_up(), f32::NEG_INFINITY, 1.0, f32::INFINITY];
    let pixels = Pixels { strata: vec![0, 1, 0, 3, 0, 1, 0, 1], scores };
    let mut quick = pixels.fill(Ranking::quick(STRATA, u32::MAX).unwrap());
    let curve = Curve { error: None, ..quick.curve(side, &LEVELS).unwrap() };
    assert_eq!(bits(&curve), bits(&pixels.in_memory().curve(side, &LEVELS).unwrap()));
    assert_eq!(quick.quantiles(|_| true, &[0.0, 1.0]).unwrap(), Some(vec![f32::NEG_INFINITY, f32::INFINITY]));
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_added() {
    let mut ranking = Ranking::new(2, Limits::default());
    assert!(ranking.extend(&[0, 2], &[1.0, 1.0]).unwrap_err().to_string().contains("stratum 2"));
    assert!(ranking.extend(&[0, Ranking::SKIP - 1], &[1.0, 1.0]).is_err());
    assert!(ranking.extend(&[0], &[1.0, 1.0]).unwrap_err().to_string().contains("1 strata for 2 scores"));
    assert!(ranking.push(usize::MAX, 1.0).is_err() && ranking.push(usize::from(Ranking::SKIP), 1.0).is_err());
    assert_eq!((ranking.count(0), ranking.count(9)), (0, 0));
    for share in [f64::NAN, -0.1, 95.0] {
        assert!(ranking.curve(side, &[share]).unwrap_err().to_string().contains("no share"));
        assert!(ranking.quantiles(|_| true, &[share]).is_err());
    }
    for bins in [0, 1] {
        assert!(Ranking::quick(1, bins).err().unwrap().to_string().contains("at least 2"));
    }
    let other = |ranking: Result<Ranking, RankingError>| ranking.unwrap();
    let error = ranking.merge(Ranking::new(3, Limits::default())).unwrap_err().to_string();
    assert!(error.contains("of 3 strata cannot be merged into an exact ranking of 2 strata"), "{error}");
    assert!(ranking.merge(other(Ranking::quick(2, 10))).is_err());
    assert!(other(Ranking::quick(2, 10)).merge(other(Ranking::quick(2, 11))).is_err());
    assert_eq!(Ranking::new(1 << 20, Limits::default()).strata(), 65535);
}

#[test]
fn figures_that_are_not_defined_say_why() {
    let curve = |strata: &[u16], scores: &[f32]| {
        let pixels = Pixels { strata: strata.into(), scores: scores.into() };
        pixels.in_memory().curve(side, &[0.95]).unwrap()
    };
    for (curve, why) in [
        (curve(&[], &[]), "no scores"),
        (curve(&[2], &[1.0]), "no scores"),
        (curve(&[1, 3], &[1.0, 2.0]), "no negatives"),
        (curve(&[0], &[f32::NAN]), "no positives"),
    ] {
        assert_eq!(curve.undefined(), Some(why));
        assert_eq!(
            (curve.ap, curve.auroc, curve.best_f1, &curve.at_tpr[..]),
            (None, None, None, &[(0.95, None)][..])
        );
    }
    assert_eq!(curve(&[0, 1], &[1.0, 2.0]).undefined(), None);
}

#[test]
fn a_ranking_goes_from_thread_to_thread() {
    fn send<T: Send>() {}
    send::<Ranking>();
    send::<RankingError>();
    send::<Curve>();
}
