//! A contract model run by ONNX Runtime: the sole user of `ort`.
//!
//! Input and outputs are bound once to tensors that live as long as the session: preprocessing writes where
//! the network reads, scoring reads where the network wrote, and only the outputs that are used are
//! computed into memory. Knows nothing of images or thresholds.

mod runtime;

use super::{SegmentError, Segmenter};
use crate::config::{Provider, RuntimeSettings};
use crate::model::Model;
use crate::preprocess::geometry::Size;
use crate::score::Logits;
use ort::ep::{self, ExecutionProviderDispatch};
use ort::memory::Allocator;
use ort::session::{IoBinding, Session};
use ort::value::{Outlet, Tensor, TensorElementType, ValueType};
use std::path::PathBuf;

/// A session for one input size.
pub struct OnnxSegmenter {
    session: Session,
    binding: IoBinding,
    input: Tensor<f32>,
    input_name: String,
    logits: Output,
    dataset_logits: Option<Output>,
    size: Size,
    provider: Provider,
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
    /// No library, a provider that is not there, a file that does not load, a graph that is not the one
    /// described.
    pub fn new(model: &Model, settings: &RuntimeSettings, size: Size) -> Result<Self, SegmentError> {
        let path = model.path().display().to_string();
        let (environment, library) = runtime::environment(settings.library.as_deref())?;
        let load = |e: String| SegmentError::Load { path: path.clone(), reason: e };

        let mut session = {
            let mut builder = Session::builder(&environment).map_err(|e| load(e.to_string()))?;
            for provider in settings.providers.iter().filter(|p| **p != Provider::Cpu) {
                builder = builder.with_execution_providers([dispatch(*provider)]).map_err(|e| {
                    SegmentError::Provider { provider: provider.name().into(), reason: e.to_string() }
                })?;
            }
            if !settings.providers.contains(&Provider::Cpu) {
                builder = builder.with_disable_cpu_fallback().map_err(|e| load(e.to_string()))?;
            }
            builder
                .with_intra_threads(settings.threads)
                .map_err(|e| load(e.to_string()))?
                // Workers that spin on after the network is done would take the cores from scoring.
                .with_config_entry("session.force_spinning_stop", "1")
                .map_err(|e| load(e.to_string()))?
                .commit_from_memory(model.onnx())
                .map_err(|e| load(e.to_string()))?
        };

        let contract = |mismatch: String| SegmentError::Contract { path: path.clone(), mismatch };
        let manifest = model.manifest();
        check_input(session.inputs(), &manifest.input.name, size).map_err(contract)?;
        let names = &manifest.outputs;
        let classes = model.taxonomy().len();
        check_output(session.outputs(), &names.logits, &[classes], "classes in the manifest")
            .map_err(contract)?;
        if let Some(name) = &names.dataset_logits {
            check_output(session.outputs(), name, &[1, 2], "outlier, or inlier and outlier")
                .map_err(contract)?;
        }

        let run = |e: ort::Error| SegmentError::Run(e.to_string());
        let allocator = Allocator::default();
        let input = Tensor::<f32>::new(&allocator, [1, 3, size.height, size.width]).map_err(run)?;
        let mut input = input;
        input.extract_tensor_mut().1.fill(0.0);
        // The first run tells the outputs' sizes, which a dynamic graph does not state.
        let (logits, dataset_logits) = {
            let outputs = session
                .run(ort::inputs![manifest.input.name.as_str() => &input])
                .map_err(|e| load(format!("a run at {size} fails: {e}")))?;
            let shape_of = |name: &str| -> Result<Output, SegmentError> {
                let value = outputs.get(name).ok_or_else(|| contract(format!("no output {name}")))?;
                let (shape, _) = value.try_extract_tensor::<f32>().map_err(run)?;
                bound_output(&allocator, name, shape).map_err(contract)
            };
            (shape_of(&names.logits)?, names.dataset_logits.as_deref().map(shape_of).transpose()?)
        };
        if logits.channels != classes {
            return Err(contract(format!(
                "logits have {} channels, the manifest {classes} classes",
                logits.channels
            )));
        }
        check_stride(model, size, &logits).map_err(contract)?;

        let mut segmenter = Self {
            binding: session.create_binding().map_err(run)?,
            session,
            input,
            input_name: manifest.input.name.clone(),
            logits,
            dataset_logits,
            size,
            provider: settings.providers.first().copied().unwrap_or(Provider::Cpu),
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
    pub fn library(&self) -> &std::path::Path {
        &self.library
    }

    fn bind_input(&mut self) -> Result<(), SegmentError> {
        let bound = self.binding.bind_input(self.input_name.as_str(), &self.input);
        bound.map_err(|e| SegmentError::Run(e.to_string()))
    }
}

impl Segmenter for OnnxSegmenter {
    fn provider(&self) -> &str {
        self.provider.name()
    }

    fn input_size(&self) -> Size {
        self.size
    }

    fn input(&mut self) -> &mut [f32] {
        self.input.extract_tensor_mut().1
    }

    fn run(&mut self) -> Result<(), SegmentError> {
        if self.provider != Provider::Cpu {
            // For another device, binding is what copies the input there.
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

fn dispatch(provider: Provider) -> ExecutionProviderDispatch {
    // Without error_on_failure a provider that is not there becomes the CPU without a word.
    match provider {
        Provider::Cpu => ep::CPU::default().build().error_on_failure(),
        Provider::Cuda => ep::CUDA::default().build().error_on_failure(),
        Provider::TensorRt => ep::TensorRT::default().build().error_on_failure(),
    }
}

fn names(outlets: &[Outlet]) -> String {
    outlets.iter().map(Outlet::name).collect::<Vec<_>>().join(", ")
}

/// The outlet's dimensions (−1: dynamic), if it is an f32 tensor.
fn float_shape(outlet: &Outlet) -> Option<&[i64]> {
    match outlet.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } => Some(shape),
        _ => None,
    }
}

fn check_input(inputs: &[Outlet], name: &str, size: Size) -> Result<(), String> {
    let outlet = inputs
        .iter()
        .find(|i| i.name() == name)
        .ok_or_else(|| format!("the manifest feeds input \"{name}\", the graph has {}", names(inputs)))?;
    if inputs.len() > 1 {
        return Err(format!("the graph has inputs {}, one image is all it gets", names(inputs)));
    }
    let wanted = [1, 3, size.height as i64, size.width as i64];
    let fits = |shape: &[i64]| shape.len() == 4 && shape.iter().zip(wanted).all(|(s, w)| *s == -1 || *s == w);
    match float_shape(outlet) {
        Some(shape) if fits(shape) => Ok(()),
        Some(shape) => Err(format!(
            "input \"{name}\" is f32 {shape:?} (-1: any), an image of {size} is {wanted:?}: choose an input_size the \
             graph takes"
        )),
        None => Err(format!("input \"{name}\" is {:?}, not an f32 tensor", outlet.dtype())),
    }
}

fn check_output(outputs: &[Outlet], name: &str, channels: &[usize], what: &str) -> Result<(), String> {
    let outlet = outputs
        .iter()
        .find(|o| o.name() == name)
        .ok_or_else(|| format!("the manifest reads output \"{name}\", the graph has {}", names(outputs)))?;
    match float_shape(outlet) {
        Some([_, c, _, _]) if *c == -1 || channels.iter().any(|n| *n as i64 == *c) => Ok(()),
        Some([_, c, _, _]) => {
            let wanted = channels.iter().map(usize::to_string).collect::<Vec<_>>().join(" or ");
            Err(format!("output \"{name}\" has {c} channels, expected {wanted} ({what})"))
        }
        Some(shape) => {
            Err(format!("output \"{name}\" is f32 {shape:?}, expected [1, channels, height, width]"))
        }
        None => Err(format!("output \"{name}\" is {:?}, not an f32 tensor", outlet.dtype())),
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

/// A manifest whose stride is not the graph's would misplace every label.
fn check_stride(model: &Model, size: Size, logits: &Output) -> Result<(), String> {
    let sizes = &model.manifest().input_sizes;
    let offered =
        sizes.iter().find(|s| (s.width, s.height) == (size.width, size.height)).unwrap_or(&sizes[0]);
    let near = |input: usize, cells: usize| {
        cells == input / offered.stride || cells == input.div_ceil(offered.stride)
    };
    if near(size.width, logits.width) && near(size.height, logits.height) {
        return Ok(());
    }
    Err(format!(
        "at input {size} the logits are {}x{}, the manifest's stride {} makes {}x{}",
        logits.width,
        logits.height,
        offered.stride,
        size.width.div_ceil(offered.stride),
        size.height.div_ceil(offered.stride)
    ))
}
