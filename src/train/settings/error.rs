//! Why settings are not used.

use std::path::PathBuf;

use crate::labels::TaxonomyError;
use crate::train::data::DataError;

/// Why settings are not used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file is not readable, or no such YAML.
    #[error("settings {path}: {reason}")]
    File {
        /// As given.
        path: PathBuf,
        /// Key and position.
        reason: String,
    },
    /// The classes are none.
    #[error("settings, classes: {0}")]
    Classes(#[from] TaxonomyError),
    /// The classes are others than the data set's.
    #[error(
        "the classes of data set {dataset} are {got}, but the settings have {expected}: the same, in its order"
    )]
    OtherClasses {
        /// By name.
        dataset: String,
        /// The set's.
        got: String,
        /// The settings'.
        expected: String,
    },
    /// A number that cannot be.
    #[error("settings, {key} is {got}: {expected}")]
    Value {
        /// Where.
        key: &'static str,
        /// What it is.
        got: String,
        /// What would do.
        expected: &'static str,
    },
    /// The data's section cannot be.
    #[error("settings, data: {0}")]
    Data(#[from] DataError),
    /// A generator that cannot be.
    #[error("settings, generator: {0}")]
    Generator(String),
    /// A network is wanted of settings for a head.
    #[error(
        "settings, model has no network: say architecture, width, dataset_head, precision, or use attach-head"
    )]
    NoNetwork,
    /// A network that cannot be.
    #[error("settings, model: {reason}")]
    Network {
        /// Both sides.
        reason: String,
    },
    /// A phase that cannot be.
    #[error("settings, phase {phase}: {reason}")]
    Phase {
        /// By name.
        phase: String,
        /// Both sides.
        reason: String,
    },
}
