//! A session whose input and outputs are bound to tensors that live as long as it does: who fills the input
//! writes where the network reads, who reads an output reads where the network wrote.

use super::assignment;
use crate::config::{Provider, RuntimeSettings};
use crate::score::Logits;
use crate::segmenter::SegmentError;
use ort::environment::Environment;
use ort::ep::{self, ExecutionProviderDispatch};
use ort::memory::Allocator;
use ort::session::{IoBinding, Session};
use ort::value::Tensor;
use std::path::Path;

/// What sessions of one model are made with.
pub(super) struct Starter<'a> {
    pub(super) environment: Environment,
    pub(super) settings: &'a RuntimeSettings,
    /// The model's manifest, for errors.
    pub(super) path: String,
}

/// A session and its input.
pub(super) struct Bound {
    session: Session,
    binding: IoBinding,
    input: Tensor<f32>,
    input_name: String,
    /// Whether binding copies the input to another device, so that each run must bind it anew.
    copies_input: bool,
}

/// An output's tensor: `[1, channels, height, width]`.
pub(super) struct Output {
    tensor: Tensor<f32>,
    channels: usize,
    height: usize,
    width: usize,
}

impl Starter<'_> {
    /// A session on the providers asked for, all of them.
    ///
    /// # Errors
    /// A provider that is not there, or bytes that do not load.
    pub(super) fn session(&self, onnx: &[u8]) -> Result<Session, SegmentError> {
        let Self { environment, settings, .. } = self;
        let load = |e: String| self.load(e);
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
            .commit_from_memory(onnx)
            .map_err(|e| load(e.to_string()))
    }

    /// Runs the session once on an input of zeros, which tells the outputs' sizes (a dynamic graph does not
    /// state them) and what it runs on, and binds input and outputs. Outputs not asked for are not computed
    /// into memory.
    ///
    /// # Errors
    /// A run that fails, an output of another shape than outputs have, a provider that ran nothing.
    pub(super) fn start<const N: usize>(
        &self,
        mut session: Session,
        (input_name, shape): (&str, [usize; 4]),
        names: [Option<&str>; N],
    ) -> Result<(Bound, [Option<Output>; N], String), SegmentError> {
        let contract = |mismatch: String| SegmentError::Contract { path: self.path.clone(), mismatch };
        let failed = |e: ort::Error| SegmentError::Run(e.to_string());
        let allocator = Allocator::default();
        let mut input = Tensor::<f32>::new(&allocator, shape).map_err(failed)?;
        input.extract_tensor_mut().1.fill(0.0);
        let mut outputs = [(); N].map(|()| None);
        {
            let [_, _, height, width] = shape;
            let came = session
                .run(ort::inputs![input_name => &input])
                .map_err(|e| self.load(format!("a run at {width}x{height} fails: {e}")))?;
            for (output, name) in outputs.iter_mut().zip(names) {
                let Some(name) = name else { continue };
                let value = came.get(name).ok_or_else(|| contract(format!("no output {name}")))?;
                let (shape, _) = value.try_extract_tensor::<f32>().map_err(failed)?;
                *output = Some(Output::new(&allocator, name, shape).map_err(contract)?);
            }
        }
        let provider = self.provider_in_use(&mut session)?;
        let mut bound = Bound {
            binding: session.create_binding().map_err(failed)?,
            session,
            input,
            input_name: input_name.into(),
            copies_input: self.settings.providers.iter().any(|p| *p != Provider::Cpu),
        };
        for (output, name) in outputs.iter_mut().zip(names) {
            let (Some(output), Some(name)) = (output, name) else { continue };
            bound.binding.bind_output(name, &mut output.tensor).map_err(failed)?;
        }
        bound.bind_input().map_err(SegmentError::Run)?;
        Ok((bound, outputs, provider))
    }

    /// What ran the first run's nodes. The CPU alone needs no asking.
    fn provider_in_use(&self, session: &mut Session) -> Result<String, SegmentError> {
        let order: Vec<&str> = self.settings.providers.iter().map(|p| p.name()).collect();
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

    fn load(&self, reason: String) -> SegmentError {
        SegmentError::Load { path: self.path.clone(), reason }
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

impl Bound {
    pub(super) fn input(&mut self) -> &mut [f32] {
        self.input.extract_tensor_mut().1
    }

    /// Fills the bound outputs.
    ///
    /// # Errors
    /// What the runtime reports.
    pub(super) fn run(&mut self) -> Result<(), String> {
        if self.copies_input {
            self.bind_input()?;
        }
        self.session.run_binding(&self.binding).map(drop).map_err(|e| e.to_string())
    }

    // On the CPU the session reads the very memory of `input`, which is owned by it: what is written there later
    // is seen. tests/step_golden.rs would fail if a binding ever copied there.
    fn bind_input(&mut self) -> Result<(), String> {
        self.binding.bind_input(self.input_name.as_str(), &self.input).map_err(|e| e.to_string())
    }
}

impl Output {
    /// Of the shape that output `name` came as.
    fn new(allocator: &Allocator, name: &str, shape: &[i64]) -> Result<Self, String> {
        let [1, channels, height, width] = shape else {
            return Err(format!(
                "output \"{name}\" came as {shape:?}, expected [1, channels, height, width]"
            ));
        };
        let side = |v: &i64| usize::try_from(*v).map_err(|_| format!("output \"{name}\" came as {shape:?}"));
        let (channels, height, width) = (side(channels)?, side(height)?, side(width)?);
        let tensor = Tensor::<f32>::new(allocator, [1, channels, height, width])
            .map_err(|e| format!("output \"{name}\": {e}"))?;
        Ok(Self { tensor, channels, height, width })
    }

    pub(super) fn view(&self) -> Logits<'_> {
        let (_, data) = self.tensor.extract_tensor();
        Logits { data, channels: self.channels, height: self.height, width: self.width }
    }
}
