//! Why a file gave no weights.

use std::path::PathBuf;

use super::super::NetworkError;
use super::pth::PthError;

/// See the variants; each names the file.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// Not there, or not to be read.
    #[error("{} cannot be read: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// Of no format that holds weights.
    #[error(
        "{} is neither a safetensors file (by its ending) nor what torch.save writes (by its first bytes)",
        .path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// A PyTorch file that is broken, or holds more than tensors.
    #[error("{}: {source}", .path.display())]
    Pth {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: PthError,
    },
    /// A safetensors file that is none.
    #[error("{} is no safetensors file: {source}", .path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// The library's words.
        source: tch::TchError,
    },
    /// Weights of another network.
    #[error("{}: {source}", .path.display())]
    Network {
        /// The file.
        path: PathBuf,
        /// Both sides.
        source: NetworkError,
    },
}
