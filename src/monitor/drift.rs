//! Whether scores are still distributed as where the threshold was calibrated.
//!
//! The population stability index between the calibration's histogram q and that of the last minute p, over the
//! bins that the calibration chose: `Σ (p_b − q_b)·ln(p_b/q_b)`. By a rule of thumb .1 is worth a look and .25
//! worth a calibration. It does not tell what changed: the road, the weather, the camera, or the model's idea of
//! them.

use crate::model::ScoreHistogram;
use std::time::{Duration, Instant};

/// Pixels of a frame that are counted.
const SAMPLES: usize = 1 << 13;

/// Parts of the window, of which the oldest leaves at once.
const PARTS: u32 = 12;

/// Frames that a distribution is made of: one picture is no stream.
const ENOUGH: u64 = 30;

/// A bin's share is taken for no less: an empty one would make any stream infinitely far away.
const LEAST_SHARE: f64 = 1e-4;

/// What the user wants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The stream of so long is held against the calibration.
    pub window: Duration,
    /// From when on the calibration is said not to describe it.
    pub warn_psi: f64,
}

/// Counts of a part of the window.
#[derive(Debug, Clone)]
struct Part {
    /// Since the stream began, in parts.
    number: u128,
    frames: u64,
    bins: Vec<u64>,
}

/// A stream's running histogram beside a calibration's.
#[derive(Debug)]
pub struct Drift {
    edges: Vec<f32>,
    expected: Vec<f64>,
    part: Duration,
    began: Instant,
    /// A ring: part n lies at n modulo their number.
    parts: Vec<Part>,
}

impl Drift {
    /// Begins to watch.
    pub fn new(calibration: &ScoreHistogram, window: Duration, now: Instant) -> Self {
        let ScoreHistogram { edges, shares } = calibration.clone();
        let empty = Part { number: 0, frames: 0, bins: vec![0; shares.len()] };
        Self {
            edges,
            expected: shares,
            part: (window / PARTS).max(Duration::from_millis(1)),
            began: now,
            parts: vec![empty; PARTS as usize],
        }
    }

    /// Counts a frame's scores in; NaN, which stands where no score is, is left out.
    pub fn add(&mut self, anomaly: &[f32], now: Instant) {
        let number = self.number(now);
        let count = self.parts.len() as u128;
        let Some(part) = self.parts.get_mut((number % count) as usize) else { return };
        if part.number != number {
            (part.number, part.frames) = (number, 0);
            part.bins.fill(0);
        }
        part.frames += 1;
        // An odd step does not keep to a few columns of an image of even width.
        let step = (anomaly.len() / SAMPLES) | 1;
        for score in anomaly.iter().step_by(step).filter(|s| !s.is_nan()) {
            let bin = self.edges.partition_point(|edge| edge < score);
            if let Some(count) = part.bins.get_mut(bin) {
                *count += 1;
            }
        }
    }

    /// The index of the window that ends now; `None` before it holds enough.
    pub fn psi(&self, now: Instant) -> Option<f64> {
        let (number, count) = (self.number(now), self.parts.len() as u128);
        let recent = || self.parts.iter().filter(move |p| p.number + count > number);
        let bin = |b: usize| recent().filter_map(|p| p.bins.get(b)).sum::<u64>();
        let frames: u64 = recent().map(|p| p.frames).sum();
        let total: u64 = (0..self.expected.len()).map(bin).sum();
        if frames < ENOUGH || total == 0 {
            return None;
        }
        let term = |(b, expected): (usize, &f64)| {
            let (p, q) = ((bin(b) as f64 / total as f64).max(LEAST_SHARE), expected.max(LEAST_SHARE));
            (p - q) * (p / q).ln()
        };
        Some(self.expected.iter().enumerate().map(term).sum())
    }

    fn number(&self, now: Instant) -> u128 {
        now.duration_since(self.began).as_nanos() / self.part.as_nanos().max(1)
    }
}

#[cfg(test)]
#[path = "drift_tests.rs"]
mod tests;
