//! Thresholds one can defend: the largest that misses no more than was agreed on, and what is promised by it.
//!
//! The usual threshold, at 95 % TPR of the pooled anomalous pixels, states a fact about the calibration set
//! and promises nothing about the next image. The two here do, over images that are exchangeable with those
//! of the set (drawn as they were, in any order): the loss of an image is the share of its anomalous pixels
//! that the threshold misses, a number between 0 and 1 that can only grow with the threshold.
//!
//! - [`expected_miss_rate`]: the *expected* loss of a new image is at most α. Conformal risk control
//!   (Angelopoulos, Bates, Fisch, Lei, Schuster, 2022).
//! - [`confident_miss_rate`]: the mean loss over all such images is at most α, *with probability 1 − δ* over
//!   the draw of the calibration set. Risk-controlling prediction sets (Bates, Angelopoulos, Lei, Malik,
//!   Jordan, 2021), with the Hoeffding–Bentkus bound.
//!
//! Exchangeability is what fails between drives, seasons and cameras, and then so does the promise: whoever
//! prints such a threshold prints [`ASSUMPTIONS`] beside it. Knows nothing of models and files.

use crate::metrics::key;

/// What the promise rests on; shown wherever a conformal threshold is.
pub const ASSUMPTIONS: &str = "holds for images exchangeable with the calibration set: the same camera, roads, \
     weather and kinds of objects; it says nothing of another drive, and nothing of single objects";

/// Why there is no such threshold.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CalibrateError {
    /// Not between 0 and 1.
    #[error("{name} is {got}: between 0 and 1, both excluded")]
    Range {
        /// Which number.
        name: &'static str,
        /// What it is.
        got: f64,
    },
    /// Even a threshold that misses nothing promises too little.
    #[error(
        "{images} images with anomalies are too few for a miss rate of at most {alpha}{confidence}: at least {needed} \
         are needed, even if the threshold misses nothing on them"
    )]
    TooFew {
        /// That have anomalous pixels.
        images: usize,
        /// Asked for.
        alpha: f64,
        /// Words on δ, where one was asked for.
        confidence: String,
        /// How many would do.
        needed: usize,
    },
    /// Anomalies of score −∞ are missed by every threshold.
    #[error(
        "anomalous pixels of score -inf are missed at every threshold: no threshold has a miss rate of at most {alpha}"
    )]
    Unreachable {
        /// Asked for.
        alpha: f64,
    },
}

/// The anomalous pixels of a calibration set, image by image.
#[derive(Debug, Clone, Default)]
pub struct Anomalies {
    /// Ascending within each image, NaN last: it is unknown at every threshold.
    images: Vec<Vec<f32>>,
}

impl Anomalies {
    /// One more image, by the scores of its anomalous pixels, in any order. An image without any has no
    /// miss rate and is left out.
    pub fn add(&mut self, mut scores: Vec<f32>) {
        scores.iter_mut().filter(|s| s.is_nan()).for_each(|s| *s = f32::NAN);
        scores.sort_unstable_by(f32::total_cmp);
        if !scores.is_empty() {
            self.images.push(scores);
        }
    }

    /// How many images with anomalies there are.
    pub fn images(&self) -> usize {
        self.images.len()
    }

    /// The sum over images of the share of their anomalous pixels with a score ≤ `threshold`.
    pub fn missed(&self, threshold: f32) -> f64 {
        let share =
            |image: &Vec<f32>| image.partition_point(|score| *score <= threshold) as f64 / image.len() as f64;
        self.images.iter().map(share).sum()
    }

    /// The mean over images of the share of their anomalous pixels that `threshold` misses, in 0..1; `None`
    /// without an image.
    pub fn miss_rate(&self, threshold: f32) -> Option<f64> {
        (!self.images.is_empty()).then(|| self.missed(threshold) / self.images.len() as f64)
    }

    /// The largest finite threshold whose summed loss is `good`, which once false stays so.
    fn largest(&self, good: impl Fn(f64) -> bool) -> Option<f32> {
        // The loss is a step function of the threshold, a sum of sorted steps in a fixed order: monotone also
        // in floating point. So the 2³² thresholds there are can be bisected by their order.
        let holds = |k: u32| good(self.missed(key::score(k)));
        let (mut low, mut high) = (key::key(f32::MIN), key::key(f32::MAX));
        if !holds(low) {
            return None;
        }
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if holds(middle) { low = middle } else { high = middle - 1 }
        }
        Some(key::score(low))
    }
}

/// The largest threshold τ with `n/(n+1)·mean ℓ(τ) + 1/(n+1) ≤ alpha`: then the expected share of anomalous
/// pixels missed on an exchangeable new image with anomalies is at most `alpha`.
///
/// # Errors
/// `alpha` out of range, fewer than `1/alpha − 1` images, or anomalies no threshold finds.
pub fn expected_miss_rate(anomalies: &Anomalies, alpha: f64) -> Result<f32, CalibrateError> {
    check("alpha", alpha)?;
    let images = anomalies.images();
    // (Σℓ + 1) / (n + 1) ≤ α: the same, with the division done once.
    let good = |images: usize, missed: f64| (missed + 1.0) / (images as f64 + 1.0) <= alpha;
    if !good(images, 0.0) {
        let needed = least(|n| good(n, 0.0));
        return Err(CalibrateError::TooFew { images, alpha, confidence: String::new(), needed });
    }
    anomalies.largest(|missed| good(images, missed)).ok_or(CalibrateError::Unreachable { alpha })
}

/// The largest threshold at which a mean miss rate above `alpha` is refuted with confidence `1 − delta`:
/// with that probability over the calibration set, the mean share of anomalous pixels missed over all
/// images exchangeable with it is at most `alpha`.
///
/// # Errors
/// `alpha` or `delta` out of range, too few images, or anomalies no threshold finds.
pub fn confident_miss_rate(anomalies: &Anomalies, alpha: f64, delta: f64) -> Result<f32, CalibrateError> {
    check("alpha", alpha)?;
    check("delta", delta)?;
    let images = anomalies.images();
    let good = |images: usize, missed: f64| hoeffding_bentkus(images, missed, alpha) <= delta;
    if !good(images, 0.0) {
        let confidence = format!(" with confidence {}", 1.0 - delta);
        let needed = least(|n| good(n, 0.0));
        return Err(CalibrateError::TooFew { images, alpha, confidence, needed });
    }
    anomalies.largest(|missed| good(images, missed)).ok_or(CalibrateError::Unreachable { alpha })
}

fn check(name: &'static str, got: f64) -> Result<(), CalibrateError> {
    if got > 0.0 && got < 1.0 { Ok(()) } else { Err(CalibrateError::Range { name, got }) }
}

/// The least number of images that is `enough`, which once true stays so.
fn least(enough: impl Fn(usize) -> bool) -> usize {
    let high = (0..40).map(|bits| 1usize << bits).find(|n| enough(*n)).unwrap_or(1 << 40);
    let (mut low, mut high) = (high / 2, high);
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if enough(middle) { high = middle } else { low = middle }
    }
    high
}

/// The p-value of "the mean of `n` losses in 0..1, of which these add up to `sum`, is over `alpha`":
/// the smaller of Hoeffding's, `exp(−n·h₁(min(r̂,α), α))` with `h₁` the relative entropy of two coins, and
/// Bentkus's, `e·P(Bin(n, α) ≤ ⌈n·r̂⌉)`.
fn hoeffding_bentkus(n: usize, sum: f64, alpha: f64) -> f64 {
    if n == 0 {
        return 1.0;
    }
    let mean = (sum / n as f64).min(alpha);
    let part = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
    let entropy = part(mean, alpha) + part(1.0 - mean, 1.0 - alpha);
    let hoeffding = (-(n as f64) * entropy).exp();
    let bentkus = std::f64::consts::E * binomial_cdf(sum.ceil() as usize, n, alpha);
    hoeffding.min(bentkus)
}

/// `P(Bin(n, p) ≤ k)`, summed from logarithms: with many images the single terms underflow.
fn binomial_cdf(k: usize, n: usize, p: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    let odds = p.ln() - (-p).ln_1p();
    let mut term = n as f64 * (-p).ln_1p();
    let mut sum = term.exp();
    for i in 0..k {
        term += ((n - i) as f64).ln() - ((i + 1) as f64).ln() + odds;
        sum += term.exp();
    }
    sum.min(1.0)
}

#[cfg(test)]
#[path = "calibrate_tests.rs"]
mod tests;
