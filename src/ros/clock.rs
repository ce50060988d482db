//! The node's clock, for stamps and ages: sim time where that is on.

use super::lock;
use r2r::std_msgs::msg::Header;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Shared by who stamps and who asks for ages.
#[derive(Clone)]
pub(super) struct Clock(Arc<Mutex<r2r::Clock>>);

impl Clock {
    pub(super) fn new(clock: Arc<Mutex<r2r::Clock>>) -> Self {
        Self(clock)
    }

    fn now(&self) -> r2r::Result<Duration> {
        lock(&self.0).get_now()
    }

    /// Nanoseconds since the clock's epoch.
    ///
    /// # Errors
    /// rcl does not tell.
    pub(super) fn now_ns(&self) -> r2r::Result<i64> {
        self.now().map(|now| i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
    }

    /// A header that says now.
    pub(super) fn header(&self) -> Header {
        let now = self.now().unwrap_or_default();
        Header { stamp: r2r::Clock::to_builtin_time(&now), frame_id: String::new() }
    }
}
