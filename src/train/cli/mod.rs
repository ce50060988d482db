//! The command line of `open-set-train`.
//!
//! Results go to stdout, progress and failures to stderr, as the desk's do.

mod attach;
mod export;
mod flow;
mod training;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::data;
use super::export::ExportError;
use super::run::RunError;
use super::toy;

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
    Run(training::Args),
    /// Write a checkpoint as ONNX with its manifest.
    Export(export::Args),
    /// Give a model from elsewhere, ONNX or TorchScript, a dataset head.
    ///
    /// An ONNX with an output pre_logits stays as it is and gets a head behind it, in a new file. A TorchScript
    /// module (.pt) that returns (pre_logits, logits) is trained along, and written with its head beside it; once
    /// PyTorch has exported it to ONNX, --head attaches that head. The settings are those of a run without
    /// model.network; classes and normalisation are the model's.
    AttachHead(attach::Args),
    /// The normalizing flow that makes negatives, by itself.
    #[command(subcommand)]
    Flow(flow::Command),
    /// Draw scenes and cut-outs, to try the trainer without data.
    Scenes(ScenesArgs),
    /// The two-dimensional example of Fig. 2: three models, three heat-maps in one PNG.
    Toy(ToyArgs),
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
        Command::Run(args) => training::run(args)?,
        Command::Export(args) => export::run(args)?,
        Command::AttachHead(args) => attach::run(args)?,
        Command::Flow(command) => flow::run(command)?,
        Command::Scenes(args) => {
            let size = [0, 1].map(|i| args.size.get(i).copied().unwrap_or_default());
            data::generated::write(&args.out, args.count, size, args.seed)?;
        }
        Command::Toy(args) => {
            tch::set_num_threads(1); // layers this small lose more by being shared than they gain
            let report = toy::run(&args.out, args.seed)?;
            print!("AUROC on the test outliers, seed {}\n{report}", args.seed);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What ends a training that has begun counts otherwise than what kept it from beginning.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    let begun = error.downcast_ref().is_some_and(RunError::is_of_the_run)
        || error.downcast_ref().is_some_and(ExportError::is_of_the_work)
        || error.is::<toy::ToyError>();
    if begun { ExitCode::FAILURE } else { ExitCode::from(2) }
}

#[cfg(test)]
mod tests;
