//! `open-set fit`: what a score has to know of the training set, found on it and put into the manifest.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::{Context, bail};

use super::calibrate::today;
use super::data::DataArgs;
use super::survey::{Judged, Survey, survey};
use super::walk::{Walk, WalkArgs, load_to_renew};
use super::{BrokenOff, Failure};
use crate::config::Parameters;
use crate::dataset;
use crate::frame::Size;
use crate::labels::IGNORE;
use crate::metrics::ranking::{Limits, Ranking};
use crate::model::{Clip, Fit, MaxLogits, Model, PRECISION, Statistics};
use crate::score::Score;
use crate::score::moments::{ClassStatistics, MaxLogitMoments};
use crate::yaml;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    walk: WalkArgs,
    #[command(flatten)]
    data: DataArgs,
    /// The score that needs them.
    #[arg(long, value_enum)]
    score: Kind,
    /// Of react: pre-logits are clipped at the value that so large a share of them does not exceed.
    #[arg(long, default_value_t = 0.99)]
    quantile: f64,
    /// Put the statistics into the manifest, in place of older ones.
    #[arg(long)]
    write: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Mean and deviation of the largest logit, class by class.
    Sml,
    /// The value that pre-logits are clipped at.
    React,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Vec<Failure>> {
    if !(args.quantile > 0.0 && args.quantile < 1.0) {
        bail!("--quantile {}: between 0 and 1, both excluded", args.quantile);
    }
    let model = load_to_renew(&args.walk.model, args.write)?;
    let data_args = args.training_data();
    let data = data_args.open(model.taxonomy())?;
    let unknown = data.unknown(model.taxonomy());
    let parameters = Parameters {
        // Its labels and its map are the largest logit's class and, turned, its value.
        score: Score::MaxLogit.name().into(),
        threshold_override: f64::from(f32::MAX),
        ..args.walk.parameters()
    };
    let mut walk = Walk::new(parameters, model, args.score == Kind::React)?;
    let Some(size) = walk.last().map(|a| a.pipeline.settings().input_size) else {
        bail!("--input-size native: statistics are fitted at one input size; name it");
    };
    if args.write {
        args.check_writable(walk.model(), size)?;
    }

    let mut fitting = Fitting::new(args, walk.model().taxonomy().len());
    let is_known = |truth: u8| truth != IGNORE && truth != unknown;
    let judge = |frame: &Judged| fitting.add(frame, is_known);
    let survey = survey(&data, &mut walk, &[], data_args.max_failures, judge)?;

    let fit = Fit {
        set: data_args.title(),
        set_sha256: survey.set_sha256.clone(),
        frames: survey.frames,
        input_size: size.to_string(),
        precision: PRECISION.into(),
        model_sha256: walk.model().manifest().sha256.clone(),
        date: today()?,
    };
    let found = fitting.statistics(walk.model(), fit)?;
    args.publish(&found, &survey, walk.model())?;
    Ok(survey.failures)
}

impl Args {
    fn score(&self) -> Score {
        match self.score {
            Kind::Sml => Score::Sml,
            Kind::React => Score::React,
        }
    }

    /// The training split where none is named and the set has one.
    fn training_data(&self) -> DataArgs {
        let mut data = self.data.clone();
        if data.split.is_none() && dataset::has_split(&data.dataset, "train") {
            data.split = Some("train".into());
        }
        data
    }

    /// What would be refused after the run is refused before it.
    fn check_writable(&self, model: &Model, size: Size) -> anyhow::Result<()> {
        let manifest = model.manifest();
        if !manifest.input_sizes.iter().any(|s| (s.width, s.height) == (size.width, size.height)) {
            bail!(
                "--input-size {size} is none of the manifest's input_sizes: statistics of it are not written"
            );
        }
        model.check_writable()?;
        match manifest.calibrations.iter().find(|c| c.score == self.score()) {
            Some(calibration) => bail!(
                "the manifest has a threshold of {}, made with the statistics that would be replaced: take that \
                 block out, and calibrate again after fitting",
                calibration.what()
            ),
            None => Ok(()),
        }
    }

    fn publish(&self, found: &Statistics, survey: &Survey, model: &Model) -> anyhow::Result<()> {
        let section = BTreeMap::from([("statistics", found)]);
        write!(std::io::stdout(), "{}", yaml::to_string(&section)?)?;
        if let Some(MaxLogits { pooled, .. }) = &found.sml
            && !pooled.is_empty()
        {
            eprintln!(
                "predicted too rarely for a deviation of their own: {}; they have mean and deviation of all pixels",
                pooled.join(", ")
            );
        }
        let path = model.path().display();
        if !self.write {
            eprintln!("not written: --write puts this into {path}");
            return Ok(());
        }
        if !survey.failures.is_empty() {
            let words = "the manifest stays as it is; statistics are written of a whole set";
            return Err(BrokenOff(format!("{} frames failed: {words}", survey.failures.len())).into());
        }
        model.write_section("statistics", |now| {
            let kept = now.statistics.clone();
            Statistics { sml: found.sml.clone().or(kept.sml), react: found.react.clone().or(kept.react) }
        })?;
        eprintln!("written to {path}");
        Ok(())
    }
}

/// What the frames have come to so far.
enum Fitting {
    Sml(MaxLogitMoments),
    React { quantile: f64, pre_logits: Ranking, strata: Vec<u16> },
}

impl Fitting {
    fn new(args: &Args, classes: usize) -> Self {
        match args.score {
            Kind::Sml => Self::Sml(MaxLogitMoments::new(classes)),
            Kind::React => Self::React {
                quantile: args.quantile,
                pre_logits: Ranking::new(1, Limits::default()),
                strata: Vec::new(),
            },
        }
    }

    /// What is not labelled (outside the region, masked, broken) counts as little as what is not known.
    fn add(&mut self, frame: &Judged, is_known: impl Fn(u8) -> bool) -> anyhow::Result<()> {
        match self {
            Self::Sml(moments) => {
                let pixels = frame.labels.iter().zip(&frame.anomaly).zip(&frame.truth);
                for ((label, score), _) in pixels.filter(|(_, truth)| is_known(**truth)) {
                    moments.add(*label, -score);
                }
            }
            Self::React { pre_logits, strata, .. } => {
                let counts = |pixel: usize| is_known(frame.truth[pixel]) && frame.labels[pixel] != IGNORE;
                let stratum =
                    |pixel: &Option<usize>| if pixel.is_some_and(counts) { 0 } else { Ranking::SKIP };
                strata.clear();
                strata.extend(frame.cells.iter().map(stratum));
                for channel in frame.pre_logits.chunks_exact(strata.len().max(1)) {
                    pre_logits.extend(strata, channel)?;
                }
            }
        }
        Ok(())
    }

    fn statistics(&mut self, model: &Model, fit: Fit) -> anyhow::Result<Statistics> {
        match self {
            Self::Sml(moments) => {
                let ClassStatistics { mean, deviation, pooled } = moments.statistics()?;
                let classes = &model.manifest().classes;
                let pooled = pooled.iter().filter_map(|k| Some(classes.get(*k)?.name.clone())).collect();
                Ok(Statistics { sml: Some(MaxLogits { mean, deviation, pooled, fit }), react: None })
            }
            Self::React { quantile, pre_logits, .. } => {
                let found = pre_logits.quantiles(|_| true, &[*quantile])?;
                let clip = found.and_then(|q| q.first().copied()).context("the set has no known pixel")?;
                if !clip.is_finite() {
                    bail!(
                        "the {quantile} quantile of the pre-logits is {clip}: a network that overflows is not fitted"
                    );
                }
                Ok(Statistics { react: Some(Clip { clip, quantile: *quantile, fit }), sml: None })
            }
        }
    }
}
