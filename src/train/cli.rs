//! The command line of `open-set-train`.
//!
//! Results go to stdout, progress and failures to stderr, as the desk's do.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use tch::Device;

use super::data;
use super::export::attach::{AttachedNetwork, HeadInfo, TrunkInfo};
use super::export::{self, ExportError, ExportInfo};
use super::model::weights::{self, Loaded};
use super::model::{Network, Precision, TorchNetwork};
use super::run::checkpoint::{Checkpoint, CheckpointError};
use super::run::{self, Ending, Report, RunError, Start, Stop};
use super::settings::{Settings, Written};
use super::toy;
use crate::frame::Size;
use crate::model::InputSizeEntry;

/// Trains the models that open_set runs.
///
/// Exit status: 0 all done, or stopped by a signal and saved; 1 a training that had begun, or the disk, failed;
/// 2 nothing was begun: the options, the settings or the data are not right.
#[derive(Debug, Parser)]
#[command(name = "open-set-train", version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train as a settings file says; Ctrl-C saves and ends, twice ends at once.
    Run(RunArgs),
    /// Write a checkpoint as ONNX with its manifest.
    Export(ExportArgs),
    /// Give a model from elsewhere, an ONNX with pre_logits, a dataset head, and write both as one.
    ///
    /// The model itself stays as it is. The settings are those of a run without model.network; data, classes and
    /// normalisation are the model's.
    AttachHead(AttachArgs),
    /// Draw scenes and cut-outs, to try the trainer without data.
    Scenes(ScenesArgs),
    /// The two-dimensional example of Fig. 2: three models, three heat-maps in one PNG.
    Toy(ToyArgs),
}

#[derive(Debug, clap::Args)]
struct RunArgs {
    /// The settings, config/train/NAME.yaml.
    settings: PathBuf,
    /// Folder that the data sets and negatives of the settings are below.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The run's folder: checkpoints, log, TensorBoard's events.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
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

#[derive(Debug, clap::Args)]
struct ExportArgs {
    /// Of a run: PHASE.safetensors, best-PHASE.safetensors or last.safetensors.
    checkpoint: PathBuf,
    /// FOLDER/NAME of the model: NAME.onnx and NAME.yaml are written.
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Compare file and checkpoint on these images too.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pictures: Vec<PathBuf>,
    /// Replace a manifest that holds thresholds: they are lost.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, clap::Args)]
struct AttachArgs {
    /// The settings of the head's training.
    settings: PathBuf,
    /// The model: its manifest, or a bare ONNX file, of which the settings tell the rest.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Of a bare ONNX file: input pixels a logit, along each axis.
    #[arg(long)]
    stride: Option<usize>,
    /// Folder that the data sets and negatives of the settings are below.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The run's folder.
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// FOLDER/NAME of the model with its head: NAME.onnx and NAME.yaml are written.
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Go on where the run in that folder stopped.
    #[arg(long)]
    resume: bool,
    /// The model has dataset logits already: put the new head in their place.
    #[arg(long)]
    replace: bool,
    /// Replace a manifest that holds thresholds: they are lost.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, clap::Args)]
struct ScenesArgs {
    /// A data set of layout folder is written there, images/ and labels/, and cutouts/ beside them.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How many scenes.
    #[arg(long, default_value_t = 64)]
    count: usize,
    /// In pixels.
    #[arg(long, num_args = 2, value_names = ["WIDTH", "HEIGHT"], default_values_t = [160, 120])]
    size: Vec<usize>,
    /// The same seed draws the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, clap::Args)]
struct ToyArgs {
    /// The PNG.
    #[arg(long, value_name = "FILE", default_value = "toy.png")]
    out: PathBuf,
    /// Of the points and of the networks.
    #[arg(long, default_value_t = toy::SEED)]
    seed: u64,
}

/// Does what the command line says.
///
/// # Errors
/// Whatever ended it; [`exit_code`] tells how it counts.
pub fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    match &cli.command {
        Command::Run(args) => train(args)?,
        Command::Export(args) => export(args)?,
        Command::AttachHead(args) => attach_head(args)?,
        Command::Scenes(args) => {
            let size = [0, 1].map(|i| args.size.get(i).copied().unwrap_or_default());
            data::generated::write(&args.out, args.count, size, args.seed)?;
        }
        Command::Toy(args) => {
            let report = toy::run(&args.out, args.seed)?;
            println!("AUROC on the test outliers, seed {}", args.seed);
            let figures = [
                ("discriminative", report.discriminative),
                ("generative", report.generative),
                ("hybrid", report.hybrid),
            ];
            for (name, auroc) in figures {
                println!("{name:<16} {:>6.2} %", auroc * 100.0);
            }
            println!("{}", report.picture.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn train(args: &RunArgs) -> anyhow::Result<()> {
    let written = Written::read(&args.settings)?;
    let settings = &written.settings;
    set_threads(settings);
    let (spec, made_of) = settings.spec()?;
    let network = TorchNetwork::new(spec, settings.seed, made_of.precision, args.device)?;
    let start = match (&args.init, &args.phase) {
        _ if args.resume => Start::Resume,
        (Some(checkpoint), Some(phase)) => {
            Start::From { checkpoint: checkpoint.clone(), phase: phase.clone() }
        }
        _ => Start::New,
    };
    let pretrained = args.pretrained.as_ref().or(made_of.pretrained.as_ref());
    if let Some(file) = pretrained.filter(|_| start == Start::New) {
        let Loaded { taken, dropped } = weights::load_pretrained(&network, file)?;
        let without =
            if dropped.is_empty() { String::new() } else { format!(", without {}", dropped.join(", ")) };
        eprintln!("{}: {taken} tensors of the encoder{without}", file.display());
    }
    let stop = Stop::on_signals().context("no handler for SIGINT and SIGTERM")?;
    let report = run::run(&written, &network, &args.data, &args.out, &start, &stop)?;
    tell(&report);
    Ok(())
}

fn set_threads(settings: &Settings) {
    let cores = || std::thread::available_parallelism().map_or(1, |n| n.get());
    let threads = if settings.threads == 0 { cores() } else { settings.threads };
    tch::set_num_threads(threads as i32); // 1024 at most
}

fn attach_head(args: &AttachArgs) -> anyhow::Result<()> {
    let written = Written::read(&args.settings)?;
    let settings = &written.settings;
    set_threads(settings);
    let (seed, threads) = (settings.seed, settings.threads);
    let trunk = args.stride.map(|stride| trunk(settings, stride)).transpose()?;
    let network = AttachedNetwork::open(&args.model, trunk.as_ref(), args.replace, seed, threads)?;
    let of_model: Vec<&str> = network.manifest().classes.iter().map(|c| c.name.as_str()).collect();
    let of_settings: Vec<&str> = settings.classes.iter().map(|c| c.name.as_str()).collect();
    if of_model != of_settings {
        bail!(
            "the model's classes are {}, the settings' {}: the same, in the model's order",
            of_model.join(", "),
            of_settings.join(", ")
        );
    }
    let fed = (settings.model.mean, settings.model.std);
    if network.normalisation() != fed {
        bail!("the model's mean and std are {:?}, the settings' {fed:?}: the same", network.normalisation());
    }
    let start = if args.resume { Start::Resume } else { Start::New };
    let stop = Stop::on_signals().context("no handler for SIGINT and SIGTERM")?;
    let report = run::run(&written, &network, &args.data, &args.run, &start, &stop)?;
    tell(&report);
    if report.ending == Ending::Done {
        let data = settings.export.training.data.clone();
        let info = HeadInfo { data, settings_sha256: written.sha256.clone(), force: args.force };
        let exported = network.write(&info, &args.out)?;
        println!("{}\n{}", exported.onnx.display(), exported.manifest.display());
        eprintln!("{}", exported.parity);
    }
    Ok(())
}

/// What a bare ONNX file does not say of itself.
fn trunk(settings: &Settings, stride: usize) -> anyhow::Result<TrunkInfo> {
    let size = |&[width, height]: &[usize; 2]| InputSizeEntry { width, height, stride };
    Ok(TrunkInfo {
        classes: settings.taxonomy()?,
        input: settings.input(),
        input_sizes: settings.export.input_sizes.iter().map(size).collect(),
        training: settings.export.training.clone(),
    })
}

fn tell(report: &Report) {
    if let Some(verdict) = &report.verdict {
        print!("{verdict}");
    }
    println!("{}", report.checkpoint.display());
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

fn export(args: &ExportArgs) -> anyhow::Result<()> {
    let checkpoint = Checkpoint::read(&args.checkpoint)?;
    let written = Written::parse(&checkpoint.about.settings)?;
    let settings = &written.settings;
    let network = TorchNetwork::new(settings.spec()?.0, settings.seed, Precision::F32, Device::Cpu)?;
    checkpoint.fill_judged(network.parameters())?;
    let size = |[width, height]: &[usize; 2]| Size { width: *width, height: *height };
    let info = ExportInfo {
        classes: settings.taxonomy()?,
        input: settings.input(),
        input_sizes: settings.export.input_sizes.iter().map(size).collect(),
        training: settings.export.training.clone(),
        settings_sha256: written.sha256.clone(),
        pictures: args.pictures.clone(),
        force: args.force,
    };
    let exported = export::export(&network, &info, &args.out)?;
    println!("{}\n{}", exported.onnx.display(), exported.manifest.display());
    eprintln!("{}", exported.parity);
    Ok(())
}

fn device(text: &str) -> anyhow::Result<Device> {
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

/// What ends a training that has begun counts otherwise than what kept it from beginning.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    let begun = match error.downcast_ref() {
        Some(
            RunError::NotFinite { .. }
            | RunError::Write { .. }
            | RunError::Checkpoint(CheckpointError::Write { .. } | CheckpointError::Torch { .. })
            | RunError::Network(_)
            | RunError::Torch(_)
            | RunError::Loss(_)
            | RunError::Judge(_)
            | RunError::Thread(_),
        ) => true,
        Some(_) => false,
        None => error.is::<ExportError>() || error.is::<toy::ToyError>(),
    };
    if begun { ExitCode::FAILURE } else { ExitCode::from(2) }
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
