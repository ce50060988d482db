//! The latency budget: which frames are worth beginning, and what becomes of a result that is late.
//!
//! Place: around the walk of a frame, at its two ends. [`Budget::begin`] is asked before the first pixel is
//! read, [`Budget::finish`] before the labels are published, [`Budget::resize`] after the frame. Ages are by
//! the clock that stamped the image ([`stamps`]), durations by a steady one; both come in as arguments, so that
//! a test's hour takes no time. Predictions add one to the other: they are right where the first runs as fast as the
//! second. Where a bag is played at another rate, more or fewer frames are begun in vain than need be, and what is
//! published is still judged by its age.
//! Deliberately does not know: ROS, images, how a frame is walked.

pub mod predictor;
pub mod resolution;
pub mod schedule;
pub mod stamps;

use crate::frame::Size;
use crate::window::Window;
use predictor::{KEPT, P, Predictor, RECENT, Work};
use resolution::{Change, Resolution, Rung};
use stamps::{Birth, Stamp};
use std::time::{Duration, Instant};

/// After this long without work a frame is begun though it is predicted to miss: only work can show that the
/// load has gone.
const PROBE_AFTER: Duration = Duration::from_millis(500);

/// What becomes of a result that missed the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverBudget {
    /// It is not published. Work whose result would be thrown away is not begun.
    Drop,
    /// It is published, and its status says so. Where no frame makes the budget, all are begun that are not too
    /// old already.
    Flag,
}

impl OverBudget {
    /// Every policy with its name.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Drop, "drop"), (Self::Flag, "flag")];

    /// The name in configuration and diagnostics.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(p, _)| *p == self).map_or("", |(_, n)| n)
    }
}

/// What becomes of a frame whose stamp does not tell its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadStamps {
    /// Its age is counted from its arrival.
    Arrival,
    /// It is not begun.
    Drop,
}

impl BadStamps {
    /// Every policy with its name.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Arrival, "arrival"), (Self::Drop, "drop")];
}

/// What the user wants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// From image stamp to published labels, in milliseconds; `None`: as long as it takes.
    pub budget_ms: Option<f64>,
    /// Without a budget nothing is over it.
    pub over_budget: OverBudget,
    /// With and without a budget.
    pub bad_stamps: BadStamps,
}

impl Policy {
    /// Whether an age is over the budget.
    pub fn is_over(&self, age_ms: f64) -> bool {
        self.budget_ms.is_some_and(|budget_ms| age_ms > budget_ms)
    }
}

/// Why a frame is not begun.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// No age, and such frames are not wanted.
    #[error("{0}: not begun, as bad_stamps is drop")]
    Stamp(Stamp),
    /// No network is fast enough for it.
    #[error("image is {age_ms:.1} ms old, over the budget of {budget_ms} ms: not begun")]
    OverAge {
        /// When it was to be begun.
        age_ms: f64,
        /// As set.
        budget_ms: f64,
    },
    /// A younger one will do better, or its result would be thrown away.
    #[error(
        "image is {age_ms:.1} ms old and takes {work_ms:.1} ms more, over the budget of {budget_ms} ms: \
         not begun"
    )]
    WouldMiss {
        /// When it was to be begun.
        age_ms: f64,
        /// As predicted.
        work_ms: f64,
        /// As set.
        budget_ms: f64,
    },
}

/// Why a result is not published.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "result is {age_ms:.1} ms old and takes {labels_ms:.1} ms more to publish, over the budget of {budget_ms} ms: not \
     published"
)]
pub struct Late {
    /// When it was to be published.
    pub age_ms: f64,
    /// As predicted.
    pub labels_ms: f64,
    /// As set.
    pub budget_ms: f64,
}

/// The policy, what the last frames took, and the input size that follows from it.
#[derive(Debug)]
pub struct Budget {
    policy: Policy,
    predictor: Predictor,
    resolution: Resolution,
    arrivals: Arrivals,
    /// When a frame was last begun, or its work last ended.
    at_work: Option<Instant>,
}

impl Budget {
    /// For input sizes in any order, of which one is used at a time. Nothing is predicted before something was
    /// measured.
    pub fn new(policy: Policy, rungs: Vec<Rung>) -> Self {
        Self {
            policy,
            predictor: Predictor::default(),
            resolution: Resolution::new(rungs, policy.budget_ms),
            arrivals: Arrivals::default(),
            at_work: None,
        }
    }

    /// What the user wants.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What the user wants from now on. What was measured stands.
    pub fn change(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Whether a frame that is so old by now would make the budget, were it begun.
    pub fn can_make(&self, age_ms: f64) -> bool {
        let work_ms = self.predictor.work_ms().unwrap_or(0.0);
        self.policy.budget_ms.is_none_or(|budget_ms| age_ms + work_ms <= budget_ms)
    }

    /// Whether a frame that is so old by now stands among those that will be begun, where others wait as well: it
    /// would make the budget, or it is due to show whether it still misses. Without the second a camera that missed
    /// once would never have its turn again beside one that leaves no gap.
    pub fn is_worth_a_turn(&self, age_ms: f64, now: Instant) -> bool {
        self.can_make(age_ms) || (!self.policy.is_over(age_ms) && self.has_rested(now))
    }

    /// What is known of the work at the size in use.
    pub fn predictor(&self) -> &Predictor {
        &self.predictor
    }

    /// The input size that frames are to be walked at.
    pub fn size(&self) -> Size {
        self.resolution.size()
    }

    /// Asks whether to begin a frame that is `age_ms` old by now.
    ///
    /// # Errors
    /// Why not.
    pub fn begin(&mut self, birth: &Birth, age_ms: f64, now: Instant) -> Result<(), Refusal> {
        if self.policy.bad_stamps == BadStamps::Drop && birth.stamp != Stamp::Good {
            return Err(Refusal::Stamp(birth.stamp));
        }
        if let Some(budget_ms) = self.policy.budget_ms {
            if age_ms > budget_ms {
                return Err(Refusal::OverAge { age_ms, budget_ms });
            }
            // One that came too late for any network says nothing of which to use.
            self.arrivals.add(birth.arrival_ms());
            let work_ms = self.predictor.work_ms().unwrap_or(0.0);
            if !self.can_make(age_ms) && !self.is_worth_a_try(work_ms, budget_ms, now) {
                return Err(Refusal::WouldMiss { age_ms, work_ms, budget_ms });
            }
        }
        self.at_work = Some(now);
        Ok(())
    }

    /// Whether a frame is begun though it will miss. Not where a younger one would make it; where none would, if
    /// late results are wanted, or to learn what to change to; and now and then to see that a load has gone.
    fn is_worth_a_try(&self, work_ms: f64, budget_ms: f64, now: Instant) -> bool {
        let a_younger_would_do = self.arrivals.p95_ms() + work_ms <= budget_ms;
        let is_of_use = self.policy.over_budget == OverBudget::Flag || !self.resolution.is_smallest();
        self.has_rested(now) || (is_of_use && !a_younger_would_do)
    }

    /// Whether what is known of the work is old.
    fn has_rested(&self, now: Instant) -> bool {
        self.at_work.is_none_or(|t| now.duration_since(t) >= PROBE_AFTER)
    }

    /// Asks whether to publish the result of a frame that is `age_ms` old by now. Publishing takes time as
    /// well, which is counted in.
    ///
    /// # Errors
    /// It will be late, and such results are not wanted.
    pub fn finish(&self, age_ms: f64) -> Result<(), Late> {
        let labels_ms = self.predictor.labels_ms();
        match self.policy {
            Policy { budget_ms: Some(budget_ms), over_budget: OverBudget::Drop, .. }
                if age_ms + labels_ms > budget_ms =>
            {
                Err(Late { age_ms, labels_ms, budget_ms })
            }
            _ => Ok(()),
        }
    }

    /// The work that was begun is over, whatever became of its result.
    pub fn worked(&mut self, work: &Work, now: Instant) {
        self.predictor.add(work);
        self.at_work = Some(now);
    }

    /// Asks whether the next frame is to have another input size than the last.
    pub fn resize(&mut self, now: Instant) -> Option<Change> {
        let budget_ms = self.policy.budget_ms?;
        let change = self.resolution.choose(&self.predictor, &self.arrivals, budget_ms, now)?;
        self.predictor.resized();
        Some(change)
    }
}

/// How old the last images were when they came, in milliseconds.
#[derive(Debug)]
struct Arrivals {
    all: Window,
    recent: Window,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self { all: Window::new(KEPT), recent: Window::new(RECENT) }
    }
}

impl Arrivals {
    fn add(&mut self, ms: f64) {
        self.all.push(ms);
        self.recent.push(ms);
    }

    /// 0 before the first.
    fn p95_ms(&self) -> f64 {
        self.all.quantile(P).unwrap_or(0.0)
    }

    /// The median of the last few; 0 before the first.
    fn recent_ms(&self) -> f64 {
        self.recent.quantile(0.5).unwrap_or(0.0)
    }
}

#[cfg(test)]
mod resolution_tests;
#[cfg(test)]
mod schedule_tests;
#[cfg(test)]
mod street;
#[cfg(test)]
mod tests;
