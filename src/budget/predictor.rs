//! How long a frame will take at the input size in use, from what the last ones took, stage by stage.

use crate::pipeline::Stage;
use crate::window::Window;

/// Frames that a prediction is made from: of 30 Hz the last two seconds, of 10 Hz the last six. The p95 of so
/// many is that of the fourth slowest: three slow frames among them are accidents, more are a load.
pub(super) const KEPT: usize = 60;

/// So many frames tell what is the case right now.
pub(super) const RECENT: usize = 5;

/// Where a prediction stands among what was measured.
pub(super) const P: f64 = 0.95;

/// What a result took from the beginning of its work to its labels' publication, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Work {
    /// Camera pixels to network input.
    pub preprocess: f64,
    /// The network.
    pub inference: f64,
    /// Score, labels and mask.
    pub score: f64,
    /// Publishing the labels, where they were.
    pub labels: Option<f64>,
}

impl Work {
    /// Enters a stage's duration.
    pub fn set(&mut self, stage: Stage, ms: f64) {
        match stage {
            Stage::Preprocess => self.preprocess = ms,
            Stage::Inference => self.inference = ms,
            Stage::Score => self.score = ms,
        }
    }

    /// All of it.
    pub fn total_ms(&self) -> f64 {
        self.preprocess + self.inference + self.score + self.labels.unwrap_or(0.0)
    }
}

/// What so many frames took, each stage for itself.
#[derive(Debug)]
struct Stages {
    preprocess: Window,
    inference: Window,
    score: Window,
    labels: Window,
}

impl Stages {
    fn new(frames: usize) -> Self {
        let [preprocess, inference, score, labels] = [(); 4].map(|()| Window::new(frames));
        Self { preprocess, inference, score, labels }
    }

    fn add(&mut self, work: &Work) {
        self.preprocess.push(work.preprocess);
        self.inference.push(work.inference);
        self.score.push(work.score);
        if let Some(ms) = work.labels {
            self.labels.push(ms);
        }
    }

    fn quantile(&self, q: f64) -> Option<Work> {
        Some(Work {
            preprocess: self.preprocess.quantile(q)?,
            inference: self.inference.quantile(q)?,
            score: self.score.quantile(q)?,
            labels: self.labels.quantile(q),
        })
    }

    /// Publishing takes the same at another size, and would be missed at the first result.
    fn clear_all_but_labels(&mut self) {
        for window in [&mut self.preprocess, &mut self.inference, &mut self.score] {
            window.clear();
        }
    }
}

/// The last frames' measurements, all of one input size.
#[derive(Debug)]
pub struct Predictor {
    frames: Stages,
    recent: Stages,
    last: Work,
}

impl Default for Predictor {
    fn default() -> Self {
        Self { frames: Stages::new(KEPT), recent: Stages::new(RECENT), last: Work::default() }
    }
}

impl Predictor {
    /// A frame was walked.
    pub fn add(&mut self, work: &Work) {
        self.frames.add(work);
        self.recent.add(work);
        self.last = *work;
    }

    /// From now on frames have another input size.
    pub fn resized(&mut self) {
        self.frames.clear_all_but_labels();
        self.recent.clear_all_but_labels();
    }

    /// How many frames it is made from.
    pub fn count(&self) -> usize {
        self.frames.inference.count()
    }

    /// What 95 % of the frames did not exceed, each stage for itself; `None` before the first. A load slows all
    /// stages at once, so that the sum of what each rarely exceeds is what they rarely exceed together; where
    /// it does not, the sum errs on the late side.
    pub fn p95(&self) -> Option<Work> {
        self.frames.quantile(P)
    }

    /// What the last few frames took, the median of each stage; `None` before the first.
    pub fn recent(&self) -> Option<Work> {
        self.recent.quantile(0.5)
    }

    /// What the next frame will take: the p95, or what the very last one took, where that was less. After a
    /// load has gone, the p95 alone would tell of it for many frames more. `None` before the first.
    pub fn work_ms(&self) -> Option<f64> {
        let p95 = self.p95()?;
        // A result that was late was not published; the next will have to be.
        let last = Work { labels: self.last.labels.or(p95.labels), ..self.last };
        Some(p95.total_ms().min(last.total_ms()))
    }

    /// What publishing labels takes, p95; 0 where that was not measured.
    pub fn labels_ms(&self) -> f64 {
        self.frames.labels.quantile(P).unwrap_or(0.0)
    }
}
