//! The fast pass against the definition, and the properties the score must have whoever computes it.

use super::*;
use crate::score::{Fitted, reference};
use proptest::prelude::*;

/// A small problem: logits, dataset logits, and where to look.
#[derive(Debug, Clone)]
struct Case {
    classes: usize,
    height: usize,
    width: usize,
    logits: Vec<f32>,
    dataset: Vec<f32>,
    sampling: Sampling,
    threshold: f32,
    temperature: f32,
    /// Mean and deviation of each class.
    statistics: (Vec<f32>, Vec<f32>),
}

impl Case {
    /// The score with what this case has for it.
    fn scoring(&self, score: Score) -> Scoring {
        let (mean, deviation) = self.statistics.clone();
        let (temperature, fitted) = match score {
            Score::Sml => (1.0, Fitted::MaxLogit { mean, deviation }),
            _ => (self.temperature, Fitted::Clip(1.0)),
        };
        Scoring::new(score, temperature, fitted).unwrap()
    }

    fn outputs(&self) -> Outputs<'_> {
        Outputs { logits: self.logits(), dataset_logits: Some(self.dataset()) }
    }

    fn logits(&self) -> Logits<'_> {
        Logits { data: &self.logits, channels: self.classes, height: self.height, width: self.width }
    }

    fn dataset(&self) -> Logits<'_> {
        let channels = self.dataset.len() / (self.height * self.width);
        Logits { data: &self.dataset, channels, height: self.height, width: self.width }
    }

    fn run(&self, score: Score) -> (Vec<u8>, Vec<f32>, Counts) {
        let (mut labels, mut anomaly) = (Vec::new(), Vec::new());
        let (scoring, sampling) = (self.scoring(score), &self.sampling);
        let counts = Fusion::default()
            .run(&scoring, self.threshold, self.outputs(), sampling, &mut labels, &mut anomaly)
            .unwrap();
        (labels, anomaly, counts)
    }

    fn reference(&self, score: Score) -> (Vec<u8>, Vec<f32>, Counts) {
        reference::fuse(&self.scoring(score), self.threshold, self.outputs(), &self.sampling)
    }

    /// Fast = reference: scores to f32 rounding, labels wherever neither decision is within that rounding.
    fn check(&self, score: Score) {
        let (labels, anomaly, counts) = self.run(score);
        let (want_labels, want_anomaly, want_counts) = self.reference(score);
        assert_eq!(counts.scored, want_counts.scored);
        assert_eq!(counts.non_finite, want_counts.non_finite);
        let scale = self
            .logits
            .iter()
            .chain(&self.dataset)
            .filter(|v| v.is_finite())
            .fold(1f32, |m, v| m.max(v.abs()));
        // f32 rounds the logits, and the score divides them.
        let divisor = match score {
            Score::Sml => self.statistics.1.iter().fold(1f32, |m, d| m.min(*d)),
            _ => self.temperature.min(1.0),
        };
        let tolerance = 4e-6 * scale / divisor;
        for i in 0..labels.len() {
            let (got, want) = (anomaly[i], want_anomaly[i]);
            assert_eq!(got.is_nan(), want.is_nan(), "pixel {i}: {got} vs {want}");
            assert!(got.is_nan() || (got - want).abs() <= tolerance, "pixel {i}: {got} vs {want}");
            let near_threshold = (want - self.threshold).abs() <= tolerance;
            if labels[i] != want_labels[i] && !near_threshold {
                // The two best classes may swap only where they tie.
                let unknown = self.classes as u8;
                assert!(labels[i] < unknown && want_labels[i] < unknown, "pixel {i}");
                assert!(self.is_tie(i, labels[i], want_labels[i], 4e-6 * scale), "pixel {i}: no tie");
            }
        }
    }

    fn is_tie(&self, pixel: usize, a: u8, b: u8, tolerance: f32) -> bool {
        let s = &self.sampling;
        let (y, x) = (pixel / s.width - s.top, pixel % s.width - s.left);
        let (row, column) = (s.rows.taps[y], s.columns.taps[x]);
        let at = |k: u8| {
            let plane = &self.logits[usize::from(k) * self.height * self.width..];
            let v = |r: u32, c: u32| plane[r as usize * self.width + c as usize];
            let upper = v(row.0, column.0) + (v(row.0, column.1) - v(row.0, column.0)) * column.2;
            let lower = v(row.1, column.0) + (v(row.1, column.1) - v(row.1, column.0)) * column.2;
            upper + (lower - upper) * row.2
        };
        (at(a) - at(b)).abs() <= tolerance
    }
}

fn case() -> impl Strategy<Value = Case> {
    (
        2usize..7,
        1usize..6,
        1usize..8,
        1usize..90,
        1usize..300,
        1usize..3,
        -4f32..4f32,
        any::<u64>(),
        0f32..60f32,
        prop_oneof![Just(1f32), 0.125f32..8.0],
    )
        .prop_map(
            |(
                classes,
                height,
                width,
                out_height,
                out_width,
                channels,
                threshold,
                seed,
                spread,
                temperature,
            )| {
                let mut state = seed;
                let mut random = move || {
                    // splitmix64: a seeded, dependency-free stream is enough to fill logits.
                    state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                    let mut z = state;
                    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                    ((z ^ (z >> 31)) as f64 / u64::MAX as f64) as f32 * 2.0 - 1.0
                };
                let logits = (0..classes * height * width).map(|_| random() * spread).collect();
                let dataset = (0..channels * height * width).map(|_| random() * spread).collect();
                let mean = (0..classes).map(|_| random() * spread).collect();
                let deviation = (0..classes).map(|_| 0.25 + random().abs() * 4.0).collect();
                let statistics = (mean, deviation);
                let (left, top) = ((seed % 7) as usize, (seed % 5) as usize);
                let mut sampling = Sampling::whole(out_width, out_height, width, height);
                (sampling.left, sampling.top) = (left, top);
                (sampling.width, sampling.height) = (out_width + left + 3, out_height + top + 2);
                Case { classes, height, width, logits, dataset, sampling, threshold, temperature, statistics }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn fast_equals_reference(case in case()) {
        for (score, _) in Score::ALL {
            case.check(score);
        }
    }

    #[test]
    fn fast_equals_reference_where_logits_are_broken(
        case in case(), at: prop::sample::Index, which in 0..3usize,
    ) {
        let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][which];
        let mut broken = case.clone();
        let i = at.index(broken.logits.len());
        broken.logits[i] = bad;
        for (score, _) in Score::ALL {
            broken.check(score);
        }
        let mut broken = case;
        let i = at.index(broken.dataset.len());
        broken.dataset[i] = bad;
        for (score, _) in Score::ALL {
            broken.check(score);
        }
    }

    #[test]
    fn hybrid_is_the_sum_of_its_parts_at_every_temperature(case in case()) {
        let [hybrid, generative, discriminative] =
            [Score::Hybrid, Score::Generative, Score::Discriminative].map(|score| case.run(score).1);
        for ((h, g), d) in hybrid.iter().zip(&generative).zip(&discriminative).filter(|((h, _), _)| !h.is_nan()) {
            prop_assert!((h - (g + d)).abs() <= 1e-6 * (1.0 + g.abs() + d.abs()), "{} vs {} + {}", h, g, d);
        }
    }

    #[test]
    fn labels_do_not_depend_on_the_temperature(case in case()) {
        let plain = Case { threshold: f32::MAX, temperature: 1.0, ..case.clone() };
        let tempered = Case { threshold: f32::MAX, ..case };
        for (score, _) in Score::ALL {
            let (labels, tempered_labels) = (plain.run(score).0, tempered.run(score).0);
            for i in (0..labels.len()).filter(|i| labels[*i] != tempered_labels[*i]) {
                prop_assert!(plain.is_tie(i, labels[i], tempered_labels[i], 4e-6 * 60.0), "pixel {}", i);
            }
        }
    }

    #[test]
    fn a_constant_added_to_all_logits_lowers_the_score_by_it(case in case(), c in -8f32..8f32) {
        let mut shifted = case.clone();
        shifted.logits.iter_mut().for_each(|v| *v += c);
        let (before, after) = (case.run(Score::Hybrid).1, shifted.run(Score::Hybrid).1);
        for (b, a) in before.iter().zip(&after).filter(|(b, _)| !b.is_nan()) {
            prop_assert!((b - c / case.temperature - a).abs() < 1e-3, "{} − {} vs {}", b, c, a);
        }
    }

    #[test]
    fn permuting_classes_permutes_labels_and_keeps_scores(case in case()) {
        let plane = case.height * case.width;
        let mut turned = case.clone();
        turned.logits.rotate_left(plane);
        let (labels, anomaly, counts) = case.run(Score::Hybrid);
        let (turned_labels, turned_anomaly, turned_counts) = turned.run(Score::Hybrid);
        let k = case.classes as u8;
        prop_assert_eq!(counts.unknown, turned_counts.unknown);
        for i in 0..labels.len() {
            let same = (anomaly[i] - turned_anomaly[i]).abs() < 1e-3 || anomaly[i].is_nan();
            prop_assert!(same);
            if labels[i] < k && turned_labels[i] < k && labels[i] != (turned_labels[i] + 1) % k {
                prop_assert!(case.is_tie(i, labels[i], (turned_labels[i] + 1) % k, 1e-3));
            }
        }
    }

    #[test]
    fn raising_the_threshold_never_adds_unknown(case in case(), up in 0f32..5f32) {
        let mut raised = case.clone();
        raised.threshold += up;
        let (low, _, _) = case.run(Score::Hybrid);
        let (high, _, _) = raised.run(Score::Hybrid);
        let k = case.classes as u8;
        for (l, h) in low.iter().zip(&high) {
            prop_assert!(*h != k || *l == k);
        }
    }
}

#[test]
fn what_is_outside_is_ignored_even_in_a_used_buffer() {
    let data = [1.0, 2.0, 3.0, 4.0];
    let logits = Logits { data: &data, channels: 2, height: 1, width: 2 };
    let mut sampling = Sampling::whole(2, 1, 2, 1);
    (sampling.width, sampling.height, sampling.left, sampling.top) = (4, 3, 1, 1);
    let (mut labels, mut anomaly) = (vec![7; 12], vec![7.0; 12]);
    let scoring = Scoring::new(Score::Generative, 1.0, Fitted::Nothing).unwrap();
    let outputs = Outputs { logits, dataset_logits: None };
    let counts = Fusion::default().run(&scoring, 0.0, outputs, &sampling, &mut labels, &mut anomaly).unwrap();
    assert_eq!(labels, [255, 255, 255, 255, 255, 1, 1, 255, 255, 255, 255, 255]);
    assert_eq!(anomaly.iter().filter(|a| a.is_nan()).count(), 10);
    assert_eq!((counts.scored, counts.unknown), (2, 0));
}

#[test]
fn shapes_that_disagree_are_refused() {
    let data = [0.0; 8];
    let logits = Logits { data: &data, channels: 2, height: 2, width: 2 };
    let sampling = Sampling::whole(4, 4, 2, 2);
    let run = |score, logits, dataset_logits, sampling: &Sampling| {
        let fitted = match score {
            Score::Sml => Fitted::MaxLogit { mean: vec![0.0; 3], deviation: vec![1.0; 3] },
            _ => Fitted::Nothing,
        };
        let scoring = Scoring::new(score, 1.0, fitted).unwrap();
        let outputs = Outputs { logits, dataset_logits };
        Fusion::default().run(&scoring, 0.0, outputs, sampling, &mut Vec::new(), &mut Vec::new()).map(|_| ())
    };
    assert_eq!(run(Score::Generative, logits, None, &sampling), Ok(()));
    assert_eq!(run(Score::Hybrid, logits, None, &sampling), Err(FusionError::NoDatasetLogits(Score::Hybrid)));
    assert_eq!(run(Score::OhMsp, logits, None, &sampling), Err(FusionError::NoDatasetLogits(Score::OhMsp)));
    let statistics = FusionError::Statistics { score: Score::Sml, statistics: 3, classes: 2 };
    assert_eq!(run(Score::Sml, logits, None, &sampling), Err(statistics));
    let short = Logits { channels: 3, ..logits };
    assert!(matches!(run(Score::Generative, short, None, &sampling), Err(FusionError::Length { .. })));
    let other = Logits { channels: 2, height: 4, width: 1, ..logits };
    assert!(matches!(run(Score::Hybrid, logits, Some(other), &sampling), Err(FusionError::Grid(..))));
    let three = Logits { data: &[0.0; 12], channels: 3, ..logits };
    assert_eq!(run(Score::Hybrid, logits, Some(three), &sampling), Err(FusionError::DatasetChannels(3)));
    let outside = Sampling { left: 1, ..Sampling::whole(4, 4, 2, 2) };
    assert!(matches!(run(Score::Generative, logits, None, &outside), Err(FusionError::Rectangle(..))));
    let wide = Sampling::whole(4, 4, 3, 2);
    assert!(matches!(run(Score::Generative, logits, None, &wide), Err(FusionError::Sampling { .. })));
}
