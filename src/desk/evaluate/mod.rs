//! `open-set evaluate`: a model on a labelled data set, by the benchmarks' own rules.
//!
//! Place: a survey fills the tallies, one per score; the report reads every figure off them.

mod judging;
mod report;
mod table;
mod tally;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::Failure;
use super::data::{Data, DataArgs};
use super::survey::{Judged, survey};
use super::walk::{Walk, WalkArgs};
use crate::config::{ConfigError, Parameters};
use crate::images;
use crate::metrics::reliability::Reliability;
use crate::model::Model;
use crate::score::{Fitted, Score, Scoring, ScoringError};
use judging::{ByDistance, Fold, Judging};
use report::{About, Report};
use tally::{Strata, Tally};

/// Bins of the dataset posterior's reliability: the field's usual number.
const RELIABILITY_BINS: usize = 15;

/// Every known pixel keeps its closed-set label at this threshold: only what is not finite is unknown.
const NEVER: f64 = f32::MAX as f64;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    walk: WalkArgs,
    #[command(flatten)]
    data: DataArgs,
    /// Anomaly scores, comma-separated, or all: those the model gives. The first is the one reported in full.
    #[arg(long, value_delimiter = ',', default_values_t = [Parameters::default().score])]
    score: Vec<String>,
    /// Divides every logit before the score is computed.
    #[arg(long, default_value_t = 1.0)]
    temperature: f64,
    /// Scores above it are unknown [default: the manifest's calibration; where there is none, the one at --tpr of
    /// this very set].
    #[arg(long, allow_negative_numbers = true)]
    threshold: Option<f32>,
    /// Share of anomalous pixels to be found, for the false positive rate there and for thresholds chosen here.
    #[arg(long, default_value_t = 0.95)]
    tpr: f64,
    /// The two-city protocol: the threshold for each fold is chosen on the others, at --tpr; open-set figures are
    /// weighted by images.
    #[arg(long, value_enum, conflicts_with = "threshold")]
    folds: Option<Folds>,
    /// Also AP, AUROC and FPR of each image alone, averaged over the images that have them.
    #[arg(long)]
    per_image: bool,
    /// Also AP and FPR by distance, in bins of 5 m from 5 to 50 m; for data sets that know distances.
    #[arg(long)]
    depth: bool,
    /// Quick: scores are counted in so many bins instead of sorted; the report bounds the error.
    #[arg(long, value_name = "BINS", value_parser = clap::value_parser!(u32).range(2..))]
    histogram: Option<u32>,
    /// Print the report as JSON, or write it to a file and print the table.
    #[arg(long, num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Folds {
    /// What stands before the first _ or / of a frame's id: drive or city.
    ByPrefix,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Vec<Failure>> {
    if !(args.tpr > 0.0 && args.tpr <= 1.0) {
        bail!("--tpr {}: above 0, at most 1", args.tpr);
    }
    if args.threshold.is_some_and(|threshold| !threshold.is_finite()) {
        bail!("--threshold {}: a finite number", args.threshold.unwrap_or_default());
    }
    check_place(args.json.as_deref())?;
    let model = Model::load(&args.walk.model)?;
    let mut data = args.data.open(model.taxonomy())?;
    data.with_depth = args.depth;
    let scorings = args.scorings(&model)?;
    // P(d_out|x), to see whether it means what it says.
    let posterior = Scoring::new(Score::Discriminative, 1.0, Fitted::Nothing)
        .ok()
        .filter(|_| model.manifest().outputs.dataset_logits.is_some());
    let parameters = args.parameters(scorings[0].score());
    let others: Vec<Scoring> = scorings[1..].iter().chain(&posterior).cloned().collect();
    let mut judging = args.judging(&model, &data, scorings, posterior.is_some())?;
    let mut walk = Walk::new(parameters, model, false)?;

    let judge = |frame: &Judged| Ok(judging.frame(frame)?);
    let survey = survey(&data, &mut walk, &others, args.data.max_failures, judge)?;

    let about = About {
        model: walk.model(),
        dataset: args.data.title(),
        given: args.threshold,
        tpr: args.tpr,
        // Of native sizes each frame has its own, and a calibration is for one.
        input_size: walk.last().filter(|_| !walk.is_native()).map(|a| a.pipeline.settings().input_size),
        set: args.data.set(),
    };
    let report = Report::new(judging, survey, about)?;
    publish(&report, args.json.as_deref())?;
    Ok(report.failed)
}

impl Args {
    /// The score that the pipeline itself computes; nothing is unknown to it, so that its labels are the
    /// network's.
    fn parameters(&self, score: Score) -> Parameters {
        Parameters {
            score: score.name().into(),
            temperature: self.temperature,
            threshold_override: NEVER,
            ..self.walk.parameters()
        }
    }

    /// What was asked for, held against what the model gives.
    fn scorings(&self, model: &Model) -> anyhow::Result<Vec<Scoring>> {
        let ready = |score: Score| {
            // Whatever the size: it has no part in this, and a native one is not known yet.
            let parameters = Parameters { input_size: String::new(), ..self.parameters(score) };
            parameters.settings(model).map(|settings| settings.scoring)
        };
        if self.score == ["all"] {
            // Those whose labels are the network's own: one run is enough for all of them.
            let own = Score::ALL.into_iter().filter(|(score, _)| *score != Score::React);
            let given = own.map(|(score, _)| ready(score)).filter(|ready| {
                let not_given = matches!(
                    ready,
                    Err(ConfigError::ClosedSet { .. })
                        | Err(ConfigError::Scoring {
                            source: ScoringError::Unfitted(_) | ScoringError::SmlTemperature(_),
                            ..
                        })
                );
                !not_given
            });
            return Ok(given.collect::<Result<_, _>>()?);
        }
        let named = |name: &String| match Score::from_name(name) {
            Some(score) => Ok(score),
            None => {
                let names = Score::ALL.map(|(_, name)| name).join(", ");
                bail!("--score {name}: choose one of {names}, or all alone")
            }
        };
        let scores = self.score.iter().map(named).collect::<anyhow::Result<Vec<Score>>>()?;
        if scores.len() > 1 && scores.contains(&Score::React) {
            bail!("--score react changes the logits, and with them every other score: evaluate it alone");
        }
        Ok(scores.into_iter().map(ready).collect::<Result<_, _>>()?)
    }

    fn judging(
        &self,
        model: &Model,
        data: &Data,
        scorings: Vec<Scoring>,
        posterior: bool,
    ) -> anyhow::Result<Judging> {
        let prefix = |fold: Option<Folds>, prefix: &str| fold.map_or(String::new(), |_| prefix.to_owned());
        let of_samples: Vec<String> = data.samples.iter().map(|s| prefix(self.folds, s.prefix())).collect();
        let mut names = of_samples.clone();
        names.sort();
        names.dedup();
        if self.folds.is_some() && names.len() < 2 {
            bail!(
                "--folds by-prefix: all frames begin with {}, two folds at least are needed",
                names.join("")
            );
        }
        let classes = model.taxonomy().len();
        let Some(strata) = Strata::new(data.truth, classes, names.len()) else {
            bail!("{} folds of {classes} classes are more than can be told apart", names.len());
        };
        let share = scorings.len();
        let tally = |scoring| Ok((scoring, Tally::new(strata, self.histogram, share)?));
        Ok(Judging {
            strata,
            tallies: scorings.into_iter().map(tally).collect::<anyhow::Result<_>>()?,
            reliability: posterior.then(|| Reliability::new(RELIABILITY_BINS)),
            per_image: self.per_image.then(Vec::new),
            by_distance: self.depth.then(ByDistance::new),
            fold_of: of_samples.iter().map(|of| names.partition_point(|name| name < of)).collect(),
            folds: names.into_iter().map(|name| Fold { name, frames: 0 }).collect(),
            pixels: 0,
            ignored: 0,
            scratch: Vec::new(),
        })
    }
}

/// Whether there is a folder for the report, before it is made.
fn check_place(json: Option<&Path>) -> anyhow::Result<()> {
    let folder = json.filter(|path| *path != Path::new("-")).and_then(Path::parent);
    match folder.filter(|folder| *folder != Path::new("") && !folder.is_dir()) {
        Some(folder) => bail!("--json: {} is no folder: make it first", folder.display()),
        None => Ok(()),
    }
}

/// The report to where it was asked for: a file and the table, or either.
fn publish(report: &Report, json: Option<&Path>) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let text = || serde_json::to_string_pretty(report).map(|text| text + "\n");
    match json {
        Some(path) if path == Path::new("-") => out.write_all(text()?.as_bytes())?,
        Some(path) => {
            // First what cannot fail for want of a folder: a run is not lost for it.
            write!(out, "{report}")?;
            images::write_atomically(path, text()?.as_bytes())?;
        }
        None => write!(out, "{report}")?,
    }
    Ok(())
}
