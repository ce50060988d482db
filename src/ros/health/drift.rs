//! The scores' status: whether they are those that the threshold was calibrated on.

use super::{Level, Published, Status, seconds, value};
use crate::monitor::drift::Settings;
use std::time::{Duration, Instant};

pub(super) struct DriftBook {
    settings: Option<Settings>,
    /// Whether there is a calibration that knows how its scores were distributed.
    has_histogram: bool,
    stale_after: Duration,
    psi: Option<f64>,
    last_result: Option<Instant>,
}

impl DriftBook {
    pub(super) fn new(settings: Option<Settings>, stale_after: Duration) -> Self {
        Self { settings, has_histogram: false, stale_after, psi: None, last_result: None }
    }

    pub(super) fn set(&mut self, settings: Option<Settings>, stale_after: Duration) {
        (self.settings, self.stale_after) = (settings, stale_after);
    }

    /// Another threshold is used from now on.
    pub(super) fn ready(&mut self, has_histogram: bool) {
        self.has_histogram = has_histogram;
        self.psi = None;
    }

    /// Images are taken from now on, or no longer.
    pub(super) fn enable(&mut self) {
        (self.psi, self.last_result) = (None, None);
    }

    pub(super) fn published(&mut self, now: Instant, published: &Published) {
        (self.psi, self.last_result) = (published.psi, Some(now));
    }

    pub(super) fn status(&self, now: Instant) -> Status {
        let age = self.last_result.map(|t| now.duration_since(t)).filter(|age| *age > self.stale_after);
        let psi = self.psi.filter(|_| age.is_none());
        let (level, message) = match (self.settings, psi) {
            (None, _) => (Level::Ok, "not watched: drift.window_s is 0".into()),
            (Some(_), _) if !self.has_histogram => {
                (Level::Ok, "not watched: the threshold has no calibration with a histogram".into())
            }
            (Some(_), None) if age.is_some() => (Level::Ok, format!("no result for {} s", seconds(age))),
            (Some(_), None) => (Level::Ok, "not enough frames yet".into()),
            (Some(Settings { window, warn_psi }), Some(psi)) if psi >= warn_psi => {
                let message = format!(
                    "population stability index {psi:.2} over {} s: the threshold's calibration no longer describes \
                     the stream; calibrate on it",
                    window.as_secs()
                );
                (Level::Warn, message)
            }
            (Some(_), Some(psi)) => (Level::Ok, format!("population stability index {psi:.2}")),
        };
        let psi = psi.map_or("none".into(), |psi| format!("{psi:.4}"));
        let mut values = vec![value("psi", psi)];
        if let Some(Settings { window, warn_psi }) = self.settings {
            values.extend([value("window_s", window.as_secs_f64()), value("warn_psi", warn_psi)]);
        }
        Status { task: "drift", level, message, values }
    }
}
