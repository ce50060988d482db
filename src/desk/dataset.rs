//! `open-set dataset paste`: a labelled data set with foreign objects in it, as a data set of its own.

use std::fmt;
use std::fs;
use std::io::{ErrorKind, Write};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use anyhow::{anyhow, bail, ensure};
use rayon::prelude::*;
use serde::Serialize;

use super::Failure;
use super::data::names;
use super::progress::Progress;
use crate::VERSION;
use crate::dataset::paste::{self, Cutout, Cutouts, Object, Pasted, Scene, Settings};
use crate::dataset::{Classes, Dataset, Loaded, Options, Sample};
use crate::images::{self, ImagesError, Rgb};

/// Classes that things stand on, as data sets call them.
const GROUND: [&str; 5] = ["road", "road line", "street", "pavement", "sidewalk"];

/// The record beside the pictures.
const RECORD: &str = "paste.json";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The data set.
    #[arg(long, value_name = "NAME", value_parser = names())]
    dataset: String,
    /// Its folder.
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// Which part of it [default: the one marked above].
    #[arg(long)]
    split: Option<String>,
    /// Number of known classes, K; for the data set `folder`, whose labels do not say.
    #[arg(long, value_name = "K")]
    classes: Option<u8>,
    /// Folder of PNGs with alpha, one object each (walked to its leaves).
    #[arg(long, value_name = "DIR")]
    cutouts: PathBuf,
    /// A folder that is empty or not there yet. Until the set is whole it is called OUT.part, and stays so where
    /// an input failed.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What all choices follow from.
    #[arg(long, value_name = "N")]
    seed: u64,
    /// Share of the frames that stay without objects.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = share)]
    clean: f64,
    /// Objects in each other frame, LEAST..MOST.
    #[arg(long, value_name = "RANGE", default_value = "1..2", value_parser = range::<u32>)]
    objects: RangeInclusive<u32>,
    /// Longer side of an object over the height of the horizon above its foot, LOW..HIGH: on a flat road,
    /// its size in heights of the camera.
    #[arg(long, value_name = "RANGE", default_value = "0.25..1.25", value_parser = range::<f64>)]
    scale: RangeInclusive<f64>,
    /// The horizon's row, as a share of the height.
    #[arg(long, value_name = "SHARE", default_value_t = 0.45, value_parser = share)]
    horizon: f64,
    /// The first frames only.
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
}

/// What `paste.json` says: enough to trace every object, and to make the set again.
#[derive(Debug, Serialize)]
struct Record<'a> {
    tool: &'static str,
    version: &'static str,
    seed: u64,
    clean: f64,
    #[serde(flatten)]
    settings: &'a Settings,
    source: Source<'a>,
    /// As `sha256sum --check` takes them.
    cutouts: &'a [String],
    frames: Vec<Frame<'a>>,
}

#[derive(Debug, Serialize)]
struct Source<'a> {
    dataset: &'a str,
    split: Option<&'a str>,
    classes: u8,
    /// Of the frames below and their truth.
    set_hash: String,
}

#[derive(Debug, Serialize)]
struct Frame<'a> {
    id: &'a str,
    clean: bool,
    objects: Vec<Object>,
    #[serde(skip)]
    hash_lines: String,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Vec<Failure>> {
    let settings = Settings::new(args.objects.clone(), args.scale.clone(), args.horizon)?;
    let options =
        Options { split: args.split.clone(), classes: args.classes.map(usize::from), ..Options::default() };
    let dataset = Dataset::open(&args.dataset, &args.root, &options)?;
    let (classes, ground) = classes(&dataset, args.classes)?;
    let cutouts = Cutouts::read(&args.cutouts)?;
    let place = Place::make(args)?;
    for (file, what) in &cutouts.left_out {
        eprintln!("left out: {file} is no cut-out, {what}");
    }

    let samples = dataset.samples();
    let samples = &samples[..args.limit.map_or(samples.len(), |limit| limit.get().min(samples.len()))];
    let ids: Vec<&str> = samples.iter().map(|sample| sample.id.as_str()).collect();
    let clean = paste::clean(&ids, args.clean, args.seed);
    let mut progress = Progress::new(Some((samples.len() + cutouts.failed.len()) as u64));
    for (file, error) in cutouts.failed {
        progress.done(file, Err(error.into()));
    }

    let maker = Maker {
        dataset: &dataset,
        classes,
        ground,
        cutouts: &cutouts.found,
        settings: &settings,
        seed: args.seed,
        folder: &place.part,
    };
    let progress = Mutex::new(progress);
    let frames: Vec<Frame<'_>> = samples
        .par_iter()
        .zip(clean)
        .filter_map(|(sample, clean)| {
            let made = maker.make(sample, clean);
            let (frame, result) = made.map_or_else(|error| (None, Err(error)), |frame| (Some(frame), Ok(())));
            let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
            progress.done(sample.image.display().to_string(), result);
            frame
        })
        .collect();
    let failures = progress.into_inner().unwrap_or_else(PoisonError::into_inner).finish();

    let mut set_hash = dataset.start_hash();
    frames.iter().for_each(|frame| set_hash.add(&frame.hash_lines));
    let split = args.split.as_deref();
    let source = Source { dataset: dataset.name(), split, classes, set_hash: set_hash.finish() };
    let record = Record {
        tool: "open-set dataset paste",
        version: VERSION,
        seed: args.seed,
        clean: args.clean,
        settings: &settings,
        source,
        cutouts: &cutouts.hash_lines,
        frames,
    };
    images::write_atomically(&place.part.join(RECORD), &serde_json::to_vec_pretty(&record)?)?;
    let part = place.part.display();
    ensure!(
        !record.is_in_vain(),
        "no frame had ground to stand on for an object of a size that can be seen, so none has one ({part} is \
         left): is the --horizon too low, or the --scale too small?"
    );
    if failures.is_empty() {
        place.finish()?;
        writeln!(std::io::stdout(), "{}: {record}", args.out.display())?;
    } else {
        eprintln!("{part} keeps its name: the set is not whole without what failed");
        writeln!(std::io::stdout(), "{part}: {record}")?;
    }
    Ok(failures)
}

/// K, and the ids of the classes that things stand on.
fn classes(dataset: &Dataset, given: Option<u8>) -> anyhow::Result<(u8, Vec<u8>)> {
    let name = dataset.name();
    match (dataset.classes(), given) {
        (Classes::Named(names), _) => {
            let stands = |name: &str| GROUND.contains(&name.to_lowercase().as_str());
            let ground = (0..).zip(names).filter(|(_, name)| stands(name)).map(|(id, _)| id).collect();
            Ok((u8::try_from(names.len())?, ground))
        }
        (Classes::Model, Some(classes)) => Ok((classes, Vec::new())),
        (Classes::Model, None) => {
            bail!("the labels of {name} do not say how many classes there are: give --classes")
        }
        (Classes::Binary, _) => {
            bail!("{name} knows anomalies but no classes: K+1 labels need a set with classes")
        }
    }
}

/// Where the set goes: it is made beside its place, so that a run that is killed leaves none that reads as whole.
struct Place {
    /// With links resolved.
    out: PathBuf,
    part: PathBuf,
}

impl Place {
    /// Makes `OUT.part`. Errors are the option's, not the disk's: nothing is begun yet.
    fn make(args: &Args) -> anyhow::Result<Self> {
        let typed = args.out.display();
        let cannot = |error| anyhow!("cannot write to {typed}: {error}");
        let out = real(&args.out).map_err(cannot)?;
        for (option, folder) in [("--root", &args.root), ("--cutouts", &args.cutouts)] {
            let inside = out.starts_with(real(folder).map_err(cannot)?);
            ensure!(
                !inside,
                "--out {typed} lies in {option} {}: what is read stays as it is",
                folder.display()
            );
        }
        match fs::read_dir(&out) {
            Ok(mut entries) => {
                // Two sets in one folder would be neither.
                ensure!(entries.next().is_none(), "{typed} is not empty: give a folder for this set alone");
                // Now and not at the end, so that what can never be replaced is told before the first frame.
                fs::remove_dir(&out).map_err(cannot)?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound && !out.is_symlink() => {}
            Err(error) => return Err(cannot(error)),
        }
        let part = out.with_added_extension("part");
        ensure!(part != out, "--out {typed} names no folder");
        let made = out.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::create_dir(&part));
        made.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                anyhow!("{} is there: an earlier run left it, not whole; remove it", part.display())
            }
            _ => cannot(error),
        })?;
        Ok(Self { out, part })
    }

    /// The set is whole.
    fn finish(self) -> Result<(), ImagesError> {
        let Self { out, part } = self;
        fs::rename(&part, &out).map_err(|source| ImagesError::Unwritable { path: out, source })
    }
}

/// The path without links, as far as it is there.
fn real(path: &Path) -> std::io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let there = path.ancestors().find_map(|folder| Some((folder, folder.canonicalize().ok()?)));
    let missing = |folder| path.strip_prefix(folder).unwrap_or(Path::new("")).components();
    Ok(there.map_or(path.clone(), |(folder, real)| real.components().chain(missing(folder)).collect()))
}

/// All that a frame is made of but the frame.
struct Maker<'a> {
    dataset: &'a Dataset,
    classes: u8,
    ground: Vec<u8>,
    cutouts: &'a [Cutout],
    settings: &'a Settings,
    seed: u64,
    folder: &'a Path,
}

impl Maker<'_> {
    /// Reads, pastes, writes.
    fn make<'s>(&self, sample: &'s Sample, clean: bool) -> anyhow::Result<Frame<'s>> {
        let Loaded { rgb, truth, hash_lines } = self.dataset.read(sample)?;
        let scene = Scene { rgb: &rgb, labels: &truth.labels, classes: self.classes, ground: &self.ground };
        let pasted = if clean {
            Pasted { labels: truth.labels, objects: Vec::new(), rgb }
        } else {
            let mut rng = paste::generator(self.seed, &sample.id);
            paste::paste(&scene, self.cutouts, self.settings, &mut rng)?
        };
        self.write(&sample.id, &pasted)?;
        Ok(Frame { id: &sample.id, clean, objects: pasted.objects, hash_lines })
    }

    fn write(&self, id: &str, pasted: &Pasted) -> anyhow::Result<()> {
        let Rgb { width, height, ref data } = pasted.rgb;
        let mut encoded = Vec::new();
        images::encode_png_rgb(data, width, height, &mut encoded)?;
        self.put("images", id, &encoded)?;
        images::encode_png_gray(&pasted.labels, width, height, &mut encoded)?;
        self.put("labels", id, &encoded)?;
        images::encode_png_gray(&paste::ood(&pasted.labels, self.classes), width, height, &mut encoded)?;
        self.put("ood", id, &encoded)
    }

    fn put(&self, kind: &str, id: &str, png: &[u8]) -> anyhow::Result<()> {
        let path = self.folder.join(kind).join(format!("{id}.png"));
        let folder = path.parent().unwrap_or(&path);
        fs::create_dir_all(folder)
            .map_err(|source| ImagesError::Unwritable { path: folder.into(), source })?;
        Ok(images::write_atomically(&path, png)?)
    }
}

impl Record<'_> {
    /// Frames that were to have objects and have none.
    fn bare(&self) -> usize {
        self.frames.iter().filter(|frame| !frame.clean && frame.objects.is_empty()).count()
    }

    /// Objects were wanted, and there are none.
    fn is_in_vain(&self) -> bool {
        self.bare() > 0 && self.frames.iter().all(|frame| frame.objects.is_empty())
    }
}

impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clean = self.frames.iter().filter(|frame| frame.clean).count();
        let objects: usize = self.frames.iter().map(|frame| frame.objects.len()).sum();
        let (frames, bare, cutouts) = (self.frames.len(), self.bare(), self.cutouts.len());
        write!(f, "{frames} frames, {clean} of them clean, {bare} without a place for an object; ")?;
        write!(f, "{objects} objects of {cutouts} cut-outs")
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("not a share, 0 to 1".into()) }
}

/// `LOW..HIGH` with both ends in it, or one value.
fn range<T: FromStr + Clone>(text: &str) -> Result<RangeInclusive<T>, String> {
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    let number = |text: &str| text.parse().map_err(|_| format!("\"{text}\" is no such number"));
    Ok(number(low)?..=number(high)?)
}
