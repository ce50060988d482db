//! What is done when the network fails: a safe state at once, new sessions after a few failures in a row, longer
//! and longer pauses between them; and a watchdog for work that does not end.
//!
//! Place: beside the walk of a frame; told how each ended. Deliberately does not know: what a session is, what
//! is published, threads. The time comes in as an argument.

use std::fmt;
use std::time::{Duration, Instant};

/// Failures in a row after which sessions are made anew: one may be an accident.
const REPEATED: u32 = 3;

/// The pause between one making anew and the next, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Without a failure for so long, the next fault is another one.
const CALM: Duration = Duration::from_secs(60);

/// What is counted between two looks of the watchdog at most: a process that was stopped did not work meanwhile.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// What is published for a frame that the network failed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFault {
    /// Nothing.
    Silent,
    /// Labels that say of every pixel that it is unknown.
    AllUnknown,
}

impl OnFault {
    /// Every policy with its name.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Silent, "silent"), (Self::AllUnknown, "all_unknown")];
}

/// What is done about work that does not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnStuck {
    /// The program ends, for its supervisor to start it again.
    Exit,
    /// Labels that say of every pixel that it is unknown, for every image that comes meanwhile.
    AllUnknown,
}

impl OnStuck {
    /// Every policy with its name.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Exit, "exit"), (Self::AllUnknown, "all_unknown")];
}

/// What the user wants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Of a network that fails.
    pub on_fault: OnFault,
    /// Of one that does not come back.
    pub on_stuck: OnStuck,
    /// When it is said not to.
    pub stuck_after: Duration,
}

/// What a fault came to when it was over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recovery {
    /// Since its first failure.
    pub after: Duration,
    /// How many there were.
    pub failures: u64,
    /// How often sessions were made anew.
    pub rebuilds: u32,
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { after, failures, rebuilds } = self;
        let seconds = after.as_secs_f64();
        write!(
            f,
            "recovered after {seconds:.1} s, {failures} failures and {rebuilds} rebuilds of the sessions"
        )
    }
}

/// Counts failures, and says when to make sessions anew.
#[derive(Debug)]
pub struct Guard {
    /// When the fault began, while there is one.
    since: Option<Instant>,
    last: Option<Instant>,
    failures: u64,
    rebuilds: u32,
    /// Of the sessions that there are.
    in_a_row: u32,
    pause: Duration,
    not_before: Option<Instant>,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            since: None,
            last: None,
            failures: 0,
            rebuilds: 0,
            in_a_row: 0,
            pause: FIRST_PAUSE,
            not_before: None,
        }
    }
}

impl Guard {
    /// A frame failed.
    pub fn failed(&mut self, now: Instant) {
        // While a fault is under way there is no calm: sessions that are missing fail on nothing.
        if self.since.is_none() && self.last.is_some_and(|t| now.duration_since(t) > CALM) {
            (self.pause, self.not_before) = (FIRST_PAUSE, None);
        }
        self.since.get_or_insert(now);
        self.last = Some(now);
        self.failures += 1;
        self.in_a_row = self.in_a_row.saturating_add(1);
    }

    /// A frame did not.
    ///
    /// Says what the fault was, where there was more than an accident.
    pub fn succeeded(&mut self, now: Instant) -> Option<Recovery> {
        let since = self.since.take()?;
        let recovery =
            Recovery { after: now.duration_since(since), failures: self.failures, rebuilds: self.rebuilds };
        (self.failures, self.rebuilds, self.in_a_row) = (0, 0, 0);
        (recovery.failures >= u64::from(REPEATED) || recovery.rebuilds > 0).then_some(recovery)
    }

    /// Whether the sessions are to be made anew now.
    pub fn wants_rebuild(&self, now: Instant) -> bool {
        self.in_a_row >= REPEATED && self.not_before.is_none_or(|t| now >= t)
    }

    /// They are being made.
    pub fn rebuilding(&mut self, now: Instant) {
        self.rebuilds += 1;
        self.in_a_row = 0;
        self.not_before = Some(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// They could not be made.
    pub fn not_rebuilt(&mut self, now: Instant) {
        self.failed(now);
        self.in_a_row = REPEATED;
    }

    /// How long until they may be made anew.
    pub fn pause(&self, now: Instant) -> Duration {
        self.not_before.map_or(Duration::ZERO, |t| t.saturating_duration_since(now))
    }
}

/// Looks at regular intervals whether work ends.
#[derive(Debug)]
pub struct Watchdog {
    limit: Duration,
    looked: Option<Instant>,
    is_at_work: bool,
    /// For how long the work in hand has been seen: the look that finds it adds nothing.
    seen: Option<Duration>,
}

impl Watchdog {
    /// Work is stuck that is seen for longer than this.
    pub fn new(limit: Duration) -> Self {
        Self { limit, looked: None, is_at_work: false, seen: None }
    }

    /// Work began.
    pub fn began(&mut self) {
        (self.is_at_work, self.seen) = (true, None);
    }

    /// And ended.
    pub fn ended(&mut self) {
        (self.is_at_work, self.seen) = (false, None);
    }

    /// Looks.
    pub fn look(&mut self, now: Instant) {
        let since = self.looked.map_or(Duration::ZERO, |t| now.duration_since(t));
        self.looked = Some(now);
        if self.is_at_work {
            self.seen = Some(self.seen.map_or(Duration::ZERO, |seen| seen + since.min(LONGEST_LOOK)));
        }
    }

    /// For how long the work has been seen that is stuck; `None` where none is.
    pub fn stuck(&self) -> Option<Duration> {
        self.seen.filter(|seen| *seen > self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(start: Instant, s: f64) -> Instant {
        start + Duration::from_secs_f64(s)
    }

    #[test]
    fn an_accident_is_no_fault() {
        let (mut g, t) = (Guard::default(), Instant::now());
        for i in 0..20 {
            g.failed(seconds(t, f64::from(i)));
            g.failed(seconds(t, f64::from(i) + 0.1));
            assert!(!g.wants_rebuild(seconds(t, f64::from(i) + 0.1)));
            assert_eq!(g.succeeded(seconds(t, f64::from(i) + 0.2)), None);
        }
        assert_eq!(g.succeeded(t), None);
    }

    #[test]
    fn three_failures_in_a_row_are_and_recovery_is_told() {
        let (mut g, t) = (Guard::default(), Instant::now());
        for s in [0.0, 0.1, 0.2] {
            assert!(!g.wants_rebuild(seconds(t, s)));
            g.failed(seconds(t, s));
        }
        assert!(g.wants_rebuild(seconds(t, 0.2)));
        g.rebuilding(seconds(t, 0.2));
        assert!(!g.wants_rebuild(seconds(t, 9.0)), "the new sessions have not failed");
        let recovery = g.succeeded(seconds(t, 9.5)).unwrap();
        assert_eq!((recovery.failures, recovery.rebuilds), (3, 1));
        assert_eq!(recovery.to_string(), "recovered after 9.5 s, 3 failures and 1 rebuilds of the sessions");
        assert_eq!(g.succeeded(seconds(t, 9.6)), None);
    }

    /// When sessions are made anew, ten frames a second failing, until so many seconds. Where they cannot be, that
    /// takes a third of a second to find out, and no frame fails on what is not there.
    fn rebuilds(guard: &mut Guard, start: Instant, from: usize, until: usize, can: bool) -> Vec<f64> {
        let (mut at, mut are_missing) = (Vec::new(), false);
        for i in from * 10..until * 10 {
            let (s, now) = (i as f64 / 10.0, seconds(start, i as f64 / 10.0));
            if guard.wants_rebuild(now) {
                at.push(s);
                guard.rebuilding(now);
                if !can {
                    are_missing = true;
                    guard.not_rebuilt(seconds(start, s + 0.3));
                }
            } else if !are_missing {
                guard.failed(now);
            }
        }
        at
    }

    #[test]
    fn pauses_grow_whether_sessions_can_be_made_or_not() {
        for can in [true, false] {
            let (mut g, t) = (Guard::default(), Instant::now());
            let at = rebuilds(&mut g, t, 0, 400, can);
            let pauses: Vec<f64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
            for (pause, expected) in pauses.iter().zip([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]) {
                assert!((pause - expected).abs() < 0.15, "{pauses:?}");
            }
            assert!(pauses.len() >= 8, "{pauses:?}");
            assert!(g.pause(seconds(t, 400.0)) <= LONGEST_PAUSE);
        }
    }

    #[test]
    fn a_success_in_between_does_not_shorten_the_pause_but_a_calm_does() {
        let (mut g, t) = (Guard::default(), Instant::now());
        assert_eq!(rebuilds(&mut g, t, 0, 2, true).len(), 2);
        assert!(g.succeeded(seconds(t, 2.0)).is_some());
        // The third comes after the second's pause of two seconds, as if nothing had worked.
        let at = rebuilds(&mut g, t, 2, 5, true);
        assert!(at.len() == 1 && at[0] > 3.2, "{at:?}");
        assert!(g.succeeded(seconds(t, 5.0)).is_some());
        let at = rebuilds(&mut g, t, 70, 72, true);
        assert!(at.len() == 2 && at[0] < 70.5, "{at:?}");
    }

    #[test]
    fn work_that_does_not_end_is_stuck() {
        let (mut w, t) = (Watchdog::new(Duration::from_secs(5)), Instant::now());
        let look_until = |w: &mut Watchdog, from: usize, until: usize| {
            (from * 4..until * 4).for_each(|i| w.look(seconds(t, i as f64 / 4.0)));
        };
        look_until(&mut w, 0, 100);
        assert_eq!(w.stuck(), None, "nothing to do is not stuck");
        for second in 100..120 {
            w.began();
            look_until(&mut w, second, second + 1);
            w.ended();
        }
        w.began();
        look_until(&mut w, 120, 125);
        assert_eq!(w.stuck(), None);
        look_until(&mut w, 125, 127);
        assert_eq!(w.stuck(), Some(Duration::from_secs_f64(6.75)));
        w.ended();
        assert_eq!(w.stuck(), None);
        // A look that was late finds work that has only just begun.
        w.began();
        w.look(seconds(t, 200.0));
        w.look(seconds(t, 201.0));
        assert_eq!(w.seen, Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_process_that_was_stopped_is_not_stuck() {
        let (mut w, t) = (Watchdog::new(Duration::from_secs(5)), Instant::now());
        w.look(t);
        w.began();
        w.look(seconds(t, 0.25));
        w.look(seconds(t, 3600.0));
        assert_eq!(w.stuck(), None);
    }
}
