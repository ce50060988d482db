//! `export`: a checkpoint as ONNX with its manifest.

use std::path::PathBuf;

use tch::Device;

use crate::frame::Size;
use crate::train::export::{self, ExportInfo};
use crate::train::losses::Objective;
use crate::train::model::{Network, Precision, TorchNetwork};
use crate::train::run::checkpoint::Checkpoint;
use crate::train::settings::Written;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of a run: PHASE.safetensors, best-PHASE.safetensors or last.safetensors.
    checkpoint: PathBuf,
    /// FOLDER/NAME of the model: NAME.onnx and NAME.yaml are written.
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Settings whose section export tells what the manifest says; what is learnt by them must be the same.
    /// Without it, the run's own.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Compare file and checkpoint on these images too.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pictures: Vec<PathBuf>,
    /// Replace a manifest that holds thresholds: they are lost.
    #[arg(long)]
    force: bool,
}

const UNTRAINED: &str =
    "its dataset head was not trained yet: scores hybrid, discriminative and oh-msp mean nothing";

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let checkpoint = Checkpoint::read(&args.checkpoint)?;
    let written = match &args.settings {
        Some(file) => Written::read(file)?,
        None => Written::parse(&checkpoint.about.settings)?,
    };
    checkpoint.check_settings(&written)?;
    let settings = &written.settings;
    let network = TorchNetwork::new(settings.spec()?.0, settings.seed, Precision::F32, Device::Cpu)?;
    checkpoint.fill_judged(network.parameters())?;
    let size = |[width, height]: &[usize; 2]| Size { width: *width, height: *height };
    let mut training = settings.export.training.clone();
    let phases = settings.phases.iter().take(settings.phase(&checkpoint.about.phase).map_or(0, |at| at + 1));
    if !phases.map(|phase| &phase.objective).any(Objective::trains_dataset_head) {
        eprintln!("warning: {UNTRAINED}");
        training.data = format!("{}; {UNTRAINED}", training.data.trim_end());
    }
    let info = ExportInfo {
        classes: settings.taxonomy()?,
        input: settings.input(),
        input_sizes: settings.export.input_sizes.iter().map(size).collect(),
        training,
        settings_sha256: written.sha256.clone(),
        pictures: args.pictures.clone(),
        force: args.force,
    };
    let exported = export::export(&network, &info, &args.out)?;
    println!("{}\n{}", exported.onnx.display(), exported.manifest.display());
    eprintln!("{}", exported.parity);
    Ok(())
}
