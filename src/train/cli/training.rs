//! `run`: a training, from its settings or from where it stopped.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tch::Device;

use crate::train::generator;
use crate::train::model::TorchNetwork;
use crate::train::model::weights::{self, Loaded};
use crate::train::run::checkpoint::Checkpoint;
use crate::train::run::{Ending, Report, Start, Stop, Trained, fill_generator, run as train};
use crate::train::settings::{Settings, Written};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The settings, config/train/NAME.yaml.
    settings: PathBuf,
    /// Folder that the data sets and negatives of the settings are below.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The run's folder: checkpoints, log, TensorBoard's events.
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Go on where the run in that folder stopped.
    #[arg(long, conflicts_with_all = ["init", "phase"])]
    resume: bool,
    /// Begin with the weights of another run's checkpoint.
    #[arg(long, value_name = "CHECKPOINT", requires = "phase")]
    init: Option<PathBuf>,
    /// Begin at this phase.
    #[arg(long, value_name = "NAME", requires = "init")]
    phase: Option<String>,
    /// Weights of the encoder, in place of the file that the settings name.
    #[arg(long, value_name = "FILE")]
    pretrained: Option<PathBuf>,
    /// Where to compute: cpu, cuda or cuda:N.
    #[arg(long, default_value = "cpu", value_parser = device)]
    device: Device,
}

impl Args {
    /// The settings' file.
    pub(super) fn settings(&self) -> &Path {
        &self.settings
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let written = Written::read(&args.settings)?;
    let settings = &written.settings;
    set_threads(settings);
    let (spec, made_of) = settings.spec()?;
    let network = TorchNetwork::new(spec, settings.seed, made_of.precision, args.device)?;
    let of_run = settings.generator.as_ref();
    let generator = of_run.map(|of| generator::open(of, settings.seed, args.device)).transpose()?;
    let pretrained = of_run.and_then(generator::Settings::pretrained);
    // A run that goes on has its generator, and asks for no other file.
    let pretrained = pretrained.filter(|_| !args.resume);
    if let (Some(generator), Some(file)) = (&generator, pretrained) {
        fill_generator(generator.as_ref(), &Checkpoint::read(file)?)?;
        eprintln!("{}: {}", file.display(), generator.identity());
    }
    let start = match (&args.init, &args.phase) {
        _ if args.resume => Start::Resume,
        (Some(checkpoint), Some(phase)) => {
            Start::From { checkpoint: checkpoint.clone(), phase: phase.clone() }
        }
        _ => {
            let file = args.pretrained.as_ref().or(made_of.pretrained.as_ref());
            Start::New { pretrained: file.map(|file| load_pretrained(&network, file)).transpose()? }
        }
    };
    let stop = Stop::on_signals().context("no handler for SIGINT and SIGTERM")?;
    let trained = Trained {
        network: &network,
        generator: generator.as_deref(),
        generator_is_pretrained: pretrained.is_some(),
    };
    let report = train(&written, &trained, &args.data, &args.run, &start, &stop)?;
    tell(&report);
    Ok(())
}

/// Gives the SHA-256 of what the encoder begins with.
fn load_pretrained(network: &TorchNetwork, file: &Path) -> anyhow::Result<String> {
    let (Loaded { taken, dropped }, sha256) = weights::load_pretrained(network, file)?;
    let without =
        if dropped.is_empty() { String::new() } else { format!(", without {}", dropped.join(", ")) };
    eprintln!("{}: {taken} tensors of the encoder{without}", file.display());
    Ok(sha256)
}

/// libtorch's, from now on.
pub(super) fn set_threads(settings: &Settings) {
    let cores = || std::thread::available_parallelism().map_or(1, |n| n.get());
    let threads = if settings.threads == 0 { cores() } else { settings.threads };
    tch::set_num_threads(threads as i32); // 1024 at most
}

/// The last validation and the checkpoint on stdout, how it ended on stderr.
pub(super) fn tell(report: &Report) {
    if let Some(verdict) = &report.verdict {
        print!("{verdict}");
    }
    println!("{}", report.checkpoint.display());
    if report.skipped > 0 {
        eprintln!("{} damaged files were skipped: see the warnings", report.skipped);
    }
    let minutes = report.seconds / 60.0;
    match report.ending {
        Ending::Done => eprintln!("done; {minutes:.1} minutes of training, validations aside"),
        Ending::Stopped => {
            eprintln!(
                "stopped and saved after {minutes:.1} minutes of training; the same with --resume goes on"
            );
        }
    }
}

/// By its name on the command line.
pub(super) fn device(text: &str) -> anyhow::Result<Device> {
    let number = match text.split_once(':') {
        None if text == "cpu" => return Ok(Device::Cpu),
        None if text == "cuda" => 0,
        Some(("cuda", number)) => number.parse().context("cuda:N with a number")?,
        _ => bail!("cpu, cuda or cuda:N"),
    };
    let found = tch::Cuda::device_count();
    if number as i64 >= found {
        bail!(
            "this libtorch sees {found} CUDA devices; a libtorch with CUDA is named by LIBTORCH when building"
        );
    }
    Ok(Device::Cuda(number))
}
