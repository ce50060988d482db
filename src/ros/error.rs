//! Why the node ends, and with which exit code.

use super::arguments::UsageError;
use crate::assemble::AssembleError;
use crate::config::ConfigError;
use std::process::ExitCode;

/// Why the node did not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The command line.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The parameters.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Model, runtime or mask.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// The middleware.
    #[error("ROS 2 says {error} while {doing}")]
    Ros {
        /// What was being done.
        doing: String,
        /// rcl's word.
        error: r2r::Error,
    },
    /// Threads, signals.
    #[error("{doing}: {error}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// A part that must not end did.
    #[error("{0} ended by itself: this is a defect of the program, see its message above")]
    Died(&'static str),
    /// The end was not waited for any longer.
    #[error("{0}: left without waiting for {1}")]
    Unfinished(&'static str, &'static str),
}

pub(super) fn ros(doing: impl Into<String>) -> impl FnOnce(r2r::Error) -> NodeError {
    let doing = doing.into();
    move |error| NodeError::Ros { doing, error }
}

pub(super) fn system(doing: &'static str) -> impl FnOnce(std::io::Error) -> NodeError {
    move |error| NodeError::System { doing, error }
}

/// 2 where command line, parameters or model are not usable, 1 for anything else.
pub(super) fn exit_code(error: &NodeError) -> ExitCode {
    let usage = matches!(error, NodeError::Usage(_) | NodeError::Config(_) | NodeError::Assemble(_));
    ExitCode::from(if usage { 2 } else { 1 })
}
