//! The scores' status: whether they are those that the threshold was calibrated on.

use super::{Level, Published, Status, value};
use crate::monitor::drift::Settings;

pub(super) struct DriftBook {
    settings: Option<Settings>,
    /// Whether there is a calibration that knows how its scores were distributed.
    has_histogram: bool,
    psi: Option<f64>,
}

impl DriftBook {
    pub(super) fn new(settings: Option<Settings>) -> Self {
        Self { settings, has_histogram: false, psi: None }
    }

    pub(super) fn set(&mut self, settings: Option<Settings>) {
        self.settings = settings;
    }

    /// Another threshold is used from now on.
    pub(super) fn ready(&mut self, has_histogram: bool) {
        self.has_histogram = has_histogram;
        self.psi = None;
    }

    pub(super) fn published(&mut self, published: &Published) {
        self.psi = published.psi;
    }

    pub(super) fn status(&self) -> Status {
        let (level, message) = match (self.settings, self.psi) {
            (None, _) => (Level::Ok, "not watched: drift.window_s is 0".into()),
            (Some(_), _) if !self.has_histogram => {
                (Level::Ok, "not watched: the threshold has no calibration with a histogram".into())
            }
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
        let psi = self.psi.map_or("none".into(), |psi| format!("{psi:.4}"));
        let mut values = vec![value("psi", psi)];
        if let Some(Settings { window, warn_psi }) = self.settings {
            values.extend([value("window_s", window.as_secs_f64()), value("warn_psi", warn_psi)]);
        }
        Status { task: "drift", level, message, values }
    }
}
