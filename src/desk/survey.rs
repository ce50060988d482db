//! Every frame of a data set through the walk, with its truth beside it: what evaluating, calibrating and
//! fitting do.
//!
//! Three threads and two short queues, so that the network is what the run waits for: one reads and decodes
//! the next frame, this one steps the pipeline, a third judges the frame before. Frames are judged in the
//! order of the set.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use anyhow::{Context, anyhow};

use super::data::Data;
use super::progress::Progress;
use super::walk::{Latency, Setup, Walk};
use super::{BrokenOff, Failure};
use crate::assemble::AssembleError;
use crate::dataset::{Loaded, Sample, SetHash};
use crate::frame::{Frame, Size};
use crate::images::Rgb;
use crate::pipeline::{Stage, StepError};
use crate::score::Scoring;
use crate::window::Window;

/// Frames that wait between two threads.
const QUEUE: usize = 2;

/// A frame the pipeline has been through. Its vectors go round: what is judged is filled again.
#[derive(Default)]
pub(super) struct Judged {
    /// Its place in the set.
    pub index: usize,
    pub size: Size,
    /// In the model's ids: 0..K known, K unknown (of binary truth: 0 and 1), 255 ignored.
    pub truth: Vec<u8>,
    /// Of the pipeline, at its threshold.
    pub labels: Vec<u8>,
    /// Of the pipeline's own score; NaN where the label is 255 or a logit was not finite.
    pub anomaly: Vec<f32>,
    /// Of the other scores asked for.
    pub others: Vec<Vec<f32>>,
    /// `[channels, cells]`, of pipelines that give them.
    pub pre_logits: Vec<f32>,
    /// The pixel under the centre of each cell; `None` where that is not of the picture.
    pub cells: Vec<Option<usize>>,
    /// In metres, where it was asked for.
    pub depth: Option<Vec<f32>>,
}

/// What a survey was.
pub(super) struct Survey {
    pub frames: u64,
    pub failures: Vec<Failure>,
    /// Over all files of the set; `None` where a frame failed.
    pub set_sha256: Option<String>,
    pub setup: Option<Setup>,
    pub latency_ms: Option<Latency>,
    /// Of the survey, from the first file read to the last frame judged.
    pub seconds: f64,
    /// Of those, in the network.
    pub network_seconds: f64,
}

/// Walks the set. `judge` gets each frame, on a thread of its own; its error ends the run.
pub(super) fn survey(
    data: &Data,
    walk: &mut Walk,
    others: &[Scoring],
    max_failures: usize,
    judge: impl FnMut(&Judged) -> anyhow::Result<()> + Send,
) -> anyhow::Result<Survey> {
    let began = Instant::now();
    let mut surveying = Surveying {
        data,
        others,
        max_failures,
        progress: Progress::new(Some(data.samples.len() as u64)),
        hash: data.dataset.start_hash(),
        latencies_ms: Window::new(Latency::KEPT),
        network_seconds: 0.0,
        frames: 0,
        failed: 0,
    };
    thread::scope(|scope| {
        let (loaded, decoded) = sync_channel(QUEUE);
        let (stepped, to_judge) = sync_channel(QUEUE);
        let (spare, spares) = sync_channel(2 * QUEUE + 2);
        let spawn = |name: &str| thread::Builder::new().name(format!("open_set-{name}"));
        spawn("decode").spawn_scoped(scope, || decode(data, loaded))?;
        let judge = spawn("judge").spawn_scoped(scope, || judge_all(to_judge, spare, judge))?;
        let walked = surveying.walk(walk, decoded, stepped, spares);
        let judged = judge.join().map_err(|_| anyhow!("the judging thread panicked"))?;
        // Where judging failed, walking only saw its queue close.
        judged.and(walked)
    })?;
    if surveying.frames == 0 {
        surveying.progress.finish();
        return Err(BrokenOff("no frame could be judged: see above".into()).into());
    }
    let Surveying { progress, hash, latencies_ms, network_seconds, frames, failed, .. } = surveying;
    Ok(Survey {
        frames,
        failures: progress.finish(),
        set_sha256: (failed == 0).then(|| hash.finish()),
        setup: walk.last().map(Setup::new),
        latency_ms: Latency::of(&latencies_ms),
        seconds: began.elapsed().as_secs_f64(),
        network_seconds,
    })
}

type Decoded = (usize, anyhow::Result<(Loaded, Option<Vec<f32>>)>);

fn decode(data: &Data, loaded: SyncSender<Decoded>) {
    for (index, sample) in data.samples.iter().enumerate() {
        if loaded.send((index, load(data, sample))).is_err() {
            return; // The walk ended early, and says why.
        }
    }
}

fn load(data: &Data, sample: &Sample) -> anyhow::Result<(Loaded, Option<Vec<f32>>)> {
    let mut loaded = data.dataset.read(sample)?;
    data.translate(&mut loaded.truth.labels);
    if !data.with_depth {
        return Ok((loaded, None));
    }
    let depth = data.dataset.depth(sample, loaded.truth.size)?;
    let depth =
        depth.with_context(|| format!("{} knows no distances of {}", data.dataset.name(), sample.id))?;
    Ok((loaded, Some(depth)))
}

fn judge_all(
    frames: Receiver<Judged>,
    spare: SyncSender<Judged>,
    mut judge: impl FnMut(&Judged) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for frame in frames {
        judge(&frame)?;
        // A full queue of spares or a walk that is over: the memory is not wanted.
        let _ = spare.try_send(frame);
    }
    Ok(())
}

/// The walk's own side of a survey.
struct Surveying<'a> {
    data: &'a Data,
    others: &'a [Scoring],
    max_failures: usize,
    progress: Progress,
    hash: SetHash,
    latencies_ms: Window,
    network_seconds: f64,
    frames: u64,
    failed: usize,
}

impl Surveying<'_> {
    fn walk(
        &mut self,
        walk: &mut Walk,
        decoded: Receiver<Decoded>,
        stepped: SyncSender<Judged>,
        spares: Receiver<Judged>,
    ) -> anyhow::Result<()> {
        for (index, loaded) in decoded {
            let mut frame = spares.try_recv().unwrap_or_default();
            frame.index = index;
            let result = loaded.and_then(|(loaded, depth)| {
                self.hash.add(&loaded.hash_lines);
                self.step(walk, &loaded.rgb, &mut frame)?;
                (frame.truth, frame.depth) = (loaded.truth.labels, depth);
                Ok(())
            });
            let failed = match result {
                Ok(()) if stepped.send(frame).is_err() => return Ok(()),
                Ok(()) => None,
                Err(error) if ends_the_run(&error) => return Err(error),
                Err(error) => Some(error),
            };
            self.failed += usize::from(failed.is_some());
            let id = self.data.samples[index].id.clone();
            self.progress.done(id, failed.map_or(Ok(()), Err));
            if self.failed > self.max_failures {
                let Self { failed, max_failures, .. } = self;
                let words = format!("{failed} frames failed, {max_failures} may: see above");
                return Err(BrokenOff(words + ", or give --max-failures").into());
            }
        }
        Ok(())
    }

    fn step(&mut self, walk: &mut Walk, rgb: &Rgb, out: &mut Judged) -> anyhow::Result<()> {
        let pipeline = &mut walk.fitting(Size { width: rgb.width, height: rgb.height })?.pipeline;
        let frame = Frame::rgb8(rgb.width, rgb.height, &rgb.data)?;
        let began = Instant::now();
        let (mut before, mut network) = (began, 0.0);
        let segmentation = pipeline.step(&frame, &mut |stage| {
            let now = Instant::now();
            if stage == Stage::Inference {
                network = (now - before).as_secs_f64();
            }
            before = now;
        })?;
        self.latencies_ms.push(began.elapsed().as_secs_f64() * 1e3);
        self.network_seconds += network;
        self.frames += 1;
        out.size = segmentation.size;
        out.labels.clone_from(&segmentation.labels);
        out.anomaly.clone_from(&segmentation.anomaly);
        out.others.resize_with(self.others.len(), Vec::new);
        for (scoring, map) in self.others.iter().zip(&mut out.others) {
            pipeline.score_again(scoring, map)?;
        }
        out.pre_logits.clear();
        out.cells.clear();
        if let (Some(pre_logits), Some(geometry)) = (pipeline.pre_logits(), pipeline.geometry()) {
            out.pre_logits.extend_from_slice(pre_logits.data);
            let cells = geometry.cells(pre_logits.width, pre_logits.height);
            out.cells.extend(cells.map(|pixel| pixel.map(|(x, y)| y * rgb.width + x)));
        }
        Ok(())
    }
}

/// What is wrong with the options for one frame is so for the run, and so is a network that fails.
fn ends_the_run(error: &anyhow::Error) -> bool {
    let options = matches!(error.downcast_ref(), Some(AssembleError::Config(_)));
    // A frame whose logits are not finite is the frame's own misfortune: the node drops it too, and goes on.
    let of_frame = |e: &StepError| e.is_input() || matches!(e, StepError::NonFinite { .. });
    options || error.downcast_ref().is_some_and(|e| !of_frame(e))
}
