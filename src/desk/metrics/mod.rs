//! `open-set metrics`: any method's score files against labels, by the benchmarks' rules.

mod frame;
mod pairs;
mod report;
mod settings;
mod table;
mod tally;

use std::io::Write;
use std::path::{Path, PathBuf};

use self::frame::FrameError;
use self::pairs::Pair;
use self::report::Report;
use self::settings::{Settings, Track};
use self::tally::Tally;
use super::Failure;
use super::ahead::in_order;
use super::figures::{TPR, Threshold, best_threshold};
use super::progress::Progress;
use crate::images::write_atomically;
use crate::labels::IGNORE;
use crate::metrics::components::Components;

/// What ended a run after it had begun.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    #[error(
        "{failed} frames failed, more than --max-failures {allowed}: without them it is another data set"
    )]
    TooMany { failed: usize, allowed: usize },
    #[error("read once more for its components: {0}; it was read before: do not change files during a run")]
    Changed(#[from] FrameError),
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of score files, one a frame, higher is more anomalous: .npy, .hdf5 (dataset value) or gray .png.
    #[arg(long, value_name = "DIR", required_unless_present = "merge")]
    scores: Option<PathBuf>,
    /// Folder of label PNGs: 0 inlier, 1 anomaly, 255 ignored. Files belong together by name; labels may end in
    /// _labels_semantic or _labels.
    #[arg(long, value_name = "DIR", required_unless_present = "merge")]
    labels: Option<PathBuf>,
    /// The label of pixels that are not judged; older copies of some data sets have 2.
    #[arg(long, value_name = "LABEL", default_value_t = IGNORE, value_parser = ignored)]
    ignore: u8,
    /// Component metrics too (sIoU, PPV, F1*), with the size limits of this track of SegmentMeIfYouCan.
    #[arg(long, value_name = "TRACK")]
    components: Option<Track>,
    /// Scores above it make the components [default: the threshold of the best pixel F1].
    #[arg(long, requires = "components", allow_negative_numbers = true, value_parser = finite)]
    threshold: Option<f32>,
    /// The FPR at this true positive rate too.
    #[arg(long, default_value_t = TPR, value_parser = rate)]
    tpr: f64,
    /// The means of the figures per image too, over images that have both anomalies and inliers.
    #[arg(long)]
    per_image: bool,
    /// The figures by distance too, 5 m each from 5 to 50 m: a folder of PNGs of 16 bits, in 1/256 metre, 0 unknown.
    #[arg(long, value_name = "DIR")]
    depth: Option<PathBuf>,
    /// Quick: count scores in so many bins, and say how far off that can be, instead of sorting them.
    #[arg(long, value_name = "BINS", value_parser = clap::value_parser!(u32).range(2..))]
    histogram: Option<u32>,
    /// Frames that may fail before the run is ended.
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    max_failures: usize,
    /// Save what was measured, for --merge: as FILE and FILE.scores.
    #[arg(long, value_name = "FILE")]
    partial: Option<PathBuf>,
    /// Instead of measuring: the figures of these partial results together.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = [
        "scores", "labels", "ignore", "components", "threshold", "per_image", "depth", "histogram", "max_failures",
    ])]
    merge: Vec<PathBuf>,
    /// The figures as JSON, fractions, to a file or instead of the table.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    json: Option<Option<PathBuf>>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Vec<Failure>> {
    if let Some(file) = &args.partial {
        let folder = file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        anyhow::ensure!(folder.is_dir(), "--partial {}: its folder is not there: make it", file.display());
    }
    let (mut tally, threshold) = match (&args.scores, &args.labels) {
        (Some(scores), Some(labels)) => measure(args, scores, labels)?,
        _ => merge(&args.merge)?,
    };
    if let Some(file) = &args.partial {
        tally.save(file)?;
    }
    let report = Report::new(&mut tally, args.tpr, threshold)?;
    let json = || serde_json::to_string_pretty(&report);
    match &args.json {
        Some(None) => writeln!(std::io::stdout(), "{}", json()?)?,
        Some(Some(file)) => {
            write_atomically(file, json()?.as_bytes())?;
            write!(std::io::stdout(), "{report}")?;
        }
        None => write!(std::io::stdout(), "{report}")?,
    }
    Ok(tally.state.failed)
}

fn merge(files: &[PathBuf]) -> anyhow::Result<(Tally, Option<Threshold>)> {
    let mut merged: Option<Tally> = None;
    for file in files {
        let loaded = Tally::load(file)?;
        match &mut merged {
            Some(merged) => merged.merge(loaded, file)?,
            none => *none = Some(loaded),
        }
    }
    let merged = merged.ok_or_else(|| anyhow::anyhow!("give --scores and --labels, or --merge"))?;
    let threshold = merged.state.settings.threshold.map(Ok);
    Ok((merged, threshold))
}

fn measure(args: &Args, scores: &Path, labels: &Path) -> anyhow::Result<(Tally, Option<Threshold>)> {
    let settings = args.settings()?;
    let pairs = pairs::find(scores, labels, args.depth.as_deref())?;
    let ignore = args.ignore;
    let mut tally = Tally::new(settings.clone())?;
    let read = read_all(&mut tally, &pairs, ignore, args.max_failures)?;
    let threshold = match (settings.components, settings.threshold) {
        (None, _) => None,
        (Some(_), Some(threshold)) => Some(Ok(threshold)),
        (Some(track), None) => {
            let best = best_threshold(&tally.curve(&[])?);
            if let Ok(threshold) = best {
                tally.state.components = components(&read, track, threshold, ignore)?;
            }
            Some(best)
        }
    };
    Ok((tally, threshold))
}

/// All frames into the tally; those that could be read.
fn read_all<'a>(
    tally: &mut Tally,
    pairs: &'a [Pair],
    ignore: u8,
    allowed: usize,
) -> anyhow::Result<Vec<&'a Pair>> {
    let settings = &tally.state.settings.clone();
    let mut progress = Progress::new(Some(pairs.len() as u64));
    let (mut read, mut failed) = (Vec::new(), 0);
    in_order(
        pairs,
        |pair| (pair, frame::read(pair, settings, ignore)),
        |(pair, frame)| {
            let result = match frame {
                Ok(frame) => {
                    read.push(pair);
                    // A disk that is full ends the run.
                    Ok(tally.add(&pair.name, &frame)?)
                }
                Err(error) => {
                    failed += 1;
                    Err(error.into())
                }
            };
            progress.done(pair.name.clone(), result);
            if failed > allowed {
                return Err(MetricsError::TooMany { failed, allowed }.into());
            }
            Ok(())
        },
    )?;
    tally.state.failed = progress.finish();
    Ok(read)
}

/// A second pass over frames that were read before, for a threshold that was not known then.
fn components(pairs: &[&Pair], track: Track, threshold: f32, ignore: u8) -> anyhow::Result<Components> {
    let mut components = Components::default();
    let find = |pair: &&Pair| frame::components(pair, track, threshold, ignore);
    in_order(pairs, find, |found| {
        components.add(&found.map_err(MetricsError::Changed)?);
        Ok(())
    })?;
    Ok(components)
}

impl Args {
    fn settings(&self) -> anyhow::Result<Settings> {
        if self.partial.is_some() && self.components.is_some() && self.threshold.is_none() {
            anyhow::bail!("the best pixel F1 of a part is not that of all: give --threshold with --partial");
        }
        Ok(Settings {
            components: self.components,
            threshold: self.threshold,
            per_image: self.per_image,
            by_distance: self.depth.is_some(),
            histogram: self.histogram,
        })
    }
}

fn ignored(text: &str) -> Result<u8, String> {
    text.parse().ok().filter(|v| [2, IGNORE].contains(v)).ok_or_else(|| "neither 2 nor 255".into())
}

fn finite(text: &str) -> Result<f32, String> {
    text.parse().ok().filter(|v: &f32| v.is_finite()).ok_or_else(|| "not a finite number".into())
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: Option<f64> = text.parse().ok();
    rate.filter(|r| *r > 0.0 && *r <= 1.0)
        .ok_or_else(|| "not a fraction above 0 and up to 1, as 0.95 is".into())
}
