//! `flow`: the normalizing flow by itself: fitted, shown, measured.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tch::{Device, Kind, Tensor};

use super::training;
use crate::dataset::{self, Dataset, Options};
use crate::images::{Rgb, encode_png_rgb, read_rgb};
use crate::npy;
use crate::train::data::{TrainingSet, generator as random};
use crate::train::detector::{self, Fit};
use crate::train::flow::{Flow, FlowSpec, Noise, bits_per_dimension, dequantise};
use crate::train::generator;
use crate::train::losses::Objective;
use crate::train::model::{Network, TorchNetwork};
use crate::train::negatives::find_pictures;
use crate::train::run::checkpoint::Checkpoint;
use crate::train::settings::Written;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Fit the flow of a settings file whose phases are all of objective generator; as run, with all that it can.
    Pretrain(training::Args),
    /// A picture of samples, of several sizes.
    Samples(SamplesArgs),
    /// Score files by a density fitted to the pre-logits of a segmenter, in generative/ and hybrid/: Table V's last rows.
    /// open-set metrics judges them.
    Detector(DetectorArgs),
    /// Bits per dimension of a data set's images, by whole tiles: how well the flow knows them. And how far from
    /// themselves they come back.
    Bpd(BpdArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct SamplesArgs {
    /// Of a run that has a flow: PHASE.safetensors or last.safetensors.
    checkpoint: PathBuf,
    /// The PNG.
    #[arg(long, value_name = "FILE", default_value = "samples.png")]
    out: PathBuf,
    /// Sides in pixels, a row of samples each; multiples of 8.
    #[arg(long, num_args = 1.., default_values_t = [32, 64, 104])]
    sides: Vec<i64>,
    /// Samples of each size.
    #[arg(long, default_value_t = 8)]
    count: i64,
    /// The same seed draws the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, clap::Args)]
pub(super) struct DetectorArgs {
    /// Of a run: PHASE.safetensors; its segmenter is scored.
    checkpoint: PathBuf,
    /// Folder that the run's data set is below: the density is fitted to its frames.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Pictures to score, each as NAME.npy.
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// Folder of generative/ and hybrid/.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Gradient steps.
    #[arg(long, default_value_t = 1000)]
    steps: u64,
    /// Modules of the density.
    #[arg(long, default_value_t = 8)]
    modules: usize,
    /// Of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, clap::Args)]
pub(super) struct BpdArgs {
    /// As of samples.
    checkpoint: PathBuf,
    /// The data set.
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(dataset::names().map(|(name, _)| name)))]
    dataset: String,
    /// Its folder.
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// Which part of it [default: its first].
    #[arg(long)]
    split: Option<String>,
    /// Side of a tile, a multiple of 8; what is left at the right and at the bottom is not counted.
    #[arg(long, default_value_t = 64)]
    tile: usize,
    /// Only so many images, evenly spread.
    #[arg(long)]
    frames: Option<usize>,
    /// Of the noise.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Pretrain(args) => pretrain(args),
        Command::Samples(args) => samples(args),
        Command::Detector(args) => detector(args),
        Command::Bpd(args) => bpd(args),
    }
}

fn pretrain(args: &training::Args) -> anyhow::Result<()> {
    let phases = Written::read(args.settings())?.settings.phases;
    if let Some(other) = phases.iter().find(|phase| phase.objective != Objective::Generator) {
        bail!(
            "phase {} has another objective than generator: open-set-train run does all phases of a file",
            other.name
        );
    }
    training::run(args)
}

/// The flow of a checkpoint.
fn flow(checkpoint: &Path) -> anyhow::Result<Flow> {
    let checkpoint = Checkpoint::read(checkpoint)?;
    let settings = Written::parse(&checkpoint.about.settings)?.settings;
    let Some(generator::Settings::Flow { preset, .. }) = &settings.generator else {
        bail!("{} is of a run without a flow", checkpoint.path.display());
    };
    let flow = Flow::new(FlowSpec::preset(preset)?, settings.seed, Device::Cpu)?;
    let parameters = flow.parameters().iter().map(|(name, p)| (name.to_owned(), &p.tensor));
    checkpoint.fill("generator", parameters)?;
    Ok(flow)
}

fn samples(args: &SamplesArgs) -> anyhow::Result<()> {
    const GAP: i64 = 4;
    if args.count < 1 || args.sides.iter().any(|side| !(8..=1024).contains(side)) {
        bail!("count {}, sides {:?}: 1 or more, and 8 to 1024", args.count, args.sides);
    }
    let flow = flow(&args.checkpoint)?;
    let largest = args.sides.iter().max().copied().unwrap_or_default();
    let width = GAP + args.count * (largest + GAP);
    let height = GAP + args.sides.iter().map(|side| side + GAP).sum::<i64>();
    let picture = Tensor::f_full([3, height, width], 255.0, (Kind::Float, Device::Cpu))?;
    let mut noise = Noise::new(random(args.seed, ["flow", "samples"], 0));
    let mut top = GAP;
    for side in &args.sides {
        let drawn = tch::no_grad(|| flow.sample(args.count, *side, *side, &mut noise))?;
        for i in 0..args.count {
            let place = picture.f_narrow(1, top, *side)?.f_narrow(2, GAP + i * (largest + GAP), *side)?;
            place.shallow_clone().f_copy_(&drawn.f_get(i)?)?;
        }
        top += side + GAP;
    }
    // As they were before dequantisation.
    let pixels = picture.f_clamp(0.0, 255.0)?.f_floor()?.f_to_kind(Kind::Uint8)?.f_permute([1, 2, 0])?;
    let data = Vec::<u8>::try_from(&pixels.f_contiguous()?.f_flatten(0, -1)?)?;
    let mut bytes = Vec::new();
    encode_png_rgb(&data, width as usize, height as usize, &mut bytes)?;
    crate::atomic::write(&args.out, &bytes)
        .with_context(|| format!("cannot write {}", args.out.display()))?;
    println!("{}", args.out.display());
    Ok(())
}

fn detector(args: &DetectorArgs) -> anyhow::Result<()> {
    if args.steps == 0 || !(1..=64).contains(&args.modules) {
        bail!("steps {}, modules {}: 1 or more, and 1 to 64", args.steps, args.modules);
    }
    let checkpoint = Checkpoint::read(&args.checkpoint)?;
    let settings = Written::parse(&checkpoint.about.settings)?.settings;
    training::set_threads(&settings);
    let (spec, of_network) = settings.spec()?;
    let network = TorchNetwork::new(spec, settings.seed, of_network.precision, Device::Cpu)?;
    checkpoint.fill_judged(network.parameters())?;
    let classes = settings.classes.len();
    let set = TrainingSet::open(&settings.data, &args.data, classes)?;
    let pictures = find_pictures(&args.images)?;
    if pictures.is_empty() {
        bail!("{} holds no picture", args.images.display());
    }
    let normalisation = settings.normalisation();
    let fit = Fit { steps: args.steps, modules: args.modules, seed: args.seed };
    let density = detector::fit(&network, &normalisation, set.dataset(), classes, fit, |step, mean| {
        if step.is_multiple_of(100) || step + 1 == args.steps {
            eprintln!("step {step}: ln p of an inlier's pre-logits {mean:.2}");
        }
    })?;
    for picture in &pictures {
        let rgb = read_rgb(picture)?;
        let scores = detector::score(&network, &normalisation, &density, &rgb)?;
        let name = picture.file_stem().unwrap_or_default().to_string_lossy();
        for (kind, map) in [("generative", &scores.generative), ("hybrid", &scores.hybrid)] {
            let folder = args.out.join(kind);
            let file = folder.join(format!("{name}.npy"));
            let written = std::fs::create_dir_all(&folder)
                .and_then(|()| crate::atomic::write(&file, &npy::encode(map, rgb.height, rgb.width)));
            written.with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    println!("{}", args.out.display());
    Ok(())
}

fn bpd(args: &BpdArgs) -> anyhow::Result<()> {
    if !(8..=2048).contains(&args.tile) {
        bail!("tile is {}: 8 to 2048", args.tile);
    }
    let flow = flow(&args.checkpoint)?;
    let options = Options { split: args.split.clone(), ..Options::default() };
    let dataset = Dataset::open(&args.dataset, &args.root, &options)?;
    let all = dataset.samples();
    let wanted = args.frames.unwrap_or(all.len()).min(all.len());
    let (mut bits, mut tiles, mut off) = (0.0, 0, 0.0f64);
    for i in 0..wanted {
        let loaded = dataset.read(&all[i * all.len() / wanted])?;
        let batch = cut(&loaded.rgb, args.tile)?;
        let count = batch.size().first().copied().unwrap_or_default();
        if count == 0 {
            continue;
        }
        let mut noise = Noise::new(random(args.seed, ["flow", "bpd"], i as u64));
        let _no_grad = tch::no_grad_guard();
        let x = dequantise(&batch, &mut noise)?;
        let encoded = flow.encode(&x, &mut noise)?;
        let of_tiles =
            bits_per_dimension(&encoded.log_likelihood.total()?, (3 * args.tile * args.tile) as i64)?;
        bits += of_tiles.f_sum(Kind::Double)?.f_double_value(&[])?;
        tiles += count;
        let again = flow.decode(&encoded.latents)?;
        off = off.max(again.f_sub(&x)?.f_abs()?.f_max()?.f_double_value(&[])? / 256.0);
    }
    if tiles == 0 {
        bail!("no image of {} has room for a tile of {} pixels", args.root.display(), args.tile);
    }
    println!("{:.4} bits per dimension, {tiles} tiles of {wanted} images", bits / tiles as f64);
    println!("they come back from their latents within {off:.1e} of the range of colours");
    Ok(())
}

/// `[N, 3, tile, tile]`, colours of 0 to 255.
fn cut(rgb: &Rgb, tile: usize) -> anyhow::Result<Tensor> {
    let (columns, rows) = (rgb.width / tile, rgb.height / tile);
    let image = Tensor::f_from_slice(&rgb.data)?.f_view([rgb.height as i64, rgb.width as i64, 3])?;
    let [columns, rows, side] = [columns, rows, tile].map(|n| n as i64);
    let whole = image.f_narrow(0, 0, rows * side)?.f_narrow(1, 0, columns * side)?.f_contiguous()?;
    let tiles = whole.f_view([rows, side, columns, side, 3])?.f_permute([0, 2, 4, 1, 3])?;
    Ok(tiles.f_reshape([rows * columns, 3, side, side])?.f_to_kind(Kind::Float)?)
}
