//! Why nothing is generated.

use tch::TchError;

use crate::train::flow::FlowError;
use crate::train::model::NetworkError;

/// See the variants.
#[derive(Debug, thiserror::Error)]
pub enum GeneratorError {
    /// The flow's.
    #[error(transparent)]
    Flow(#[from] FlowError),
    /// Its parameters.
    #[error("generator: {0}")]
    Parameters(#[from] NetworkError),
    /// The segmenter, asked what it says of generated pixels.
    #[error("generator: the segmenter cannot be asked: {0}")]
    Segmenter(String),
    /// libtorch's.
    #[error("generator: {0}")]
    Torch(#[from] TchError),
}
