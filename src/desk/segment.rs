//! `open-set segment`: pictures through the node's own walk of a frame, results as files.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use super::Failure;
use super::inputs::{Inputs, Picture};
use super::outputs::Outputs;
use super::progress::Progress;
use crate::assemble::{AssembleError, Assembly, assemble};
use crate::config::Parameters;
use crate::frame::{Frame, Size};
use crate::images::Rgb;
use crate::score::Counts;
use crate::window::{Percentiles, Window};

/// The word for "each picture's own size".
const NATIVE: &str = "native";

/// Latencies are kept of so many frames; more than a desk sees in a day, and 8 MB.
const LATENCIES: usize = 1_000_000;

/// The options that are parameters of the node as well have the node's names, words and defaults.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Images, folders (walked to their leaves) and videos.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// The model's manifest, models/NAME.yaml.
    #[arg(long)]
    model: PathBuf,
    /// Folder for NAME.labels.png (8-bit labels), NAME.anomaly.npy (f32) and NAME.overlay.jpg.
    #[arg(long)]
    out: PathBuf,
    /// Anomaly score: hybrid, generative, discriminative, max-logit or msp.
    #[arg(long, default_value_t = Parameters::default().score)]
    score: String,
    /// Scores above it are unknown [default: the manifest's calibration].
    #[arg(long, allow_negative_numbers = true)]
    threshold: Option<f64>,
    /// Network input, WIDTHxHEIGHT, or native: each picture's own size [default: the manifest's first].
    #[arg(long)]
    input_size: Option<String>,
    /// How a picture meets the network input: stretch, letterbox or crop.
    #[arg(long, default_value_t = Parameters::default().fit)]
    fit: String,
    /// Segment this part only: x,y,width,height in the picture's pixels.
    #[arg(long, alias = "roi")]
    region: Option<String>,
    /// PNG of the picture's size whose non-zero pixels are never labelled.
    #[arg(long)]
    mask: Option<PathBuf>,
    /// Size of labels and anomaly: camera or network.
    #[arg(long, alias = "labels-at", default_value_t = Parameters::default().output_size)]
    output_size: String,
    /// Execution providers in order, comma-separated: tensorrt, cuda, cpu.
    #[arg(long, alias = "provider", value_delimiter = ',', default_values_t = Parameters::default().providers)]
    providers: Vec<String>,
    /// CPU threads of inference, and as many of scoring, which take turns; 0: all cores.
    #[arg(long, default_value_t = Parameters::default().threads)]
    threads: i64,
    /// Path of libonnxruntime.so [default: ORT_DYLIB_PATH, then the usual places].
    #[arg(long)]
    onnxruntime: Option<PathBuf>,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

/// What a run did, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    frames: u64,
    failed: &'a [Failure],
    /// That were scored: inside the region, not masked.
    pixels: u64,
    unknown_share: f64,
    /// From decoded picture to labels; `None` without a frame.
    latency_ms: Option<Latency>,
    /// Of the last frame: in a run of native sizes another may have had another.
    #[serde(flatten)]
    setup: Option<Setup<'a>>,
    out: &'a Path,
}

/// What the labels are to be known by.
#[derive(Debug, Serialize)]
struct Setup<'a> {
    model: &'a str,
    model_sha256: &'a str,
    runtime: &'a str,
    provider: &'a str,
    input_size: String,
    score: &'static str,
    threshold: f32,
    threshold_origin: &'a str,
}

#[derive(Debug, Serialize)]
struct Latency {
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Vec<Failure>> {
    let inputs = Inputs::find(&args.inputs)?;
    let mut walk = Walk::new(args)?;
    let mut progress = Progress::new(inputs.count());
    for Picture { name, source, rgb } in inputs.pictures() {
        let result = rgb.map_err(Into::into).and_then(|rgb| walk.segment(&rgb, &args.out.join(name)));
        match result {
            // Of a native size: what is wrong with the options for one picture is so for the run.
            Err(error) if matches!(error.downcast_ref(), Some(AssembleError::Config(_))) => {
                return Err(error);
            }
            result => progress.done(source, result),
        }
    }
    let failures = progress.finish();
    let summary = walk.summary(&failures, &args.out);
    if args.json {
        writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&summary)?)?;
    } else {
        write!(std::io::stdout(), "{summary}")?;
    }
    Ok(failures)
}

/// The walk of a frame, and what it came to.
struct Walk {
    parameters: Parameters,
    /// The network input takes each picture's size.
    native: bool,
    /// For the input size of the last picture.
    assembly: Option<Assembly>,
    outputs: Outputs,
    frames: u64,
    counts: Counts,
    latencies_ms: Window,
}

impl Walk {
    /// Whatever is wrong with the options is found here, before the first picture; of native sizes, at it.
    fn new(args: &Args) -> Result<Self, AssembleError> {
        let parameters = args.parameters();
        let native = parameters.input_size == NATIVE;
        Ok(Self {
            assembly: if native { None } else { Some(assemble(&parameters)?) },
            parameters,
            native,
            outputs: Outputs::default(),
            frames: 0,
            counts: Counts::default(),
            latencies_ms: Window::new(LATENCIES),
        })
    }

    /// One picture; its files are called `stem` and their kind.
    fn segment(&mut self, rgb: &Rgb, stem: &Path) -> anyhow::Result<()> {
        let size = Size { width: rgb.width, height: rgb.height };
        let Assembly { pipeline, taxonomy, .. } = match &mut self.assembly {
            Some(fits) if !self.native || fits.pipeline.settings().input_size == size => fits,
            other => {
                self.parameters.input_size = size.to_string();
                other.insert(assemble(&self.parameters)?)
            }
        };
        let frame = Frame::rgb8(rgb.width, rgb.height, &rgb.data)?;

        let began = Instant::now();
        let counts = pipeline.step(&frame, &mut |_| ())?.counts;
        self.latencies_ms.push(began.elapsed().as_secs_f64() * 1e3);

        self.outputs.write(stem, rgb, pipeline, taxonomy)?;
        self.counts += counts;
        self.frames += 1;
        Ok(())
    }

    fn summary<'a>(&'a self, failed: &'a [Failure], out: &'a Path) -> Summary<'a> {
        let latency = |p: Percentiles| Latency { p50: p.p50, p95: p.p95, p99: p.p99, max: p.max };
        Summary {
            frames: self.frames,
            failed,
            pixels: self.counts.scored,
            unknown_share: self.counts.unknown_share(),
            latency_ms: self.latencies_ms.percentiles().map(latency),
            setup: self.assembly.as_ref().map(Setup::new),
            out,
        }
    }
}

impl<'a> Setup<'a> {
    fn new(Assembly { pipeline, identity, .. }: &'a Assembly) -> Self {
        let settings = pipeline.settings();
        Self {
            model: &identity.model,
            model_sha256: &identity.model_sha256,
            runtime: &identity.runtime,
            provider: pipeline.provider(),
            input_size: settings.input_size.to_string(),
            score: settings.score.name(),
            threshold: settings.threshold,
            threshold_origin: &settings.threshold_origin,
        }
    }
}

impl Args {
    fn parameters(&self) -> Parameters {
        let text = |path: &Path| path.display().to_string();
        let default = Parameters::default();
        Parameters {
            model: text(&self.model),
            score: self.score.clone(),
            threshold_override: self.threshold.unwrap_or(default.threshold_override),
            input_size: self.input_size.clone().unwrap_or(default.input_size),
            fit: self.fit.clone(),
            region: self.region.clone().unwrap_or(default.region),
            mask: self.mask.as_deref().map(text).unwrap_or(default.mask),
            output_size: self.output_size.clone(),
            providers: self.providers.clone(),
            threads: self.threads,
            onnxruntime: self.onnxruntime.as_deref().map(text).unwrap_or(default.onnxruntime),
            ..Parameters::default()
        }
    }
}

impl std::fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} frames", self.out.display(), self.frames)?;
        if !self.failed.is_empty() {
            write!(f, ", {} failed", self.failed.len())?;
        }
        if let Some(latency) = &self.latency_ms {
            write!(f, "; unknown {:.2} %", self.unknown_share * 100.0)?;
            write!(f, "; latency p50 {:.1} ms, p99 {:.1} ms", latency.p50, latency.p99)?;
        }
        if let Some(Setup { model, provider, input_size, score, threshold, threshold_origin, .. }) =
            &self.setup
        {
            write!(
                f,
                "\n{model} on {provider} at {input_size}; {score} over {threshold}, {threshold_origin}"
            )?;
        }
        writeln!(f)
    }
}
