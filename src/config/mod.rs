//! What the user may set, raw as it was typed and checked as it is used.
//!
//! [`Parameters`] are the node's ROS parameters and, for the walk of a frame, the desk tool's options: one
//! list, one set of defaults, one set of checks. [`Parameters::settings`] holds them against a model and
//! gives [`PipelineSettings`], in which nothing can be wrong any more; [`Parameters::node`] does so for what
//! only the node reads. Knows nothing of ROS: parameters arrive as names and loose values.

mod by_name;
mod cameras;
mod changes;
mod descriptions;
mod hysteresis;
mod node;
mod parameters;
mod ranges;
mod realtime;
mod settings;
mod value;
mod words;

pub use cameras::{CameraParameters, OF_A_CAMERA, Sharing};
pub use changes::{When, is_of_the_score, when};
pub use descriptions::DESCRIPTIONS;
pub use node::{NodeSettings, Transport};
pub use parameters::{DriftWatch, Hold, ImageFaults, Parameters, Publish, RealTime};
pub use ranges::range;
pub use settings::{PipelineSettings, Provider, RuntimeSettings};
pub use value::ParameterValue;

use crate::frame::Size;
use crate::score::ScoringError;

/// Why settings cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// A name that is none of them.
    #[error("parameter {0} is not known; known: {known}", known = DESCRIPTIONS.map(|(n, _)| n).join(", "))]
    Unknown(String),
    /// A camera's own, where there is no such camera.
    #[error(
        "parameter {parameter} is of camera {camera}, which is not among cameras [{cameras}]: name it there"
    )]
    NoCamera {
        /// Its name.
        parameter: String,
        /// Part of that.
        camera: String,
        /// Those there are.
        cameras: String,
    },
    /// A known name with another type's value.
    #[error("parameter {parameter} is {got}, it must be of type {expected}")]
    Type {
        /// Its name.
        parameter: String,
        /// The value that came, with its type.
        got: String,
        /// The type it has.
        expected: &'static str,
    },
    /// A parameter file that is not one.
    #[error("parameters: {0}")]
    Shape(String),
    /// A word that is none of the choices.
    #[error("parameter {parameter} is \"{got}\": choose one of {choices}")]
    Choice {
        /// Its name.
        parameter: &'static str,
        /// As typed.
        got: String,
        /// Comma-separated.
        choices: String,
    },
    /// Right type, impossible value.
    #[error("parameter {parameter} is {got}: {expected}")]
    Value {
        /// Its name.
        parameter: &'static str,
        /// As typed.
        got: String,
        /// What would do.
        expected: &'static str,
    },
    /// The score reads what the model does not give.
    #[error(
        "score {score} needs dataset_logits, which model {model} does not have: set score to generative or max-logit"
    )]
    ClosedSet {
        /// As asked for.
        score: &'static str,
        /// By its manifest.
        model: String,
    },
    /// The model has no such score.
    #[error("model {model}: {source}")]
    Scoring {
        /// By its manifest.
        model: String,
        /// A temperature that cannot be, statistics that are not there.
        source: ScoringError,
    },
    /// No threshold to be had.
    #[error(
        "model {model} has no calibration of score {score} at {size}; it has {offered}. Set threshold_override, \
         choose one of these, or calibrate"
    )]
    Uncalibrated {
        /// By its manifest.
        model: String,
        /// As asked for, with its temperature.
        score: String,
        /// Of the network input.
        size: Size,
        /// Those in the manifest.
        offered: String,
    },
}

#[cfg(test)]
mod tests;
