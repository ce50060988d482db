//! The options that say which network runs how, and the pipeline that comes of them.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::assemble::{AssembleError, Assembly, assemble_model};
use crate::config::Parameters;
use crate::frame::Size;
use crate::model::{Model, ModelError};
use crate::window::{Percentiles, Window};

/// The word for "each picture's own size".
const NATIVE: &str = "native";

/// They are parameters of the node as well, and have the node's names, words and defaults.
#[derive(Debug, clap::Args)]
pub(super) struct WalkArgs {
    /// The model's manifest, models/NAME.yaml.
    #[arg(long)]
    pub model: PathBuf,
    /// Network input, WIDTHxHEIGHT, or native: each picture's own size [default: the manifest's first].
    #[arg(long)]
    input_size: Option<String>,
    /// How a picture meets the network input: stretch, letterbox or crop.
    #[arg(long, default_value_t = Parameters::default().fit)]
    fit: String,
    /// Look at this part only: x,y,width,height in the picture's pixels.
    #[arg(long, alias = "roi")]
    region: Option<String>,
    /// PNG of the picture's size whose non-zero pixels are never labelled.
    #[arg(long)]
    mask: Option<PathBuf>,
    /// Execution providers in order, comma-separated: tensorrt, cuda, cpu.
    #[arg(long, alias = "provider", value_delimiter = ',', default_values_t = Parameters::default().providers)]
    providers: Vec<String>,
    /// CPU threads of inference, and as many of scoring, which take turns; 0: all cores.
    #[arg(long, default_value_t = Parameters::default().threads)]
    threads: i64,
    /// Path of libonnxruntime.so [default: ORT_DYLIB_PATH, then the usual places].
    #[arg(long)]
    onnxruntime: Option<PathBuf>,
}

impl WalkArgs {
    /// As typed; score, threshold and output size are the command's to set.
    pub fn parameters(&self) -> Parameters {
        let text = |path: &Path| path.display().to_string();
        let default = Parameters::default();
        Parameters {
            model: text(&self.model),
            input_size: self.input_size.clone().unwrap_or(default.input_size),
            fit: self.fit.clone(),
            region: self.region.clone().unwrap_or(default.region),
            mask: self.mask.as_deref().map(text).unwrap_or(default.mask),
            providers: self.providers.clone(),
            threads: self.threads,
            onnxruntime: self.onnxruntime.as_deref().map(text).unwrap_or(default.onnxruntime),
            ..default
        }
    }
}

/// A pipeline for whatever size comes.
pub(super) struct Walk {
    parameters: Parameters,
    model: Model,
    /// Whether pre-logits are read beside what the score itself reads.
    pre_logits: bool,
    /// The network input takes each picture's size.
    native: bool,
    /// For the input size of the last picture.
    assembly: Option<Assembly>,
}

impl Walk {
    /// Whatever is wrong with the options is found here, before the first picture; of native sizes, at it.
    /// `pre_logits`: they are read beside what the score itself reads.
    pub fn new(parameters: Parameters, model: Model, pre_logits: bool) -> Result<Self, AssembleError> {
        let native = parameters.input_size == NATIVE;
        let assembly = if native { None } else { Some(assemble_model(&parameters, &model, pre_logits)?) };
        Ok(Self { parameters, model, pre_logits, native, assembly })
    }

    /// Whether the network input takes each picture's size.
    pub fn is_native(&self) -> bool {
        self.native
    }

    /// What is run.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The pipeline for a picture of this size.
    pub fn fitting(&mut self, size: Size) -> Result<&mut Assembly, AssembleError> {
        let fits = |a: &Assembly| !self.native || a.pipeline.settings().input_size == size;
        let assembly = match self.assembly.take().filter(fits) {
            Some(assembly) => assembly,
            None => {
                self.parameters.input_size = size.to_string();
                assemble_model(&self.parameters, &self.model, self.pre_logits)?
            }
        };
        Ok(self.assembly.insert(assembly))
    }

    /// The pipeline of the last picture; in a run of native sizes another may have had another.
    pub fn last(&self) -> Option<&Assembly> {
        self.assembly.as_ref()
    }
}

/// The model of a manifest that is to be written to: what was made with another ONNX file is left out, and
/// said.
pub(super) fn load_to_renew(manifest: &Path, write: bool) -> Result<Model, ModelError> {
    let (model, dropped) = Model::load_to_renew(manifest)?;
    let and = if write { ", and taken out of the manifest when that is written" } else { "" };
    for block in dropped {
        eprintln!("{block} was made with another ONNX file: left out{and}");
    }
    Ok(model)
}

/// What results are to be known by, as `--json` prints it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Setup {
    pub model: String,
    pub model_sha256: String,
    pub runtime: String,
    pub provider: String,
    pub input_size: String,
}

impl Setup {
    pub fn new(Assembly { pipeline, identity, .. }: &Assembly) -> Self {
        Self {
            model: identity.model.clone(),
            model_sha256: identity.model_sha256.clone(),
            runtime: identity.runtime.clone(),
            provider: pipeline.provider().into(),
            input_size: pipeline.settings().input_size.to_string(),
        }
    }
}

/// From decoded picture to labels, as `--json` prints it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Latency {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

impl Latency {
    /// How many are kept: more than a desk sees in a day, and 16 MB.
    pub const KEPT: usize = 1_000_000;

    /// `None` without a frame.
    pub fn of(latencies_ms: &Window) -> Option<Self> {
        let Percentiles { p50, p95, p99, max, .. } = latencies_ms.percentiles()?;
        Some(Self { p50, p95, p99, max })
    }
}
