//! A contract model run by ONNX Runtime: the sole user of `ort`.
//!
//! Input and outputs are bound once to tensors that live as long as the session: preprocessing writes where
//! the network reads, scoring reads where the network wrote, and only the outputs that are used are
//! computed into memory. Knows nothing of images or thresholds.

mod assignment;
mod bound;
mod contract;
mod head;
mod runtime;

use super::{SegmentError, Segmenter};
use crate::config::RuntimeSettings;
use crate::frame::Size;
use crate::model::Model;
use crate::score::Logits;
use bound::{Bound, Output, Starter};
use head::Head;
use std::path::{Path, PathBuf};

/// A session for one input size.
pub struct OnnxSegmenter {
    network: Bound,
    logits: Output,
    dataset_logits: Option<Output>,
    /// Where they were asked for without the head.
    pre_logits: Option<Output>,
    /// With the pre-logits that it reads, where it was asked for.
    head: Option<Head>,
    size: Size,
    provider: String,
    library: PathBuf,
}

/// What is wanted of a model's pre-logits.
#[derive(Clone, Copy)]
enum PreLogits {
    Unread,
    Read,
    /// And the class head that reads them, to be run again.
    WithHead,
}

impl OnnxSegmenter {
    /// Loads the model, checks its graph against the manifest, and runs it once on an empty input: what
    /// cannot run says so here, not at the first frame.
    ///
    /// # Errors
    /// No library, a provider that is not there or takes nothing, a file that does not load, a graph that is
    /// not the one described.
    pub fn new(model: &Model, settings: &RuntimeSettings, size: Size) -> Result<Self, SegmentError> {
        Self::make(model, settings, size, PreLogits::Unread)
    }

    /// As [`OnnxSegmenter::new`], and gives pre-logits and rectified logits as well.
    ///
    /// # Errors
    /// Also: a model without pre-logits, or whose logits are not made from them alone.
    pub fn with_pre_logits(
        model: &Model,
        settings: &RuntimeSettings,
        size: Size,
    ) -> Result<Self, SegmentError> {
        Self::make(model, settings, size, PreLogits::WithHead)
    }

    /// As [`OnnxSegmenter::new`], and gives pre-logits, but no rectified logits: how the logits are made of them
    /// does not matter then.
    ///
    /// # Errors
    /// Also: a model without pre-logits.
    pub fn reading_pre_logits(
        model: &Model,
        settings: &RuntimeSettings,
        size: Size,
    ) -> Result<Self, SegmentError> {
        Self::make(model, settings, size, PreLogits::Read)
    }

    fn make(
        model: &Model,
        settings: &RuntimeSettings,
        size: Size,
        wanted: PreLogits,
    ) -> Result<Self, SegmentError> {
        let path = model.path().display().to_string();
        let contract = |mismatch: String| SegmentError::Contract { path: path.clone(), mismatch };
        let (environment, library) = runtime::environment(settings.library.as_deref())?;
        let starter = Starter { environment, settings, path: path.clone() };

        let names = &model.manifest().outputs;
        let pre_logits = match wanted {
            PreLogits::Unread => None,
            PreLogits::Read | PreLogits::WithHead => Some(
                names
                    .pre_logits
                    .as_deref()
                    .ok_or_else(|| SegmentError::NoPreLogits(format!("the outputs of {path} name none")))?,
            ),
        };
        let session = starter.session(model.onnx())?;
        contract::check_graph(&session, model, size).map_err(contract)?;
        let input = (model.manifest().input.name.as_str(), [1, 3, size.height, size.width]);
        let outputs = [Some(names.logits.as_str()), names.dataset_logits.as_deref(), pre_logits];
        let (mut network, outputs, provider) = starter.start(session, input, outputs)?;
        let [Some(logits), dataset_logits, pre_logits] = outputs else {
            return Err(contract(format!("no output {}", names.logits)));
        };
        contract::check_outputs(model, size, logits.view(), dataset_logits.as_ref().map(Output::view))
            .map_err(contract)?;
        network.run().map_err(SegmentError::Run)?;
        let (pre_logits, head) = match (wanted, pre_logits) {
            (PreLogits::WithHead, Some(p)) => (None, Some(Head::new(&starter, model, p, logits.view())?)),
            (_, pre_logits) => (pre_logits, None),
        };
        Ok(Self { network, logits, dataset_logits, pre_logits, head, size, provider, library })
    }

    /// The ONNX Runtime library that is loaded.
    pub fn library(&self) -> &Path {
        &self.library
    }
}

impl Segmenter for OnnxSegmenter {
    fn provider(&self) -> &str {
        &self.provider
    }

    fn input_size(&self) -> Size {
        self.size
    }

    fn input(&mut self) -> &mut [f32] {
        self.network.input()
    }

    fn run(&mut self) -> Result<(), SegmentError> {
        self.network.run().map_err(SegmentError::Run)
    }

    fn logits(&self) -> Logits<'_> {
        self.logits.view()
    }

    fn dataset_logits(&self) -> Option<Logits<'_>> {
        self.dataset_logits.as_ref().map(Output::view)
    }

    fn pre_logits(&self) -> Option<Logits<'_>> {
        self.head.as_ref().map(Head::pre_logits).or(self.pre_logits.as_ref().map(Output::view))
    }

    fn rectify(&mut self, clip: f32) -> Result<(), SegmentError> {
        let head = self.head.as_mut().ok_or_else(SegmentError::made_without_pre_logits)?;
        head.run(clip).map_err(SegmentError::Run)
    }

    fn rectified_logits(&self) -> Option<Logits<'_>> {
        self.head.as_ref().map(Head::logits)
    }
}
