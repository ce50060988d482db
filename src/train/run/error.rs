//! Why a run did not begin, or did not end well.

use std::path::PathBuf;

use super::checkpoint::CheckpointError;
use crate::dataset::DatasetError;
use crate::train::data::DataError;
use crate::train::generator::GeneratorError;
use crate::train::losses::LossError;
use crate::train::model::NetworkError;
use crate::train::settings::SettingsError;

/// Everything that ends a run but its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The libraries do not fit the program.
    #[error(
        "the libtorch loaded from {library} is version {got}, this program was built for {expected}: point \
         LIBTORCH and LD_LIBRARY_PATH at that version, or run make setup"
    )]
    Libtorch {
        /// The library's file.
        library: PathBuf,
        /// Its version.
        got: String,
        /// The version that it should be.
        expected: &'static str,
    },
    /// A training that was under way. The last checkpoint is whole.
    #[error("phase {phase}, step {step}: {source}")]
    Broken {
        /// By name.
        phase: String,
        /// Steps of the phase made before.
        step: u64,
        /// Steps made since the start, whatever the phase.
        made: u64,
        /// What ended it.
        source: Box<RunError>,
    },
    /// A loss or gradient that is no number.
    #[error(
        "{what} is {value}; the batch is {ids}. Nothing was saved over the last checkpoint: lower the learning \
         rate or the clipping, or look at these images"
    )]
    NotFinite {
        /// The loss, one of its terms, or the gradient's norm.
        what: String,
        /// What it is.
        value: f64,
        /// Of the batch's samples.
        ids: String,
    },
    /// The folder has a run.
    #[error("{folder} has a run in it already: give --resume to go on with it, or another folder")]
    Taken {
        /// As given.
        folder: PathBuf,
    },
    /// The folder has none.
    #[error("{folder} has no last.safetensors to resume from: leave --resume out to begin a run")]
    NothingToResume {
        /// As given.
        folder: PathBuf,
    },
    /// There is no such phase to begin at.
    #[error("the settings have no phase {got}; they have {known}")]
    NoPhase {
        /// As asked for.
        got: String,
        /// In order.
        known: String,
    },
    /// Places would be kept for negatives that nobody makes.
    #[error(
        "settings, phase {phase}: it has work for a generator, and a head that is attached is trained without one: \
         negatives of other sources, and another objective than generator"
    )]
    NoGenerator {
        /// By name.
        phase: String,
    },
    /// A file of the run cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A schedule that does not fit the number of steps.
    #[error("settings, phase {phase}: schedule: {reason}")]
    Schedule {
        /// By name.
        phase: String,
        /// Both sides.
        reason: String,
    },
    /// The settings are not what the data is.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// No batch.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A validation frame.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// No loss.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// The network could not be judged.
    #[error("validation: {0}")]
    Judge(String),
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// Saving or loading.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The generator failed.
    #[error(transparent)]
    Generator(#[from] GeneratorError),
    /// The network failed.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// libtorch failed outside the network.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
}

impl RunError {
    /// Whether it is of a training that was under way, or of the machine; otherwise nothing was begun, for what
    /// was asked for is not right.
    pub fn is_of_the_run(&self) -> bool {
        match self {
            Self::Broken { made, source, .. } => *made > 0 || source.is_of_the_run(),
            Self::Write { .. }
            | Self::Checkpoint(CheckpointError::Write { .. } | CheckpointError::Torch { .. })
            | Self::NotFinite { .. }
            | Self::Network(_)
            | Self::Generator(_)
            | Self::Torch(_)
            | Self::Loss(_)
            | Self::Judge(_)
            | Self::Thread(_) => true,
            _ => false,
        }
    }
}
