//! The picture's status: whether it can be one of the road.

use super::{Level, Status, value};
use crate::monitor::picture::{Findings, Limits};

pub(super) struct ImageBook {
    limits: Limits,
    /// Of the last image that could be read.
    found: Option<Findings>,
}

impl ImageBook {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, found: None }
    }

    pub(super) fn set(&mut self, limits: Limits) {
        self.limits = limits;
    }

    pub(super) fn looked(&mut self, found: Findings) {
        self.found = Some(found);
    }

    pub(super) fn status(&self) -> Status {
        let Some(found) = &self.found else {
            return Status {
                task: "image",
                level: Level::Ok,
                message: "no frame yet".into(),
                values: vec![],
            };
        };
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
