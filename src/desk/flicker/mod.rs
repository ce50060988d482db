//! `open-set flicker`: how often labels change between known and unknown, with and without hysteresis.
//!
//! Place: beside `segment`. Each frame is walked once; what its scores say alone and what hysteresis makes of it are
//! counted side by side, so that they differ by nothing else. The anomaly map is the same for both, and so is AP.

mod shots;
mod tally;

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail, ensure};
use serde::Serialize;

use super::Failure;
use super::progress::Progress;
use super::walk::{Setup, Walk, WalkArgs};
use crate::assemble::{AssembleError, Assembly};
use crate::config::{Hold, Parameters};
use crate::frame::{Frame, Size};
use crate::hysteresis::{Hysteresis, LONGEST_GAP_NS, Moment, Settings};
use crate::images;
use crate::labels::IGNORE;
use crate::metrics::ranking::{Limits, Ranking, Side};
use crate::model::Model;
use shots::{Shot, shots};
use tally::{Figures, Labels};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Videos, or folders of a drive's frames (by name), each a sequence of its own; or one bag (MCAP), its first camera.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// hysteresis.delta: how far below the threshold a score must be for its pixel to be known again.
    #[arg(long, default_value_t = 0.5)]
    delta: f64,
    /// hysteresis.frames: and in how many frames in a row.
    #[arg(long, default_value_t = 1)]
    frames: i64,
    /// Frames per second; a bag's have their own stamps. More than a second apart they do not follow one another.
    #[arg(long, default_value_t = 10.0)]
    fps: f64,
    /// Folder of truth: NAME.png for each picture, 0..K-1 known, K anomalous, 255 ignored; also AP, open-mIoU, TPR, FPR.
    #[arg(long, value_name = "DIR")]
    truth: Option<PathBuf>,
    /// Anomaly score.
    #[arg(long, default_value_t = Parameters::default().score)]
    score: String,
    /// Scores above it are unknown [default: the manifest's calibration].
    #[arg(long, allow_negative_numbers = true)]
    threshold: Option<f64>,
    #[command(flatten)]
    walk: WalkArgs,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Vec<Failure>> {
    ensure!(args.fps.is_finite() && args.fps > 0.0, "--fps {}: above zero", args.fps);
    let parameters = args.parameters();
    let settings = parameters.hysteresis()?;
    let Some(settings) = settings else {
        bail!("--delta 0 --frames 1 is no hysteresis: give more of either")
    };
    let (count, shots) = shots(&args.inputs)?;
    let model = Model::load(&args.walk.model)?;
    let mut looking = Looking::new(args, settings, Walk::new(parameters, model, false)?);
    let mut progress = Progress::new(count);
    for shot in shots {
        match looking.frame(&shot) {
            Err(error) if matches!(error.downcast_ref(), Some(AssembleError::Config(_))) => {
                return Err(error);
            }
            result => progress.done(shot.source, result),
        }
    }
    let failures = progress.finish();
    let report = looking.report(&failures)?;
    let mut out = std::io::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(failures)
}

impl Args {
    fn parameters(&self) -> Parameters {
        let parameters = self.walk.parameters();
        Parameters {
            score: self.score.clone(),
            threshold_override: self.threshold.unwrap_or(parameters.threshold_override),
            hysteresis: Hold { delta: self.delta, frames: self.frames },
            ..parameters
        }
    }
}

/// The walk of every frame, and what it came to.
struct Looking<'a> {
    args: &'a Args,
    settings: Settings,
    walk: Walk,
    hysteresis: Hysteresis,
    plain: Labels,
    held: Labels,
    /// Of the scores, where there is truth: known, anomalous.
    ranking: Ranking,
    strata: Vec<u16>,
    /// Of the last frame.
    sequence: (PathBuf, PathBuf),
    stamp_ns: i64,
    frames: u64,
}

impl<'a> Looking<'a> {
    fn new(args: &'a Args, settings: Settings, walk: Walk) -> Self {
        let classes = args.truth.as_ref().map(|_| walk.model().taxonomy().len());
        Self {
            args,
            settings,
            walk,
            hysteresis: Hysteresis::new(settings),
            plain: Labels::new(classes),
            held: Labels::new(classes),
            ranking: Ranking::new(2, Limits::default()),
            strata: Vec::new(),
            sequence: Default::default(),
            stamp_ns: 0,
            frames: 0,
        }
    }

    fn frame(&mut self, shot: &Shot) -> anyhow::Result<()> {
        let Shot { name, sequence, stamp_ns, rgb, .. } = shot;
        let rgb = rgb.as_ref().map_err(|error| anyhow!("{error}"))?;
        let size = Size { width: rgb.width, height: rgb.height };
        let truth = self.args.truth.as_deref().map(|folder| read_truth(folder, name, size)).transpose()?;
        let Assembly { pipeline, taxonomy, .. } = self.walk.fitting(size)?;
        let unknown = taxonomy.unknown();
        let beyond = |truth: &&u8| **truth > unknown && **truth != IGNORE;
        if let Some(label) = truth.as_deref().and_then(|truth| truth.iter().find(beyond)) {
            bail!("truth of {} has label {label}, beyond {unknown} (unknown)", name.display());
        }
        let frame = Frame::rgb8(rgb.width, rgb.height, &rgb.data)?;
        pipeline.step(&frame, &mut |_| ())?;

        let is_next = self.frames > 0 && self.sequence == *sequence;
        let pause_ns = if is_next { (1e9 / self.args.fps) as i64 } else { 2 * LONGEST_GAP_NS };
        let stamp_ns = stamp_ns.unwrap_or(self.stamp_ns + pause_ns.max(1));
        let gap_ns = stamp_ns.saturating_sub(self.stamp_ns);
        let follows = is_next && gap_ns > 0 && gap_ns <= LONGEST_GAP_NS;
        self.stamp_ns = stamp_ns;
        self.sequence.clone_from(sequence);
        self.frames += 1;

        let (Some(segmentation), Some(geometry)) = (pipeline.segmentation(), pipeline.geometry()) else {
            bail!("the walk kept no result");
        };
        let settings = pipeline.settings();
        let moment = Moment {
            frame: &frame,
            geometry,
            at: settings.output_size,
            threshold: settings.threshold,
            unknown,
            stamp_ns,
        };
        let mut labels = segmentation.labels.clone();
        self.hysteresis.hold(&moment, &mut labels, &segmentation.anomaly);
        let truth = truth.as_deref();
        self.plain.add(&segmentation.labels, truth, unknown, follows)?;
        self.held.add(&labels, truth, unknown, follows)?;
        if let Some(truth) = truth {
            self.strata.clear();
            self.strata.extend(truth.iter().zip(&labels).map(|(truth, label)| match *truth {
                IGNORE => Ranking::SKIP,
                _ if *label == IGNORE => Ranking::SKIP,
                truth => u16::from(truth == unknown),
            }));
            self.ranking.extend(&self.strata, &segmentation.anomaly)?;
        }
        Ok(())
    }

    fn report<'f>(&mut self, failed: &'f [Failure]) -> anyhow::Result<Report<'f>> {
        let side = |stratum: usize| Some(if stratum == 1 { Side::Positive } else { Side::Negative });
        let ap = match self.args.truth {
            Some(_) => self.ranking.curve(side, &[])?.ap,
            None => None,
        };
        let settings = self.walk.last().map(|assembly| assembly.pipeline.settings());
        Ok(Report {
            setup: self.walk.last().map(Setup::new),
            score: self.args.score.clone(),
            threshold: settings.map(|s| s.threshold),
            frames: self.frames,
            failed,
            fps: self.args.fps,
            delta: self.settings.delta,
            hysteresis_frames: self.settings.frames,
            ap,
            plain: self.plain.figures(),
            held: self.held.figures(),
        })
    }
}

/// The truth of a picture: its name's PNG, at its size.
fn read_truth(folder: &Path, name: &Path, size: Size) -> anyhow::Result<Vec<u8>> {
    let path = folder.join(name).with_added_extension("png");
    let gray = images::read_gray(&path).with_context(|| format!("truth of {}", name.display()))?;
    let got = Size { width: gray.width, height: gray.height };
    ensure!(got == size, "{} is {got}, its picture {size}: truth is a label a pixel", path.display());
    Ok(gray.data)
}

/// As `--json` prints it.
#[derive(Debug, Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    setup: Option<Setup>,
    score: String,
    threshold: Option<f32>,
    frames: u64,
    failed: &'a [Failure],
    fps: f64,
    delta: f32,
    hysteresis_frames: u8,
    /// Of the score, which hysteresis does not touch.
    ap: Option<f64>,
    plain: Figures,
    held: Figures,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |v: Option<f64>| v.map_or("      –".into(), |v| format!("{:7.3}", v * 100.0));
        let Self { frames, fps, delta, hysteresis_frames, score, .. } = self;
        writeln!(f, "{frames} frames at {fps} Hz; {score}; delta {delta}, {hysteresis_frames} frames")?;
        writeln!(f, "%                              threshold  hysteresis")?;
        let rows = [
            ("pixels that change a frame", self.plain.flicker, self.held.flicker),
            ("unknown", self.plain.unknown_share, self.held.unknown_share),
            ("AP", self.ap, self.ap),
            ("open-mIoU", self.plain.open_miou, self.held.open_miou),
            ("anomalous pixels found", self.plain.tpr, self.held.tpr),
            ("false alarms", self.plain.fpr, self.held.fpr),
        ];
        let told = rows.into_iter().filter(|(_, plain, held)| plain.is_some() || held.is_some());
        for (name, plain, held) in told {
            writeln!(f, "{name:30}{:>10}{:>12}", percent(plain), percent(held))?;
        }
        Ok(())
    }
}
