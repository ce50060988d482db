//! A contract model run by ONNX Runtime: the sole user of `ort`.
//!
//! Input and outputs are bound once to tensors that live as long as the session: preprocessing writes where
//! the network reads, scoring reads where the network wrote, and only the outputs that are used are
//! computed into memory. Knows nothing of images or thresholds.

mod assignment;
mod contract;
mod runtime;

use super::{SegmentError, Segmenter};
use crate::config::{Provider, RuntimeSettings};
use crate::frame::Size;
use crate::model::Model;
use crate::score::Logits;
use ort::environment::Environment;
use ort::ep::{self, ExecutionProviderDispatch};
use ort::memory::Allocator;
use ort::session::{IoBinding, Session};
use ort::value::Tensor;
use std::path::{Path, PathBuf};

/// A session for one input size.
pub struct OnnxSegmenter {
    session: Session,
    binding: IoBinding,
    input: Tensor<f32>,
    input_name: String,
    logits: Output,
    dataset_logits: Option<Output>,
    size: Size,
    /// Whether binding copies the input to another device, so that each frame must be bound anew.
    copies_input: bool,
    provider: String,
    library: PathBuf,
}

/// A bound output: `[1, channels, height, width]`.
struct Output {
    tensor: Tensor<f32>,
    channels: usize,
    height: usize,
    width: usize,
}

impl Output {
    fn view(&self) -> Logits<'_> {
        let (_, data) = self.tensor.extract_tensor();
        Logits { data, channels: self.channels, height: self.height, width: self.width }
    }
}

impl OnnxSegmenter {
    /// Loads the model, checks its graph against the manifest, and runs it once on an empty input: what
    /// cannot run says so here, not at the first frame.
    ///
    /// # Errors
    /// No library, a provider that is not there or takes nothing, a file that does not load, a graph that is
    /// not the one described.
    pub fn new(model: &Model, settings: &RuntimeSettings, size: Size) -> Result<Self, SegmentError> {
        let path = model.path().display().to_string();
        let contract = |mismatch: String| SegmentError::Contract { path: path.clone(), mismatch };
        let run = |e: ort::Error| SegmentError::Run(e.to_string());
        let (environment, library) = runtime::environment(settings.library.as_deref())?;
        let mut session = session(&environment, model, settings)?;
        contract::check_graph(&session, model, size).map_err(contract)?;

        let spec = &model.manifest().input;
        let names = &model.manifest().outputs;
        let allocator = Allocator::default();
        let mut input = Tensor::<f32>::new(&allocator, [1, 3, size.height, size.width]).map_err(run)?;
        input.extract_tensor_mut().1.fill(0.0);
        // The first run tells the outputs' sizes, which a dynamic graph does not state.
        let (logits, dataset_logits) = {
            let outputs = session.run(ort::inputs![spec.name.as_str() => &input]).map_err(|e| {
                SegmentError::Load { path: path.clone(), reason: format!("a run at {size} fails: {e}") }
            })?;
            let shape_of = |name: &str| -> Result<Output, SegmentError> {
                let value = outputs.get(name).ok_or_else(|| contract(format!("no output {name}")))?;
                let (shape, _) = value.try_extract_tensor::<f32>().map_err(run)?;
                bound_output(&allocator, name, shape).map_err(contract)
            };
            (shape_of(&names.logits)?, names.dataset_logits.as_deref().map(shape_of).transpose()?)
        };
        contract::check_outputs(model, size, logits.view(), dataset_logits.as_ref().map(Output::view))
            .map_err(contract)?;
        let provider = provider_in_use(&mut session, settings)?;

        let mut segmenter = Self {
            binding: session.create_binding().map_err(run)?,
            session,
            input,
            input_name: spec.name.clone(),
            logits,
            dataset_logits,
            size,
            copies_input: settings.providers.iter().any(|p| *p != Provider::Cpu),
            provider,
            library,
        };
        let Self { binding, logits, dataset_logits, .. } = &mut segmenter;
        binding.bind_output(names.logits.as_str(), &mut logits.tensor).map_err(run)?;
        if let (Some(name), Some(output)) = (names.dataset_logits.as_deref(), dataset_logits) {
            binding.bind_output(name, &mut output.tensor).map_err(run)?;
        }
        segmenter.bind_input()?;
        segmenter.run()?;
        Ok(segmenter)
    }

    /// The ONNX Runtime library that is loaded.
    pub fn library(&self) -> &Path {
        &self.library
    }

    // On the CPU the session reads the very memory of `input`, which is owned by it: what preprocessing writes
    // later is seen. tests/step_golden.rs would fail if a binding ever copied there.
    fn bind_input(&mut self) -> Result<(), SegmentError> {
        let bound = self.binding.bind_input(self.input_name.as_str(), &self.input);
        bound.map_err(|e| SegmentError::Run(e.to_string()))
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
        self.input.extract_tensor_mut().1
    }

    fn run(&mut self) -> Result<(), SegmentError> {
        if self.copies_input {
            self.bind_input()?;
        }
        let done = self.session.run_binding(&self.binding).map(drop);
        done.map_err(|e| SegmentError::Run(e.to_string()))
    }

    fn logits(&self) -> Logits<'_> {
        self.logits.view()
    }

    fn dataset_logits(&self) -> Option<Logits<'_>> {
        self.dataset_logits.as_ref().map(Output::view)
    }
}

/// A session on the providers asked for, all of them.
fn session(
    environment: &Environment,
    model: &Model,
    settings: &RuntimeSettings,
) -> Result<Session, SegmentError> {
    let path = model.path().display().to_string();
    let load = |e: String| SegmentError::Load { path: path.clone(), reason: e };
    let mut builder = Session::builder(environment).map_err(|e| load(e.to_string()))?;
    for provider in settings.providers.iter().filter(|p| **p != Provider::Cpu) {
        builder = builder.with_execution_providers([dispatch(*provider)]).map_err(|e| {
            SegmentError::Provider { provider: provider.name().into(), reason: e.to_string() }
        })?;
    }
    if !settings.providers.contains(&Provider::Cpu) {
        builder = builder.with_disable_cpu_fallback().map_err(|e| load(e.to_string()))?;
    }
    if settings.providers.iter().any(|p| *p != Provider::Cpu) {
        let prefix = std::env::temp_dir().join(format!("open_set-{}", std::process::id()));
        builder = builder.with_profiling(prefix).map_err(|e| load(e.to_string()))?;
    }
    builder
        .with_intra_threads(settings.threads)
        .map_err(|e| load(e.to_string()))?
        // Workers that spin on after the network is done would take the cores from scoring.
        .with_config_entry("session.force_spinning_stop", "1")
        .map_err(|e| load(e.to_string()))?
        .commit_from_memory(model.onnx())
        .map_err(|e| load(e.to_string()))
}

/// What ran the first run's nodes. The CPU alone needs no asking.
fn provider_in_use(session: &mut Session, settings: &RuntimeSettings) -> Result<String, SegmentError> {
    let order: Vec<&str> = settings.providers.iter().map(|p| p.name()).collect();
    let first = order.first().copied().unwrap_or_default();
    if first == Provider::Cpu.name() {
        return Ok(first.into());
    }
    let failed = |reason: String| SegmentError::Provider { provider: first.into(), reason };
    let profile = session.end_profiling().map_err(|e| failed(e.to_string()))?;
    let nodes = assignment::take(Path::new(&profile)).map_err(failed)?;
    if !nodes.contains_key(first) {
        return Err(failed(format!(
            "it is registered but ran no node; {}",
            assignment::describe(&nodes, &order)
        )));
    }
    Ok(assignment::describe(&nodes, &order))
}

fn dispatch(provider: Provider) -> ExecutionProviderDispatch {
    // Without error_on_failure a provider that is not there becomes the CPU without a word.
    match provider {
        Provider::Cpu => ep::CPU::default().build().error_on_failure(),
        Provider::Cuda => ep::CUDA::default().build().error_on_failure(),
        Provider::TensorRt => ep::TensorRT::default().build().error_on_failure(),
    }
}

fn bound_output(allocator: &Allocator, name: &str, shape: &[i64]) -> Result<Output, String> {
    let [1, channels, height, width] = shape else {
        return Err(format!("output \"{name}\" came as {shape:?}, expected [1, channels, height, width]"));
    };
    let side = |v: &i64| usize::try_from(*v).map_err(|_| format!("output \"{name}\" came as {shape:?}"));
    let (channels, height, width) = (side(channels)?, side(height)?, side(width)?);
    let tensor = Tensor::<f32>::new(allocator, [1, channels, height, width])
        .map_err(|e| format!("output \"{name}\": {e}"))?;
    Ok(Output { tensor, channels, height, width })
}
