//! Which input size to use: the largest whose work fits the budget, and no restless changing.
//!
//! Only the size in use is measured. What another would take follows from it: every stage but the network
//! works at the camera's size and stays as it is, and a load stretches the network's runs at all sizes alike,
//! so that their times keep the ratio they had at the warm-up. Where that ratio misleads, a step up fails; then
//! the next try waits, twice as long each time.

use super::Arrivals;
use super::predictor::{KEPT, Predictor, RECENT, Work};
use crate::frame::Size;
use std::fmt;
use std::time::{Duration, Instant};

/// The least time from one change to the next, unless most of the last few frames were late.
///
/// Deviation: from "at most one change in ten seconds". A step up that fails is taken back, and a step down that does
/// not go far enough is followed by another, as soon as five frames show it: to wait would be to publish nothing.
const HOLD: Duration = Duration::from_secs(10);

/// Share of the budget that a size must fit to be changed to: what fits barely would not for long.
const MARGIN: f64 = 0.97;

/// A step up that lasted so long was right.
const PROVEN_AFTER: Duration = Duration::from_secs(30);

/// How long a step up that failed is not tried again; doubles with each failure, up to the longest.
const WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// With so much less load than a failed step up was tried at, it is another matter.
const LESS: f64 = 0.9;

/// An input size that may be used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rung {
    /// Of the network's input.
    pub size: Size,
    /// What a run of the network took at the warm-up, in milliseconds. Only ratios of it count.
    pub run_ms: f64,
}

/// Another size is used from now on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Until now.
    pub from: Size,
    /// From now on.
    pub to: Size,
    /// What labels were expected to be old at the former size, in milliseconds.
    pub from_ms: f64,
    /// And at this one.
    pub to_ms: f64,
    /// What they may be.
    pub budget_ms: f64,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, from_ms, to_ms, budget_ms } = self;
        write!(f, "{from} to {to}: labels {from_ms:.1} ms old become {to_ms:.1} of {budget_ms} ms")
    }
}

/// A step up, until it has proven right.
#[derive(Debug)]
struct Climb {
    at: Instant,
    rung: usize,
    /// A run of the network beside one at the warm-up: 1 without load.
    load: f64,
}

/// A step up that was taken back.
#[derive(Debug)]
struct Failed {
    rung: usize,
    /// At which it was tried, as a [`Climb`]'s.
    load: f64,
    wait: Duration,
    until: Instant,
}

/// The controller.
#[derive(Debug)]
pub(super) struct Resolution {
    /// Largest first; never empty.
    rungs: Vec<Rung>,
    current: usize,
    changed: Option<Instant>,
    climb: Option<Climb>,
    failed: Option<Failed>,
}

impl Resolution {
    /// Begins with the largest size whose bare network fits.
    pub(super) fn new(mut rungs: Vec<Rung>, budget_ms: Option<f64>) -> Self {
        if rungs.is_empty() {
            rungs.push(Rung { size: Size::default(), run_ms: 1.0 });
        }
        rungs.sort_by_key(|r| std::cmp::Reverse(r.size.width * r.size.height));
        for rung in &mut rungs {
            rung.run_ms = rung.run_ms.max(1e-3); // what is divided by is not 0
        }
        let fits = |r: &Rung| budget_ms.is_none_or(|budget_ms| r.run_ms <= budget_ms);
        let current = rungs.iter().position(fits).unwrap_or(rungs.len() - 1);
        Self { rungs, current, changed: None, climb: None, failed: None }
    }

    pub(super) fn size(&self) -> Size {
        self.rungs[self.current].size
    }

    pub(super) fn is_smallest(&self) -> bool {
        self.current + 1 == self.rungs.len()
    }

    /// Asks whether to change, after a frame that was walked.
    /// What was measured at the former size is of no use then.
    pub(super) fn choose(
        &mut self,
        predictor: &Predictor,
        arrivals: &Arrivals,
        budget_ms: f64,
        now: Instant,
    ) -> Option<Change> {
        if self.rungs.len() < 2 || predictor.count() < RECENT {
            return None;
        }
        if let Some(climb) = self.climb.take_if(|c| now.duration_since(c.at) >= PROVEN_AFTER) {
            self.failed.take_if(|f| f.rung >= climb.rung);
        }
        let is_settled =
            predictor.count() >= KEPT && self.changed.is_none_or(|t| now.duration_since(t) >= HOLD);
        let (work, arrival_ms) = if is_settled {
            (predictor.p95(), arrivals.p95_ms())
        } else {
            (predictor.recent(), arrivals.recent_ms())
        };
        let expected = Expected { work: work?, arrival_ms };
        let load = expected.work.inference / self.rungs[self.current].run_ms;
        let fits = |rung: &usize| expected.ms(load, &self.rungs[*rung]) <= budget_ms * MARGIN;

        let to = if expected.ms(load, &self.rungs[self.current]) > budget_ms {
            let smaller = (self.current + 1..self.rungs.len()).find(fits);
            smaller.unwrap_or(self.rungs.len() - 1)
        } else if is_settled {
            let is_barred = |rung: usize| {
                self.failed.as_ref().is_some_and(|f| rung <= f.rung && now < f.until && load > f.load * LESS)
            };
            (0..self.current).find(|rung| fits(rung) && !is_barred(*rung))?
        } else {
            return None;
        };
        if to == self.current {
            return None;
        }
        let [from, goal] = [self.current, to].map(|rung| self.rungs[rung]);
        let (from_ms, to_ms) = (expected.ms(load, &from), expected.ms(load, &goal));
        if to < self.current {
            self.climb = Some(Climb { at: now, rung: to, load });
        } else if let Some(climb) = self.climb.take() {
            self.fail(&climb, now);
        }
        self.current = to;
        self.changed = Some(now);
        Some(Change { from: from.size, to: goal.size, from_ms, to_ms, budget_ms })
    }

    /// A step up did not hold.
    fn fail(&mut self, climb: &Climb, now: Instant) {
        let again = self.failed.as_ref().filter(|f| f.rung == climb.rung);
        let wait = again.map_or(WAIT, |f| (f.wait * 2).min(LONGEST_WAIT));
        self.failed = Some(Failed { rung: climb.rung, load: climb.load, wait, until: now + wait });
    }
}

/// What is known of the size in use.
struct Expected {
    work: Work,
    arrival_ms: f64,
}

impl Expected {
    /// How old labels will be at a rung, under a load that stretches its runs so.
    fn ms(&self, load: f64, rung: &Rung) -> f64 {
        self.arrival_ms + Work { inference: load * rung.run_ms, ..self.work }.total_ms()
    }
}
