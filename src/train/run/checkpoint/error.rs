//! Why there is no checkpoint.

use std::path::PathBuf;

/// Why there is no checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Not written; what stood there before still does.
    #[error("cannot write checkpoint {path}: {source}; what was there before is untouched")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not readable.
    #[error("cannot read checkpoint {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Readable, but no checkpoint.
    #[error("{path} is no checkpoint of this program: {reason}")]
    NotOne {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Of another network.
    #[error("checkpoint {path} is of {got}, but the settings make {expected}")]
    Identity {
        /// The file.
        path: PathBuf,
        /// Its network.
        got: String,
        /// The network there is.
        expected: String,
    },
    /// Of another generator.
    #[error("the generator in checkpoint {path} is {got}, but the settings make {expected}")]
    Generator {
        /// The file.
        path: PathBuf,
        /// Its generator.
        got: String,
        /// The one there is.
        expected: String,
    },
    /// Of other settings.
    #[error(
        "{path} was made with other settings:\n{differences}\nGive the settings of the run's own settings.yaml, \
         or begin another run from these weights: open-set-train run --init CHECKPOINT --phase NAME"
    )]
    Settings {
        /// The file.
        path: PathBuf,
        /// Each entry, theirs and ours.
        differences: String,
    },
    /// The tensors are not those that are wanted.
    #[error("checkpoint {path}, {group}: {reason}")]
    Tensors {
        /// The file.
        path: PathBuf,
        /// Parameters, means or moments.
        group: String,
        /// Which are missing, left over or of another shape.
        reason: String,
    },
    /// libtorch refused.
    #[error("checkpoint {path}: {source}")]
    Torch {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: tch::TchError,
    },
}
