//! A network under training, judged by the product itself: its pipeline's `step`, its metrics.
//!
//! A thread reads the frames, walks each through the pipeline and counts; when the walk comes to the network, it
//! asks the loop's thread (`remote`). Images of the model's input size are judged so as `open-set evaluate` judges
//! the exported model, but for ONNX Runtime in libtorch's place; others are stretched here and letterboxed there,
//! unless it is told otherwise.

pub(super) mod frames;
mod remote;

use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use self::frames::Frames;
use self::remote::{Ask, Remote, answer};
use super::RunError;
use super::stop::Stop;
use super::verdict::{ClosedSet, Detection, Verdict};
use crate::config::PipelineSettings;
use crate::frame::{Frame, Size};
use crate::images::Rgb;
use crate::labels::IGNORE;
use crate::metrics::confusion::Confusion;
use crate::metrics::ranking::{Limits, Ranking, Side};
use crate::model::InputSpec;
use crate::pipeline::{Pipeline, Segmentation};
use crate::preprocess::geometry::{Fit, OutputSize};
use crate::score::{Fitted, Score, Scoring};
use crate::train::model::Network;
use crate::train::settings::Settings;

/// The scores judged, the pipeline's own first: eq. (9), its two parts, and what outlier exposure trains.
const SCORES: [Score; 4] = [Score::Hybrid, Score::Generative, Score::Discriminative, Score::Msp];

/// Scores of each ranking that are kept in memory.
const IN_MEMORY: usize = 1 << 25;

/// What to judge on.
pub struct Judge {
    input: InputSpec,
    /// `None`: each image's own size.
    size: Option<Size>,
    classes: Vec<String>,
    closed_set: Option<Frames>,
    anomalies: Option<Frames>,
}

impl Judge {
    /// Finds the frames; `None` where the settings ask for no validation.
    ///
    /// # Errors
    /// A data set that cannot be opened, or is of other classes than the model.
    pub fn open(settings: &Settings, data: &Path) -> Result<Option<Self>, RunError> {
        let Some(validation) = &settings.validation else { return Ok(None) };
        let classes: Vec<String> = settings.classes.iter().map(|c| c.name.clone()).collect();
        let closed_set = validation.closed_set.as_ref().map(|s| Frames::labelled(s, data, &classes));
        let anomalies = match (&validation.anomalies, &validation.pasted) {
            (Some(split), _) => Some(Frames::with_anomalies(split, data, &classes)?),
            (None, Some(pasted)) => Some(Frames::pasted(pasted, data, &classes, settings)?),
            (None, None) => None,
        };
        Ok(Some(Self {
            input: settings.input(),
            size: validation.size(),
            closed_set: closed_set.transpose()?,
            anomalies,
            classes,
        }))
    }

    /// Judges the network as it is now; nothing, where `stop` is requested meanwhile.
    ///
    /// # Errors
    /// A frame that cannot be read, a network that fails or answers with what is no number.
    pub fn judge(&self, network: &dyn Network, stop: &Stop) -> Result<Option<Verdict>, RunError> {
        let began = Instant::now();
        let (asks, asked) = sync_channel(1);
        let verdict = thread::scope(|scope| {
            let name = "open_set-validate".to_owned();
            let walk = thread::Builder::new().name(name).spawn_scoped(scope, move || self.walk(&asks, stop));
            let walk = walk.map_err(RunError::Thread)?;
            answer(network, asked);
            walk.join().map_err(|_| RunError::Judge("its thread panicked".into()))?
        })?;
        Ok(verdict.map(|v| Verdict { seconds: began.elapsed().as_secs_f64(), ..v }))
    }

    fn walk(&self, asks: &SyncSender<Ask>, stop: &Stop) -> Result<Option<Verdict>, RunError> {
        let mut verdict = Verdict::default();
        if let Some(frames) = &self.closed_set {
            let Some(found) = self.closed_set(frames, asks, stop)? else { return Ok(None) };
            verdict.closed_set = Some(found);
        }
        if let Some(frames) = &self.anomalies {
            let Some(found) = self.anomalies(frames, asks, stop)? else { return Ok(None) };
            verdict.anomalies = found;
        }
        Ok(Some(verdict))
    }

    fn closed_set(
        &self,
        frames: &Frames,
        asks: &SyncSender<Ask>,
        stop: &Stop,
    ) -> Result<Option<ClosedSet>, RunError> {
        let classes = self.classes.len();
        // Whichever score: the threshold lets every pixel have its class.
        let mut walk = Walk::new(self, Score::MaxLogit, asks.clone())?;
        // A truth or prediction is a byte: counted first, added up by pairs.
        let mut counts = vec![0_u64; 256 * 256];
        for index in 0..frames.len() {
            if stop.is_requested() {
                return Ok(None);
            }
            let (rgb, truth) = frames.read(index)?;
            let labels = &walk.step(&rgb)?.labels;
            let known = truth.iter().zip(labels).filter(|(t, l)| usize::from(**t) < classes && **l != IGNORE);
            known.for_each(|(t, l)| counts[usize::from(*t) * 256 + usize::from(*l)] += 1);
        }
        let mut confusion = Confusion::new(classes);
        for (pair, n) in counts.into_iter().enumerate().filter(|(_, n)| *n > 0) {
            confusion.add(pair / 256, pair % 256, n).map_err(|e| RunError::Judge(e.to_string()))?;
        }
        let iou = self.classes.iter().cloned().zip(confusion.closed_iou()).collect();
        Ok(Some(ClosedSet { miou: confusion.miou(), iou }))
    }

    fn anomalies(
        &self,
        frames: &Frames,
        asks: &SyncSender<Ask>,
        stop: &Stop,
    ) -> Result<Option<Vec<Detection>>, RunError> {
        let failed = |e: &dyn std::error::Error| RunError::Judge(e.to_string());
        let mut walk = Walk::new(self, SCORES[0], asks.clone())?;
        let limits = || Limits { keys_in_memory: IN_MEMORY, ..Limits::default() };
        let mut rankings = SCORES.map(|_| Ranking::new(2, limits()));
        let (mut strata, mut map) = (Vec::new(), Vec::new());
        for index in 0..frames.len() {
            if stop.is_requested() {
                return Ok(None);
            }
            let (rgb, truth) = frames.read(index)?;
            let Segmentation { labels, anomaly, .. } = walk.step(&rgb)?;
            strata.clear();
            strata.extend(truth.iter().zip(labels).map(|(truth, label)| match *truth {
                IGNORE => Ranking::SKIP,
                _ if *label == IGNORE => Ranking::SKIP,
                truth => u16::from(truth == frames.unknown()),
            }));
            rankings[0].extend(&strata, anomaly).map_err(|e| failed(&e))?;
            for (ranking, score) in rankings.iter_mut().zip(SCORES).skip(1) {
                walk.score_again(score, &mut map)?;
                ranking.extend(&strata, &map).map_err(|e| failed(&e))?;
            }
        }
        let mut found = Vec::new();
        for (ranking, score) in rankings.iter_mut().zip(SCORES) {
            let side = |stratum| Some([Side::Negative, Side::Positive][stratum]);
            let curve = ranking.curve(side, &[0.95]).map_err(|e| failed(&e))?;
            let fpr95 = curve.at_tpr.first().and_then(|(_, point)| point.as_ref()).map(|p| p.fpr);
            found.push(Detection { score, ap: curve.ap, fpr95, auroc: curve.auroc });
        }
        Ok(Some(found))
    }
}

/// The product's walk of a frame, around a network that is asked.
struct Walk<'a> {
    judge: &'a Judge,
    scoring: Scoring,
    asks: SyncSender<Ask>,
    /// For the size of the last image.
    pipeline: Option<Pipeline>,
}

impl<'a> Walk<'a> {
    fn new(judge: &'a Judge, score: Score, asks: SyncSender<Ask>) -> Result<Self, RunError> {
        Ok(Self { judge, scoring: scoring(score)?, asks, pipeline: None })
    }

    fn step(&mut self, rgb: &Rgb) -> Result<&Segmentation, RunError> {
        let own = Size { width: rgb.width, height: rgb.height };
        let input_size = self.judge.size.unwrap_or(own);
        let pipeline = match self.pipeline.take().filter(|p| p.settings().input_size == input_size) {
            Some(pipeline) => pipeline,
            None => {
                let settings = PipelineSettings {
                    scoring: self.scoring.clone(),
                    threshold: f32::MAX,
                    threshold_origin: "none: what is judged is the score".into(),
                    histogram: None,
                    input_size,
                    fit: Fit::Stretch,
                    region: None,
                    output_size: OutputSize::Camera,
                };
                let segmenter = Box::new(Remote::new(input_size, self.asks.clone()));
                Pipeline::with(&self.judge.input, settings, segmenter, None)
            }
        };
        let frame = Frame::rgb8(rgb.width, rgb.height, &rgb.data);
        let frame = frame.map_err(|e| RunError::Judge(e.to_string()))?;
        let stepped = self.pipeline.insert(pipeline).step(&frame, &mut |_| ());
        stepped.map_err(|e| RunError::Judge(e.to_string()))
    }

    /// Another score of the frame that was stepped last.
    fn score_again(&mut self, score: Score, map: &mut Vec<f32>) -> Result<(), RunError> {
        let scoring = scoring(score)?;
        let again = self.pipeline.as_mut().map_or(Ok(()), |p| p.score_again(&scoring, map));
        again.map_err(|e| RunError::Judge(e.to_string()))
    }
}

fn scoring(score: Score) -> Result<Scoring, RunError> {
    Scoring::new(score, 1.0, Fitted::Nothing).map_err(|e| RunError::Judge(e.to_string()))
}

#[cfg(test)]
mod tests;
