//! `open-set segment`: pictures through the node's own walk of a frame, results as files.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use super::Failure;
use super::inputs::{Inputs, Picture};
use super::outputs::Outputs;
use super::progress::Progress;
use super::walk::{Latency, Setup, Walk, WalkArgs};
use crate::assemble::{AssembleError, Assembly};
use crate::config::Parameters;
use crate::frame::{Frame, Size};
use crate::images::Rgb;
use crate::model::Model;
use crate::score::{Counts, Score};
use crate::window::Window;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Images, folders (walked to their leaves) and videos.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// Folder for NAME.labels.png (8-bit labels), NAME.anomaly.npy (f32) and NAME.overlay.jpg.
    #[arg(long)]
    out: PathBuf,
    /// Anomaly score: hybrid, generative (or energy), discriminative, msp, max-logit, entropy, oh-msp; sml and
    /// react need what `open-set fit` finds.
    #[arg(long, default_value_t = Parameters::default().score)]
    score: String,
    /// Divides every logit the score reads.
    #[arg(long, default_value_t = Parameters::default().temperature)]
    temperature: f64,
    /// Scores above it are unknown [default: the manifest's calibration].
    #[arg(long, allow_negative_numbers = true)]
    threshold: Option<f64>,
    /// Size of labels and anomaly: camera or network.
    #[arg(long, alias = "labels-at", default_value_t = Parameters::default().output_size)]
    output_size: String,
    #[command(flatten)]
    walk: WalkArgs,
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
    setup: Option<Setup>,
    #[serde(flatten)]
    decision: Option<Decision<'a>>,
    out: &'a Path,
}

/// What makes a pixel unknown.
#[derive(Debug, Serialize)]
struct Decision<'a> {
    score: Score,
    temperature: f32,
    threshold: f32,
    threshold_origin: &'a str,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Vec<Failure>> {
    let inputs = Inputs::find(&args.inputs)?;
    let mut segmenting = Segmenting::new(args)?;
    let mut progress = Progress::new(inputs.count());
    for Picture { name, source, rgb } in inputs.pictures() {
        let result = rgb.map_err(Into::into).and_then(|rgb| segmenting.segment(&rgb, &args.out.join(name)));
        match result {
            // Of a native size: what is wrong with the options for one picture is so for the run.
            Err(error) if matches!(error.downcast_ref(), Some(AssembleError::Config(_))) => {
                return Err(error);
            }
            result => progress.done(source, result),
        }
    }
    let failures = progress.finish();
    let summary = segmenting.summary(&failures, &args.out);
    if args.json {
        writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&summary)?)?;
    } else {
        write!(std::io::stdout(), "{summary}")?;
    }
    Ok(failures)
}

/// The walk of every picture, and what it came to.
struct Segmenting {
    walk: Walk,
    outputs: Outputs,
    frames: u64,
    counts: Counts,
    latencies_ms: Window,
}

impl Segmenting {
    fn new(args: &Args) -> Result<Self, AssembleError> {
        Ok(Self {
            walk: Walk::new(args.parameters(), Model::load(&args.walk.model)?, false)?,
            outputs: Outputs::default(),
            frames: 0,
            counts: Counts::default(),
            latencies_ms: Window::new(Latency::KEPT),
        })
    }

    /// One picture; its files are called `stem` and their kind.
    fn segment(&mut self, rgb: &Rgb, stem: &Path) -> anyhow::Result<()> {
        let size = Size { width: rgb.width, height: rgb.height };
        let Assembly { pipeline, taxonomy, .. } = self.walk.fitting(size)?;
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
        let decision = self.walk.last().map(|a| a.pipeline.settings()).map(|s| Decision {
            score: s.scoring.score(),
            temperature: s.scoring.temperature(),
            threshold: s.threshold,
            threshold_origin: &s.threshold_origin,
        });
        Summary {
            frames: self.frames,
            failed,
            pixels: self.counts.scored,
            unknown_share: self.counts.unknown_share(),
            latency_ms: Latency::of(&self.latencies_ms),
            setup: self.walk.last().map(Setup::new),
            decision,
            out,
        }
    }
}

impl Args {
    fn parameters(&self) -> Parameters {
        let parameters = self.walk.parameters();
        Parameters {
            score: self.score.clone(),
            temperature: self.temperature,
            threshold_override: self.threshold.unwrap_or(parameters.threshold_override),
            output_size: self.output_size.clone(),
            ..parameters
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
        if let Some(Setup { model, provider, input_size, .. }) = &self.setup {
            write!(f, "\n{model} on {provider} at {input_size}")?;
        }
        if let Some(Decision { score, temperature, threshold, threshold_origin }) = &self.decision {
            let score = score.tempered(*temperature);
            write!(f, "; {score} over {threshold}, {threshold_origin}")?;
        }
        writeln!(f)
    }
}
