//! `open-set calibrate`: chooses the threshold of a score on a labelled set and puts it into the manifest.

use std::io::Write;
use std::time::SystemTime;

use anyhow::{Context, bail};
use serde::Serialize;

use super::data::DataArgs;
use super::survey::{Judged, Survey, survey};
use super::walk::{Walk, WalkArgs};
use super::{BrokenOff, Failure};
use crate::calibrate::{ASSUMPTIONS, Anomalies, confident_miss_rate, expected_miss_rate};
use crate::config::Parameters;
use crate::labels::IGNORE;
use crate::metrics::ranking::{Limits, Ranking, Side};
use crate::model::{Calibration, Method, PRECISION, ScoreHistogram};

/// Strata of the pixels: what the set knows, what is anomalous, what it does not annotate.
const KNOWN: u16 = 0;
const ANOMALOUS: u16 = 1;
const UNLABELLED: u16 = 2;

/// Bins of the stored histogram, of equal share on the calibration set.
const BINS: usize = 16;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    walk: WalkArgs,
    #[command(flatten)]
    data: DataArgs,
    /// Anomaly score to choose the threshold of.
    #[arg(long, default_value_t = Parameters::default().score)]
    score: String,
    /// Divides every logit before the score is computed.
    #[arg(long, default_value_t = 1.0)]
    temperature: f64,
    /// Share of anomalous pixels to be found [default: 0.95].
    #[arg(long, conflicts_with = "alpha")]
    tpr: Option<f64>,
    /// How the threshold is chosen.
    #[arg(long, value_enum, default_value_t = How::Empirical)]
    method: How,
    /// Conformal: the share of an image's anomalous pixels that may be missed, in expectation over new images
    /// [default: 1 - tpr].
    #[arg(long)]
    alpha: Option<f64>,
    /// Conformal: not in expectation, but with probability 1 - DELTA over the calibration set.
    #[arg(long)]
    delta: Option<f64>,
    /// Put the threshold into the manifest, in place of an older one of its kind.
    #[arg(long)]
    write: bool,
    /// Print what was chosen as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum How {
    /// The largest threshold that finds --tpr of the set's anomalous pixels, all images pooled. Promises nothing
    /// of other images.
    Empirical,
    /// The largest threshold whose miss rate on new images is bounded by --alpha: conformal risk control, or, with
    /// --delta, a risk-controlling prediction set. Holds for images exchangeable with the calibration set: the same
    /// camera, roads, weather and kinds of objects; says nothing of another drive, and nothing of single objects.
    Conformal,
}

impl Args {
    fn tpr(&self) -> f64 {
        self.tpr.unwrap_or(0.95)
    }

    /// What would be refused after the run is refused before it.
    fn check_writable(&self, walk: &Walk) -> anyhow::Result<()> {
        let settings = walk.last().map(|a| a.pipeline.settings()).context("no pipeline")?;
        let size = settings.input_size;
        let sizes = &walk.model().manifest().input_sizes;
        if !sizes.iter().any(|s| (s.width, s.height) == (size.width, size.height)) {
            bail!(
                "--input-size {size} is none of the manifest's input_sizes: a threshold of it is not written"
            );
        }
        if settings.region.is_some() || self.walk.parameters().fit != Parameters::default().fit {
            bail!(
                "a manifest's threshold is for whole pictures in the usual fit: without --region and --fit, or without --write"
            );
        }
        Ok(walk.model().check_writable()?)
    }
}

/// The survey's scores, and the images' own for a bound over images.
struct Scores {
    ranking: Ranking,
    anomalies: Anomalies,
    strata: Vec<u16>,
}

impl Scores {
    fn new() -> Self {
        let ranking = Ranking::new(3, Limits::default());
        Self { ranking, anomalies: Anomalies::default(), strata: Vec::new() }
    }

    fn add(&mut self, frame: &Judged, unknown: u8) -> anyhow::Result<()> {
        let stratum = |(truth, label): (&u8, &u8)| match (*truth, *label) {
            (_, IGNORE) => Ranking::SKIP, // not looked at
            (IGNORE, _) => UNLABELLED,
            (truth, _) if truth == unknown => ANOMALOUS,
            _ => KNOWN,
        };
        self.strata.clear();
        self.strata.extend(frame.truth.iter().zip(&frame.labels).map(stratum));
        let anomalous = self.strata.iter().zip(&frame.anomaly).filter(|(s, _)| **s == ANOMALOUS);
        self.anomalies.add(anomalous.map(|(_, score)| *score).collect());
        Ok(self.ranking.extend(&self.strata, &frame.anomaly)?)
    }

    /// The threshold, and what was asked of it.
    fn choose(&mut self, args: &Args) -> anyhow::Result<(f32, Method, f64)> {
        let no_anomalies = "the set has no anomalous pixel: a threshold is chosen on labelled anomalies";
        match args.method {
            How::Empirical => {
                let side = |s| match s as u16 {
                    ANOMALOUS => Some(Side::Positive),
                    KNOWN => Some(Side::Negative),
                    _ => None,
                };
                let curve = self.ranking.curve(side, &[args.tpr()])?;
                let point =
                    curve.at_tpr.first().and_then(|(_, point)| point.as_ref()).context(no_anomalies)?;
                let threshold = point.threshold.with_context(|| {
                    format!(
                        "a tpr of {} takes anomalous pixels of score -inf, which no threshold finds",
                        args.tpr()
                    )
                })?;
                if !threshold.is_finite() {
                    bail!(
                        "a tpr of {} is reached by pixels of score NaN alone: there is no threshold",
                        args.tpr()
                    );
                }
                Ok((threshold, Method::Empirical, args.tpr()))
            }
            How::Conformal => {
                if self.anomalies.images() == 0 {
                    bail!(no_anomalies);
                }
                // 1 − 0.8 is a little under 0.2, and would ask for an image more.
                let complement = ((1.0 - args.tpr()) * 1e12).round() / 1e12;
                let alpha = args.alpha.unwrap_or(complement);
                let threshold = match args.delta {
                    None => expected_miss_rate(&self.anomalies, alpha),
                    Some(delta) => confident_miss_rate(&self.anomalies, alpha, delta),
                };
                Ok((threshold?, Method::Conformal, 1.0 - alpha))
            }
        }
    }

    /// Of all pixels a stream would hold were there no anomaly, the unlabelled ones included.
    fn histogram(&mut self) -> anyhow::Result<Option<ScoreHistogram>> {
        let quantiles: Vec<f64> = (1..BINS).map(|i| i as f64 / BINS as f64).collect();
        let of_stream = |s: usize| s as u16 != ANOMALOUS;
        let Some(mut edges) = self.ranking.quantiles(of_stream, &quantiles)? else { return Ok(None) };
        edges.dedup();
        edges.retain(|edge| edge.is_finite());
        let count = |of: &dyn Fn(usize) -> u64| -> u64 { (0..3).filter(|s| of_stream(*s)).map(of).sum() };
        let total = count(&|s| self.ranking.count(s));
        let mut above = Vec::with_capacity(edges.len());
        for edge in &edges {
            let of = self.ranking.above(*edge)?;
            above.push(count(&|s| of[s]));
        }
        let bounds: Vec<u64> = [total].into_iter().chain(above).chain([0]).collect();
        // To a millionth: finer than any stream of pixels is held against it.
        let share = |pixels: u64| (pixels as f64 / total as f64 * 1e6).round() / 1e6;
        let shares = bounds.windows(2).map(|b| share(b[0] - b[1])).collect();
        Ok(Some(ScoreHistogram { edges, shares }))
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<Vec<Failure>> {
    let tpr = args.tpr();
    if !(tpr > 0.0 && tpr <= 1.0) {
        bail!("--tpr {tpr}: above 0, at most 1");
    }
    if args.method == How::Empirical && (args.alpha.is_some() || args.delta.is_some()) {
        bail!("--alpha and --delta belong to --method conformal; the empirical one has --tpr");
    }
    let model = super::walk::load_to_renew(&args.walk.model, args.write)?;
    let data = args.data.open(model.taxonomy())?;
    let unknown = data.unknown(model.taxonomy());
    let parameters = Parameters {
        score: args.score.clone(),
        temperature: args.temperature,
        // Nothing is labelled unknown here.
        threshold_override: f64::from(f32::MAX),
        ..args.walk.parameters()
    };
    let mut walk = Walk::new(parameters, model, false)?;
    if walk.last().is_none() {
        bail!("--input-size native: a threshold is chosen for one input size; name it");
    }
    if args.write {
        args.check_writable(&walk)?;
    }
    let mut scores = Scores::new();
    let judge = |frame: &Judged| scores.add(frame, unknown);
    let survey = survey(&data, &mut walk, &[], args.data.max_failures, judge)?;
    let chosen = Chosen::new(args, &mut scores, &survey, &walk)?;
    if args.write {
        let failed = survey.failures.len();
        if failed > 0 {
            let words = "the manifest stays as it is; a threshold is written for a whole set";
            return Err(BrokenOff(format!("{failed} frames failed: {words}")).into());
        }
        walk.model().write_calibration(&chosen.calibration)?;
    }
    chosen.print(args)?;
    Ok(survey.failures)
}

/// What was chosen, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Chosen {
    calibration: Calibration,
    /// Images of the set that have anomalies.
    images_with_anomalies: usize,
    /// Mean over these of the share of anomalous pixels missed.
    miss_rate: Option<f64>,
    assumptions: Option<&'static str>,
}

impl Chosen {
    fn new(args: &Args, scores: &mut Scores, survey: &Survey, walk: &Walk) -> anyhow::Result<Self> {
        let (threshold, method, level) = scores.choose(args)?;
        let above = scores.ranking.above(threshold)?;
        let share = |stratum: u16| {
            let count = scores.ranking.count(stratum.into());
            (count > 0).then(|| above[usize::from(stratum)] as f64 / count as f64)
        };
        let (tpr, fpr) = (share(ANOMALOUS).context("no anomalous pixel")?, share(KNOWN));
        let assembly = walk.last().context("no frame was walked")?;
        let settings = assembly.pipeline.settings();
        let calibration = Calibration {
            score: settings.scoring.score(),
            temperature: settings.scoring.temperature(),
            input_size: settings.input_size.to_string(),
            precision: PRECISION.into(),
            threshold,
            method,
            level: Some(level),
            delta: args.delta,
            tpr,
            fpr,
            set: args.data.title(),
            set_sha256: survey.set_sha256.clone(),
            frames: survey.frames,
            date: Some(today()?),
            model_sha256: assembly.identity.model_sha256.clone(),
            histogram: scores.histogram()?,
        };
        Ok(Self {
            images_with_anomalies: scores.anomalies.images(),
            miss_rate: scores.anomalies.miss_rate(threshold),
            assumptions: (method == Method::Conformal).then_some(ASSUMPTIONS),
            calibration,
        })
    }

    fn print(&self, args: &Args) -> anyhow::Result<()> {
        let mut out = std::io::stdout();
        if args.json {
            return Ok(writeln!(out, "{}", serde_json::to_string_pretty(self)?)?);
        }
        let Calibration { threshold, level, delta, tpr, fpr, set, frames, .. } = &self.calibration;
        let level = level.unwrap_or_default();
        writeln!(out, "{}: unknown above {threshold}", self.calibration.what())?;
        writeln!(
            out,
            "  chosen on {set}, {frames} frames, {} of them with anomalies",
            self.images_with_anomalies
        )?;
        let percent = |share: f64| format!("{:.2} %", share * 100.0);
        match (args.method, delta) {
            (How::Empirical, _) => {
                writeln!(out, "  asked: {} of the anomalous pixels, pooled", percent(level))?
            }
            (How::Conformal, None) => {
                writeln!(
                    out,
                    "  asked: at most {} of a new image's anomalous pixels missed, expected",
                    percent(1.0 - level)
                )?;
            }
            (How::Conformal, Some(delta)) => writeln!(
                out,
                "  asked: at most {} of new images' anomalous pixels missed on average, with confidence {}",
                percent(1.0 - level),
                percent(1.0 - delta)
            )?,
        }
        write!(out, "  there: {} of the anomalous pixels found", percent(*tpr))?;
        if let Some(miss) = self.miss_rate {
            write!(out, " ({} missed of an image's, on average)", percent(miss))?;
        }
        match fpr {
            Some(fpr) => writeln!(out, ", {} of the known ones unknown", percent(*fpr))?,
            None => writeln!(out, ", no known ones to judge false alarms by")?,
        }
        if let Some(assumptions) = self.assumptions {
            writeln!(out, "  {assumptions}")?;
        }
        let manifest = args.walk.model.display();
        if args.write {
            writeln!(out, "written to {manifest}")?;
        } else {
            writeln!(out, "not written: --write puts it into {manifest}")?;
        }
        Ok(())
    }
}

/// UTC, as 2026-01-31.
pub(super) fn today() -> anyhow::Result<String> {
    let now = jiff::Timestamp::try_from(SystemTime::now())?;
    Ok(jiff::tz::Offset::UTC.to_datetime(now).date().to_string())
}
