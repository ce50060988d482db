//! What a stamp is worth: whether the age of an image can be told from it.

use std::fmt;

/// How far a stamp may be ahead of the clock: two machines' clocks differ by as much, and simulated time
/// moves in steps. Beyond it the stamp is of another clock.
const AHEAD_NS: i64 = 50_000_000;

/// A stamp, judged when its image arrived.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stamp {
    /// It tells the age.
    Good,
    /// A driver that does not fill it in.
    Zero,
    /// A clock that is not ours, or one that was set back.
    Ahead {
        /// Of our clock, at arrival.
        ms: f64,
    },
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("stamps are good"),
            Self::Zero => f.write_str("stamps are zero"),
            Self::Ahead { ms } => write!(f, "stamps are {ms:.1} ms ahead of the clock"),
        }
    }
}

impl Stamp {
    /// In a word, for statuses.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Zero => "zero",
            Self::Ahead { .. } => "ahead",
        }
    }
}

/// When an image came to be, as far as anyone knows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Birth {
    /// By the clock of the ages, since its epoch.
    ns: i64,
    /// By the same.
    arrived_ns: i64,
    /// Whether that is by its stamp.
    pub stamp: Stamp,
}

impl Birth {
    /// From the stamp and the time of arrival, both of the same clock. No image is younger than its arrival.
    pub fn new(stamp_ns: i64, arrived_ns: i64) -> Self {
        let ahead_ns = stamp_ns.saturating_sub(arrived_ns);
        let stamp = match stamp_ns {
            0 => Stamp::Zero,
            _ if ahead_ns > AHEAD_NS => Stamp::Ahead { ms: ahead_ns as f64 / 1e6 },
            _ => Stamp::Good,
        };
        let ns = if stamp == Stamp::Good { stamp_ns.min(arrived_ns) } else { arrived_ns };
        Self { ns, arrived_ns, stamp }
    }

    /// By the clock of the ages, since its epoch: its stamp, or its arrival where that does not tell.
    pub fn ns(&self) -> i64 {
        self.ns
    }

    /// How old it was when it came; 0 where the stamp does not tell.
    pub fn arrival_ms(&self) -> f64 {
        self.age_ms(self.arrived_ns)
    }

    /// Its age now. A clock that was set back since makes nothing younger than 0.
    pub fn age_ms(&self, now_ns: i64) -> f64 {
        now_ns.saturating_sub(self.ns).max(0) as f64 / 1e6
    }
}
