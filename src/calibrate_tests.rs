//! Worked cases, and the promise itself, checked by simulation.

use super::*;

/// splitmix64: a seeded stream without a dependency.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Roughly normal: twelve uniform draws.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// The anomalous pixels of an image: objects differ far more between images than pixels within one.
    fn image(&mut self) -> Vec<f32> {
        let (mean, spread) = (3.0 * self.normal(), 0.3 + self.unit());
        let pixels = 5 + (self.unit() * 60.0) as usize;
        (0..pixels).map(|_| (mean + spread * self.normal()) as f32).collect()
    }
}

fn anomalies(images: &[&[f32]]) -> Anomalies {
    let mut all = Anomalies::default();
    images.iter().for_each(|scores| all.add(scores.to_vec()));
    all
}

#[test]
fn worked_by_hand() {
    // Four images, α = 0.4: (Σℓ + 1)/5 ≤ 0.4, so Σℓ ≤ 1. At τ just under 3 images 1 and 2 have lost half each.
    let set = anomalies(&[&[1.0, 9.0], &[2.0, 9.0], &[3.0, 9.0], &[4.0, 9.0]]);
    let threshold = expected_miss_rate(&set, 0.4).unwrap();
    assert_eq!(threshold, 3f32.next_down());
    assert_eq!(set.miss_rate(threshold), Some(0.25));
    // Σℓ ≤ 1.5 with α = 0.5.
    assert_eq!(expected_miss_rate(&set, 0.5), Ok(4f32.next_down()));
    // Order of pixels, images without anomalies, and pixels that are unknown at every threshold do not matter.
    let same = anomalies(&[&[9.0, 1.0], &[], &[2.0, 9.0], &[f32::NAN, 3.0], &[4.0, -f32::NAN]]);
    assert_eq!(same.images(), 4);
    assert_eq!(expected_miss_rate(&same, 0.4), Ok(3f32.next_down()));
}

#[test]
fn too_few_images_are_refused_with_the_number_that_would_do() {
    let needed = |error| match error {
        CalibrateError::TooFew { needed, .. } => needed,
        other => panic!("{other}"),
    };
    // 1/0.05 − 1 = 19.
    let images = vec![vec![1f32]; 18];
    let mut set = Anomalies::default();
    images.into_iter().for_each(|image| set.add(image));
    assert_eq!(needed(expected_miss_rate(&set, 0.05).unwrap_err()), 19);
    // (1 − α)ⁿ ≤ δ is Hoeffding's bound of a mean of 0: n = ln 0.1 / ln 0.95 = 44.9.
    assert_eq!(needed(confident_miss_rate(&set, 0.05, 0.1).unwrap_err()), 45);
    set.add(vec![1.0]);
    assert_eq!(expected_miss_rate(&set, 0.05), Ok(1f32.next_down()));
}

#[test]
fn numbers_out_of_range_and_scores_out_of_reach() {
    let set = anomalies(&[&[f32::NEG_INFINITY], &[1.0], &[1.0]]);
    for bad in [0.0, 1.0, -0.1, f64::NAN] {
        assert!(matches!(expected_miss_rate(&set, bad), Err(CalibrateError::Range { name: "alpha", .. })));
        assert!(matches!(
            confident_miss_rate(&set, 0.5, bad),
            Err(CalibrateError::Range { name: "delta", .. })
        ));
    }
    assert_eq!(expected_miss_rate(&set, 0.3), Err(CalibrateError::Unreachable { alpha: 0.3 }));
    assert_eq!(Anomalies::default().miss_rate(0.0), None);
}

#[test]
fn binomial_tails() {
    // 1/16·(1 + 4 + 6) for four fair coins.
    assert!((binomial_cdf(2, 4, 0.5) - 11.0 / 16.0).abs() < 1e-12);
    assert_eq!(binomial_cdf(4, 4, 0.5), 1.0);
    // Where single terms underflow: half of the mass is below the mean of 50,000.
    assert!((binomial_cdf(50_000, 100_000, 0.5) - 0.5).abs() < 2e-3);
}

/// The mean loss over a population so large that it stands for all images.
fn population() -> Anomalies {
    let mut random = Random(99);
    let mut all = Anomalies::default();
    (0..4_000).for_each(|_| all.add(random.image()));
    all
}

#[test]
fn expected_miss_rate_holds_over_many_draws() {
    let all = population();
    let draws = 250;
    for (n, alpha) in [(19, 0.05), (40, 0.1), (100, 0.05), (300, 0.2)] {
        let mut random = Random(n as u64);
        let rates: Vec<f64> = (0..draws)
            .map(|_| {
                let mut set = Anomalies::default();
                (0..n).for_each(|_| set.add(random.image()));
                all.miss_rate(expected_miss_rate(&set, alpha).unwrap()).unwrap()
            })
            .collect();
        let mean = rates.iter().sum::<f64>() / draws as f64;
        let variance = rates.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / draws as f64;
        let error = (variance / draws as f64).sqrt();
        assert!(mean <= alpha + 3.0 * error, "n {n}: mean miss rate {mean:.4} of {alpha} ± {error:.4}");
        // And it is no excuse of a threshold: what is lost to caution is the theorem's 2/(n + 1).
        let slack = alpha - 2.0 / (n as f64 + 1.0) - 3.0 * error;
        assert!(mean >= slack, "n {n}: mean miss rate {mean:.4} is far under {alpha}");
    }
}

#[test]
fn confident_miss_rate_fails_no_more_often_than_agreed() {
    let all = population();
    let draws = 250;
    for (n, alpha, delta) in [(60, 0.1, 0.1), (150, 0.1, 0.05), (300, 0.2, 0.2)] {
        let mut random = Random(1000 + n as u64);
        let failed = (0..draws)
            .filter(|_| {
                let mut set = Anomalies::default();
                (0..n).for_each(|_| set.add(random.image()));
                all.miss_rate(confident_miss_rate(&set, alpha, delta).unwrap()).unwrap() > alpha
            })
            .count();
        let limit = delta + 3.0 * (delta * (1.0 - delta) / f64::from(draws)).sqrt();
        let share = failed as f64 / f64::from(draws);
        assert!(share <= limit, "n {n}: {share} of the draws are over {alpha}, agreed were {delta}");
        // A set this small cannot promise what only its mean shows: the bound must cost something.
        let mut set = Anomalies::default();
        (0..n).for_each(|_| set.add(random.image()));
        let confident = confident_miss_rate(&set, alpha, delta).unwrap();
        assert!(confident <= expected_miss_rate(&set, alpha).unwrap());
        assert!(set.miss_rate(confident).unwrap() > 0.0);
    }
}
