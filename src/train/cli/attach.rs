//! `attach-head`: a dataset head for a model from elsewhere.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tch::Device;

use super::training::{set_threads, tell};
use crate::model::InputSizeEntry;
use crate::train::export::attach::{AttachedNetwork, HeadInfo, TrunkInfo};
use crate::train::model::Network;
use crate::train::model::script::ScriptNetwork;
use crate::train::run::{Ending, Report, Start, Stop, Trained, run as train};
use crate::train::settings::{Settings, Written};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The settings of the head's training.
    settings: PathBuf,
    /// The model: its manifest; a bare ONNX file, of which the settings tell the rest; or a TorchScript module, .pt.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Of a bare ONNX file: input pixels a logit, along each axis.
    #[arg(long)]
    stride: Option<usize>,
    /// A head that was trained already, NAME.dataset_head.safetensors: it is put behind an ONNX without training.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["resume", "data", "run"])]
    head: Option<PathBuf>,
    /// Folder that the data sets and negatives of the settings are below.
    #[arg(long, value_name = "DIR", required_unless_present = "head")]
    data: Option<PathBuf>,
    /// The run's folder.
    #[arg(long, value_name = "DIR", required_unless_present = "head")]
    run: Option<PathBuf>,
    /// FOLDER/NAME of the model with its head: NAME.onnx and NAME.yaml are written, or, of a TorchScript module,
    /// NAME.pt and NAME.dataset_head.safetensors.
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Go on where the run in that folder stopped.
    #[arg(long)]
    resume: bool,
    /// The model has dataset logits already: put the new head in their place.
    #[arg(long)]
    replace: bool,
    /// Replace files of that name: thresholds in a manifest are lost.
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let written = Written::read(&args.settings)?;
    set_threads(&written.settings);
    if args.model.extension().is_some_and(|e| e == "pt") {
        script(args, &written)
    } else {
        onnx(args, &written)
    }
}

/// The model stays as it is; its head is trained, unless there is one, and put behind it.
fn onnx(args: &Args, written: &Written) -> anyhow::Result<()> {
    let settings = &written.settings;
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
    let ready = match &args.head {
        Some(head) => {
            let named = tch::Tensor::read_safetensors(head)
                .with_context(|| format!("{} is no head that attach-head wrote", head.display()))?;
            network.parameters().load(&named).with_context(|| head.display().to_string())?;
            true
        }
        None => train_it(args, written, &network)?.ending == Ending::Done,
    };
    if ready {
        let data = settings.export.training.data.clone();
        let info = HeadInfo { data, settings_sha256: written.sha256.clone(), force: args.force };
        let exported = network.write(&info, &args.out)?;
        println!("{}\n{}", exported.onnx.display(), exported.manifest.display());
        eprintln!("{}", exported.parity);
    }
    Ok(())
}

/// Module and head are trained together.
fn script(args: &Args, written: &Written) -> anyhow::Result<()> {
    if args.head.is_some() {
        bail!("--head goes with an ONNX file: export {} to ONNX first", args.model.display());
    }
    let named = |ending: &str| PathBuf::from(format!("{}.{ending}", args.out.display()));
    let (module, head) = (named("pt"), named("dataset_head.safetensors"));
    if let Some(there) = [&module, &head].into_iter().find(|file| file.exists() && !args.force) {
        bail!("{} is there already: another --out, or --force to replace it", there.display());
    }
    let settings = &written.settings;
    let network = ScriptNetwork::open(&args.model, settings.classes.len(), settings.seed, Device::Cpu)?;
    if train_it(args, written, &network)?.ending == Ending::Done {
        let folder = args.out.parent().unwrap_or(Path::new(""));
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        network.save(&module, &head)?;
        println!("{}\n{}", module.display(), head.display());
        eprintln!(
            "next: export {} to ONNX with outputs pre_logits and logits, as it was exported before, then\n  \
             open-set-train attach-head {} --model FILE.onnx --stride {} --head {} --out NAME",
            module.display(),
            args.settings.display(),
            network.stride(),
            head.display()
        );
    }
    Ok(())
}

fn train_it(args: &Args, written: &Written, network: &dyn Network) -> anyhow::Result<Report> {
    let (Some(data), Some(folder)) = (&args.data, &args.run) else { bail!("--data and --run are missing") };
    let start = if args.resume { Start::Resume } else { Start::New { pretrained: None } };
    let stop = Stop::on_signals().context("no handler for SIGINT and SIGTERM")?;
    let report = train(written, &Trained::alone(network), data, folder, &start, &stop)?;
    tell(&report);
    Ok(report)
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
