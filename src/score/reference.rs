//! The definition of the anomaly score: plain Rust, f64, one pixel at a time, nothing clever.
//!
//! Slow on purpose. Every fast path is tested against this file and nothing else.

use super::{Counts, Logits, Outputs, Sampling, Score, Scoring};
use crate::labels::IGNORE;

/// `ln σ(v)`, eq. (8), stable for any finite v: the naive form underflows to −∞ below about −745.
pub fn log_sigmoid(v: f64) -> f64 {
    v.min(0.0) - (-v.abs()).exp().ln_1p()
}

/// `LSE(s) = ln Σ_y exp s_y = ln p̂(x)`, eq. (6), stable for any finite logits.
pub fn log_sum_exp(logits: &[f64]) -> f64 {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    max + logits.iter().map(|s| (s - max).exp()).sum::<f64>().ln()
}

/// The logit of being an outlier from a pixel's dataset logits: itself, or outlier − inlier, since
/// `softmax(inlier, outlier)[outlier] = σ(outlier − inlier)`.
pub fn outlier_logit(dataset_logits: &[f64]) -> f64 {
    match dataset_logits {
        [outlier] => *outlier,
        [inlier, outlier] => outlier - inlier,
        _ => f64::NAN,
    }
}

/// The anomaly score of one pixel with class logits `s` and outlier logit `d` (unused where the score does
/// not read it). NaN where a logit that is read is not finite.
pub fn score(scoring: &Scoring, s: &[f64], d: f64) -> f64 {
    let score = scoring.score();
    let reads_d = score.needs_dataset_logits();
    if s.iter().any(|v| !v.is_finite()) || (reads_d && !d.is_finite()) {
        return f64::NAN;
    }
    let temperature = f64::from(scoring.temperature());
    let best = argmax(s);
    let s: Vec<f64> = s.iter().map(|v| v / temperature).collect();
    let d = d / temperature;
    let log_posterior = |y: usize| s[y] - log_sum_exp(&s);
    match score {
        Score::Hybrid => log_sigmoid(d) - log_sum_exp(&s),
        Score::Generative | Score::React => -log_sum_exp(&s),
        Score::Discriminative => log_sigmoid(d),
        Score::Msp => -log_posterior(best).exp(),
        Score::MaxLogit => -s[best],
        Score::Entropy => (0..s.len()).map(log_posterior).map(|l| -l.exp() * l).sum(),
        Score::OhMsp => -(log_sigmoid(-d) + log_posterior(best)).exp(),
        Score::Sml => match scoring.class_statistics() {
            Some((mean, deviation)) => -(s[best] - f64::from(mean[best])) / f64::from(deviation[best]),
            None => f64::NAN,
        },
    }
}

/// Index of the largest logit, the first of equals.
pub fn argmax(s: &[f64]) -> usize {
    s.iter().enumerate().fold(0, |best, (i, v)| if *v > s[best] { i } else { best })
}

/// The value of one plane at a pair of taps: bilinear.
fn sample(plane: &[f32], width: usize, row: (u32, u32, f32), column: (u32, u32, f32)) -> f64 {
    let at = |r: u32, c: u32| f64::from(plane[r as usize * width + c as usize]);
    let lerp = |a: f64, b: f64, t: f32| a + (b - a) * f64::from(t);
    let upper = lerp(at(row.0, column.0), at(row.0, column.1), column.2);
    let lower = lerp(at(row.1, column.0), at(row.1, column.1), column.2);
    lerp(upper, lower, row.2)
}

/// The whole pass, as [`super::cpu::Fusion::run`] does it: labels and anomaly of `sampling.height × width`.
///
/// A pixel is UNKNOWN (K) where its score is above `threshold`, strictly, or NaN.
pub fn fuse(
    scoring: &Scoring,
    threshold: f32,
    Outputs { logits, dataset_logits }: Outputs<'_>,
    sampling: &Sampling,
) -> (Vec<u8>, Vec<f32>, Counts) {
    let mut labels = vec![IGNORE; sampling.width * sampling.height];
    let mut anomaly = vec![f32::NAN; sampling.width * sampling.height];
    let mut counts = Counts::default();
    let at = |l: Logits<'_>, row, column| -> Vec<f64> {
        l.data.chunks_exact(l.height * l.width).map(|plane| sample(plane, l.width, row, column)).collect()
    };
    for (y, row) in sampling.rows.taps.iter().enumerate() {
        for (x, column) in sampling.columns.taps.iter().enumerate() {
            let s = at(logits, *row, *column);
            let d = dataset_logits.map_or(0.0, |g| outlier_logit(&at(g, *row, *column)));
            let value = score(scoring, &s, d);
            let index = (sampling.top + y) * sampling.width + sampling.left + x;
            let unknown = value.is_nan() || value > f64::from(threshold);
            labels[index] = if unknown { logits.channels as u8 } else { argmax(&s) as u8 };
            anomaly[index] = value as f32;
            counts +=
                Counts { scored: 1, unknown: u64::from(unknown), non_finite: u64::from(value.is_nan()) };
        }
    }
    (labels, anomaly, counts)
}

#[cfg(test)]
mod tests {
    use super::super::Fitted;
    use super::*;

    fn at(which: Score, temperature: f32, s: &[f64], d: f64) -> f64 {
        let fitted = match which {
            Score::Sml => Fitted::MaxLogit { mean: vec![0.0, 0.5], deviation: vec![1.0, 0.25] },
            _ => Fitted::Clip(1.0),
        };
        score(&Scoring::new(which, temperature, fitted).unwrap(), s, d)
    }

    fn plain(which: Score, s: &[f64], d: f64) -> f64 {
        at(which, 1.0, s, d)
    }

    #[test]
    fn hand_worked_pixel() {
        // s = (ln 1, ln 3): LSE = ln 4, P = (1/4, 3/4). d = 0: P(d_out) = 1/2. s_H = ln ½ − ln 4 = −ln 8.
        let s = [0.0, 3f64.ln()];
        let entropy = 0.25 * 4f64.ln() + 0.75 * (4f64 / 3.0).ln();
        for (which, want) in [
            (Score::Hybrid, -8f64.ln()),
            (Score::Generative, -4f64.ln()),
            (Score::Discriminative, -2f64.ln()),
            (Score::Msp, -0.75),
            (Score::MaxLogit, -3f64.ln()),
            (Score::Entropy, entropy),
            (Score::OhMsp, -0.375),
            (Score::Sml, -(3f64.ln() - 0.5) / 0.25),
            (Score::React, -4f64.ln()),
        ] {
            let got = plain(which, &s, 0.0);
            assert!((got - want).abs() < 1e-12, "{which}: {got}, not {want}");
        }
        assert_eq!(argmax(&s), 1);
    }

    #[test]
    fn a_temperature_divides_every_logit() {
        // At T = 2 the logits (0, 2 ln 3) and d = 2 ln 3 are those of (0, ln 3) and ln 3: P(d_out) = 3/4.
        let (s, d) = ([0.0, 2.0 * 3f64.ln()], 2.0 * 3f64.ln());
        for (which, want) in [
            (Score::Hybrid, 0.75f64.ln() - 4f64.ln()),
            (Score::Generative, -4f64.ln()),
            (Score::Discriminative, 0.75f64.ln()),
            (Score::Msp, -0.75),
            (Score::MaxLogit, -3f64.ln()),
            (Score::OhMsp, -0.1875),
        ] {
            let got = at(which, 2.0, &s, d);
            assert!((got - want).abs() < 1e-12, "{which}: {got}, not {want}");
        }
    }

    #[test]
    fn stable_where_softmax_then_log_underflows() {
        // A logit gap of 800 is beyond f64's exp; the score stays finite and exact.
        assert_eq!(plain(Score::Hybrid, &[0.0, 800.0], -800.0), -1600.0);
        assert_eq!(plain(Score::Hybrid, &[-800.0, -800.0], 800.0), 800.0 - 2f64.ln());
        assert_eq!(plain(Score::Entropy, &[0.0, 800.0], 0.0), 0.0);
        assert_eq!(plain(Score::OhMsp, &[0.0, 800.0], 800.0), 0.0);
    }

    #[test]
    fn two_dataset_logits_are_one_difference() {
        let (inlier, outlier) = (1.5f64, -0.25f64);
        let softmax = outlier.exp() / (inlier.exp() + outlier.exp());
        assert!((log_sigmoid(outlier_logit(&[inlier, outlier])) - softmax.ln()).abs() < 1e-12);
    }

    #[test]
    fn a_broken_logit_is_nan_and_unknown() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(plain(Score::Hybrid, &[0.0, bad], 0.0).is_nan());
            assert!(plain(Score::Hybrid, &[0.0, 0.0], bad).is_nan());
            assert!(!plain(Score::Generative, &[0.0, 0.0], bad).is_nan(), "not read, not judged");
        }
    }
}
