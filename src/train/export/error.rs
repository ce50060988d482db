//! Why nothing was exported.

use crate::frame::Size;
use crate::images::ImagesError;
use crate::model::ModelError;
use crate::segmenter::SegmentError;
use crate::train::model::NetworkError;
use std::path::PathBuf;
use tch::TchError;

/// Why nothing was exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The network's description and what was learned do not belong together.
    #[error(
        "parameter {name} is {got}, the network's description needs {expected:?}: is it another network's?"
    )]
    Parameter {
        /// As the description calls it.
        name: String,
        /// The shape it has there.
        expected: Vec<usize>,
        /// What there is.
        got: String,
    },
    /// A description that cannot be written as ONNX.
    #[error("the network cannot be written as ONNX: {0}")]
    Description(String),
    /// Names for other logits than there are.
    #[error(
        "the network tells {network} classes apart, the data set has {taxonomy}: export with its own data set"
    )]
    Classes {
        /// Of the network.
        network: usize,
        /// Of the taxonomy.
        taxonomy: usize,
    },
    /// No file can be called so.
    #[error("{out} names no file: give FOLDER/NAME.onnx")]
    Name {
        /// As given.
        out: PathBuf,
    },
    /// Work would be lost.
    #[error("{path} {what}, and would be written over: export to another name, or with --force")]
    Occupied {
        /// The manifest.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// The manifest cannot be written as YAML, or not read again.
    #[error("the manifest does not become a file: {0}")]
    Manifest(String),
    /// The manifest says something impossible, or cannot be read.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The file does not load or run, or is not what the manifest says.
    #[error(transparent)]
    Segmenter(#[from] SegmentError),
    /// Not the same network.
    #[error(
        "{output} of the ONNX file and of the checkpoint differ at input {size}: {reason}, at most 1e-4 is allowed; \
         nothing was written"
    )]
    Parity {
        /// Of the outputs.
        output: &'static str,
        /// Of the input.
        size: Size,
        /// How.
        reason: String,
    },
    /// A graph from outside that gets no head.
    #[error("{path} gets no dataset head: {reason}")]
    Graph {
        /// The ONNX file or its manifest.
        path: PathBuf,
        /// What it lacks or has, and what would do.
        reason: String,
    },
    /// A picture that parity was to be checked on.
    #[error(transparent)]
    Picture(#[from] ImagesError),
    /// A file that cannot be written. The one that was there is whole.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The ONNX file or the manifest.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The network itself does not run.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// What libtorch reports.
    #[error("libtorch: {}", .0.to_string().lines().next().unwrap_or_default())]
    Torch(#[from] TchError),
}

impl ExportError {
    /// Whether the work failed, or the machine; otherwise what was asked for is not right.
    pub fn is_of_the_work(&self) -> bool {
        matches!(
            self,
            Self::Parity { .. } | Self::Write { .. } | Self::Segmenter(_) | Self::Network(_) | Self::Torch(_)
        )
    }
}
