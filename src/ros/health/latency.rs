//! The status of time: what results took, what was not begun or not published for want of it, and whether
//! stamps tell it.

use super::{Level, Published, Status, Unpublished, seconds, value};
use crate::budget::predictor::Work;
use crate::budget::stamps::Stamp;
use crate::budget::{Policy, Refusal};
use crate::window::Window;
use std::time::{Duration, Instant};

/// Results over which times are reported.
const WINDOW: usize = 300;

/// What a published frame took, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::ros) struct Times {
    /// From the image's stamp to the labels' publication; from its arrival where the stamp does not tell.
    pub(in crate::ros) latency: f64,
    pub(in crate::ros) work: Work,
    /// Of all outputs, those for people included.
    pub(in crate::ros) publish: f64,
}

impl Times {
    fn named(&self) -> [(&'static str, f64); 6] {
        let Work { preprocess, inference, score, labels } = self.work;
        [
            ("latency", self.latency),
            ("preprocess", preprocess),
            ("inference", inference),
            ("score", score),
            ("labels", labels.unwrap_or(0.0)),
            ("publish", self.publish),
        ]
    }
}

pub(super) struct LatencyBook {
    policy: Policy,
    stale_after: Duration,
    windows: [Window; 6],
    last_image: Option<Instant>,
    last_result: Option<Instant>,
    /// Of the last result.
    stamp: Stamp,
    /// Why the last image has none, where that is a matter of time.
    missed: Option<Unpublished>,
    work_p95_ms: Option<f64>,
    over_budget: u64,
    stamps_zero: u64,
    stamps_ahead: u64,
}

impl LatencyBook {
    pub(super) fn new(policy: Policy, stale_after: Duration) -> Self {
        Self {
            policy,
            stale_after,
            windows: [(); 6].map(|()| Window::new(WINDOW)),
            last_image: None,
            last_result: None,
            stamp: Stamp::Good,
            missed: None,
            work_p95_ms: None,
            over_budget: 0,
            stamps_zero: 0,
            stamps_ahead: 0,
        }
    }

    pub(super) fn set(&mut self, policy: Policy, stale_after: Duration) {
        (self.policy, self.stale_after) = (policy, stale_after);
    }

    /// From now on the camera is heard, or not any more: what was before says nothing of it.
    pub(super) fn enable(&mut self) {
        (self.last_image, self.last_result, self.missed) = (None, None, None);
        self.stamp = Stamp::Good;
        self.windows.iter_mut().for_each(Window::clear);
    }

    pub(super) fn arrived(&mut self, now: Instant) {
        self.last_image = Some(now);
    }

    pub(super) fn published(&mut self, now: Instant, published: &Published) {
        self.last_result = Some(now);
        self.missed = None;
        self.stamp = published.stamp;
        self.work_p95_ms = published.work_p95_ms;
        self.over_budget += u64::from(published.is_over_budget);
        self.count(published.stamp);
        for (window, (name, ms)) in self.windows.iter_mut().zip(published.times.named()) {
            // An age since the arrival says nothing of the way to us: it is not averaged with those that do.
            if name != "latency" || published.stamp == Stamp::Good {
                window.push(ms);
            }
        }
    }

    pub(super) fn unpublished(&mut self, unpublished: &Unpublished) {
        if let Unpublished::NotBegun(Refusal::Stamp(stamp)) = unpublished {
            self.count(*stamp);
        }
        self.missed = match unpublished {
            Unpublished::NotBegun(_) | Unpublished::Late(_) => Some(unpublished.clone()),
            Unpublished::Rejected(_)
            | Unpublished::Failed(_)
            | Unpublished::NoTime(_)
            | Unpublished::GivenUp
            | Unpublished::Inactive => None,
        };
    }

    fn count(&mut self, stamp: Stamp) {
        match stamp {
            Stamp::Good => (),
            Stamp::Zero => self.stamps_zero += 1,
            Stamp::Ahead { .. } => self.stamps_ahead += 1,
        }
    }

    pub(super) fn status(&self, now: Instant) -> Status {
        let is_old = |t: Option<Instant>| t.is_some_and(|t| now.duration_since(t) > self.stale_after);
        // Old percentiles would look like present ones.
        let is_silent = is_old(self.last_result);
        let all = if is_silent { [None; 6] } else { self.windows.each_ref().map(Window::percentiles) };
        let p95 = all[0].map(|p| p.p95);
        let (level, message) = match (self.missed.as_ref().filter(|_| !is_old(self.last_image)), p95) {
            // One that is refused or dropped now and then is the budget at work; all of them are a fault.
            (Some(missed), _) => {
                let hopeless = matches!(missed, Unpublished::NotBegun(Refusal::OverAge { .. }));
                let results_come = self.last_result.is_some() && !is_silent;
                let level = if results_come && !hopeless { Level::Warn } else { Level::Error };
                (level, missed.to_string())
            }
            _ if is_silent => {
                let age = self.last_result.map(|t| now.duration_since(t));
                (Level::Warn, format!("no result for {} s", seconds(age)))
            }
            _ if self.stamp != Stamp::Good => {
                (Level::Warn, format!("{}: ages are counted from arrival", self.stamp))
            }
            (None, None) => (Level::Ok, "no frame yet".into()),
            (None, Some(p95)) => match self.policy.budget_ms {
                Some(budget) if p95 > budget => {
                    (Level::Warn, format!("p95 {p95:.1} ms is over the budget of {budget} ms"))
                }
                _ => (Level::Ok, format!("p95 {p95:.1} ms")),
            },
        };
        let frames = all[0].map_or(0, |p| p.count);
        let mut values = vec![
            value("budget_ms", self.policy.budget_ms.unwrap_or(0.0)),
            value("over_budget", self.policy.over_budget.name()),
            value("results_over_budget", self.over_budget),
            value("stamps_zero", self.stamps_zero),
            value("stamps_ahead", self.stamps_ahead),
            value("predicted_work_ms", self.work_p95_ms.map_or("none".into(), |ms| format!("{ms:.3}"))),
            value("frames", frames),
        ];
        for ((name, _), percentiles) in Times::default().named().iter().zip(all) {
            let Some(p) = percentiles else { continue };
            for (rank, ms) in [("p50", p.p50), ("p95", p.p95), ("p99", p.p99), ("max", p.max)] {
                values.push(value(&format!("{name}_ms_{rank}"), format!("{ms:.3}")));
            }
        }
        Status { task: "latency", level, message, values }
    }
}
