//! The network behind one seam: an input to fill, a run, outputs to read.
//!
//! `onnx` runs a contract model through ONNX Runtime. [`fake`] computes something known instead, for
//! tests. Buffers belong to the segmenter and are reused, so that a frame copies and allocates nothing.

pub mod fake;
#[cfg(feature = "vision")]
pub mod onnx;

use crate::frame::Size;
use crate::score::{Logits, Outputs};

/// A segmenter for one input size. Used from one thread.
pub trait Segmenter: Send {
    /// What it runs on, in configuration's words; where several share the graph, how many nodes each took.
    fn provider(&self) -> &str;
    /// Size of the input.
    fn input_size(&self) -> Size;
    /// The input to fill, f32 `[3, height, width]`.
    fn input(&mut self) -> &mut [f32];
    /// Runs the network on the input.
    ///
    /// # Errors
    /// What the runtime reports; the outputs are then not to be used.
    fn run(&mut self) -> Result<(), SegmentError>;
    /// Of the last run: f32 `[K, h, w]`.
    fn logits(&self) -> Logits<'_>;
    /// Of the last run: f32 `[1|2, h, w]`, of an open-set model.
    fn dataset_logits(&self) -> Option<Logits<'_>>;
    /// Of the last run: f32 `[C, h, w]`, what the class head reads, where the segmenter was made to give it.
    fn pre_logits(&self) -> Option<Logits<'_>> {
        None
    }
    /// Runs the class head once more, on the last run's pre-logits, none of them above `clip`.
    ///
    /// # Errors
    /// What the runtime reports, or that there are no pre-logits.
    fn rectify(&mut self, _clip: f32) -> Result<(), SegmentError> {
        Err(SegmentError::made_without_pre_logits())
    }
    /// What [`Segmenter::rectify`] gave last: f32 `[K, h, w]`.
    fn rectified_logits(&self) -> Option<Logits<'_>> {
        None
    }
    /// Logits and dataset logits of the last run.
    fn outputs(&self) -> Outputs<'_> {
        Outputs { logits: self.logits(), dataset_logits: self.dataset_logits() }
    }
}

/// Why a segmenter could not be made or did not run.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// No ONNX Runtime library.
    #[error(
        "no ONNX Runtime library; looked at: {looked_at}. Set parameter onnxruntime or ORT_DYLIB_PATH to \
         libonnxruntime.so, or run make setup"
    )]
    NoRuntime {
        /// Every place, in order, with what was wrong there.
        looked_at: String,
    },
    /// A provider the library cannot give. Nothing falls back in silence.
    #[error(
        "provider {provider} is not available: {reason}. Use providers [cpu], or install an ONNX Runtime and \
         driver that has it"
    )]
    Provider {
        /// As asked for.
        provider: String,
        /// What the runtime said.
        reason: String,
    },
    /// The ONNX file does not load.
    #[error("ONNX Runtime does not load {path}: {reason}")]
    Load {
        /// The model's manifest.
        path: String,
        /// What the runtime said.
        reason: String,
    },
    /// The graph is not the one the manifest describes.
    #[error("the graph of {path} is not what its manifest says: {mismatch}")]
    Contract {
        /// The model's manifest.
        path: String,
        /// Both sides.
        mismatch: String,
    },
    /// A score reads pre-logits that are not there.
    #[error("score react needs pre_logits, but {0}")]
    NoPreLogits(String),
    /// A run failed.
    #[error("inference failed: {0}")]
    Run(String),
}

impl SegmentError {
    /// Of a segmenter that could have them, or could not.
    pub(crate) fn made_without_pre_logits() -> Self {
        Self::NoPreLogits("the segmenter was made without them".into())
    }
}
