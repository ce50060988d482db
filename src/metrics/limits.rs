//! What the parts of a ranking agree on: how much memory it has, and which side a stratum is on.

use std::path::PathBuf;

/// How much memory, and where what does not fit goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Scores kept in memory (at least one), 4 bytes each.
    pub keys_in_memory: usize,
    /// The folder for what is spilled, about 2 to 3 bytes a score. The files in it have no names, so that
    /// nothing is left of them, whatever ends the program.
    pub spill: PathBuf,
}

impl Default for Limits {
    /// 2²⁷ scores, half a gigabyte; the system's folder for temporary files.
    fn default() -> Self {
        Self { keys_in_memory: 1 << 27, spill: std::env::temp_dir() }
    }
}

/// What the scores of a stratum are to a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Inliers.
    Negative,
    /// Anomalies.
    Positive,
}
