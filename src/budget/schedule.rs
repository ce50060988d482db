//! Whose frame is begun next, where several cameras take turns at one network.
//!
//! The oldest first among those that can still make their budget, or are due to show whether they can; the others
//! after them, to be refused or tried as their budgets say. A camera is as old as the first of its frames that has not
//! been answered, whatever replaced it since: by the newest frame's stamp alone, a camera whose frames always come a
//! little after another's would never have its turn under load.

use super::Budget;
use std::time::Instant;

/// A waiting frame's place: the lowest is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    /// It cannot make its budget any more, as far as is known.
    misses: bool,
    /// How long its camera has been waiting for an answer.
    since: Instant,
}

impl Turn {
    /// Of the newest frame of a camera with that budget, so old by now; `since` something has been waiting.
    pub fn new(budget: &Budget, age_ms: f64, since: Instant, now: Instant) -> Self {
        Self { misses: !budget.is_worth_a_turn(age_ms, now), since }
    }
}
