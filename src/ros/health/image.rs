//! The picture's status: whether it can be one of the road.

use super::{Level, Status, seconds, value};
use crate::monitor::picture::{Findings, Limits};
use std::time::{Duration, Instant};

pub(super) struct ImageBook {
    limits: Limits,
    stale_after: Duration,
    /// Of the last image that could be read, and when.
    found: Option<(Findings, Instant)>,
}

impl ImageBook {
    pub(super) fn new(limits: Limits, stale_after: Duration) -> Self {
        Self { limits, stale_after, found: None }
    }

    pub(super) fn set(&mut self, limits: Limits, stale_after: Duration) {
        (self.limits, self.stale_after) = (limits, stale_after);
    }

    /// Images are taken from now on, or no longer: what was seen before says nothing of them.
    pub(super) fn enable(&mut self) {
        self.found = None;
    }

    pub(super) fn looked(&mut self, now: Instant, found: Findings) {
        self.found = Some((found, now));
    }

    pub(super) fn status(&self, now: Instant) -> Status {
        let nothing = |message| Status { task: "image", level: Level::Ok, message, values: vec![] };
        let Some((found, at)) = &self.found else { return nothing("no frame yet".into()) };
        let age = now.duration_since(*at);
        if age > self.stale_after {
            return nothing(format!("no frame for {} s", seconds(Some(age))));
        }
        let faults = found.faults(&self.limits);
        let (level, message) = if faults.is_empty() {
            (Level::Ok, "looks like a picture".into())
        } else {
            (Level::Warn, faults.join("; "))
        };
        let share = |v: f64| format!("{v:.3}");
        let values = vec![
            value("unchanged_s", share(found.unchanged.as_secs_f64())),
            value("dark_share", share(found.dark_share)),
            value("bright_share", share(found.bright_share)),
            value("flat_share", share(found.flat_share)),
        ];
        Status { task: "image", level, message, values }
    }
}
