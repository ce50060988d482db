//! Why scores were not taken, kept, or given back. Files are named.

use std::path::PathBuf;

/// See the variants; every one says what to do where that is not plain.
#[derive(Debug, thiserror::Error)]
pub enum RankingError {
    /// A stratum that was not announced.
    #[error("stratum {got}, but this ranking was made for {strata}, counted from 0")]
    Stratum {
        /// What came.
        got: usize,
        /// How many there are.
        strata: usize,
    },
    /// Each pixel has one stratum and one score.
    #[error("{strata} strata for {scores} scores: there must be one for each")]
    Length {
        /// Strata that came.
        strata: usize,
        /// Scores that came.
        scores: usize,
    },
    /// A histogram that tells nothing apart.
    #[error("a histogram of {0} bins: it takes at least 2")]
    Bins(u32),
    /// A TPR or a quantile outside 0..=1.
    #[error("{0} is no share: true positive rates and quantiles are fractions between 0 and 1, not percent")]
    Share(f64),
    /// Results that do not belong together.
    #[error("{theirs} cannot be merged into {ours}: make both with the same settings")]
    Merge {
        /// What was to grow.
        ours: String,
        /// What was to be added.
        theirs: String,
    },
    /// Disk full, no such folder, no rights.
    #[error("cannot write scores to {}: {source}{}", .path.display(), advice(.source))]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Missing, no rights, or a disk that fails.
    #[error("cannot read scores from {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Not what [`super::ranking::Ranking::save`] writes.
    #[error("{} is no partial result of this version: give the file that was saved", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A copy that stopped half-way, or two results in one file.
    #[error(
        "{} has {got} bytes, but says it has {expected}: it was cut off or added to; copy it again",
        .path.display()
    )]
    CutOff {
        /// The file.
        path: PathBuf,
        /// Bytes there.
        got: u64,
        /// Bytes promised.
        expected: u64,
    },
    /// Bytes that are not those that were saved.
    #[error("{} is damaged ({what}): copy or compute it again", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
}

/// Room helps against a full disk alone.
fn advice(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::StorageFull => "; free about 3 bytes a score there, or choose another folder",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind::{NotFound, StorageFull};

    #[test]
    fn only_a_full_disk_is_to_be_freed() {
        let says = |kind: std::io::ErrorKind| {
            RankingError::Write { path: "x".into(), source: kind.into() }.to_string()
        };
        assert!(says(StorageFull).contains("; free about 3 bytes"), "{}", says(StorageFull));
        assert!(!says(NotFound).contains("free"), "{}", says(NotFound));
    }
}
