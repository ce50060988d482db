//! The walk of a frame: preprocess, segment, score, mask. The node and every desk tool call this one `step`.
//!
//! No clock, no I/O, no ROS: whoever wants stage times passes a closure that reads a clock, whoever wants a
//! stamp keeps it beside the frame.

use crate::config::PipelineSettings;
use crate::frame::{Frame, Size};
use crate::hysteresis::{Hysteresis, Moment};
use crate::images::{Gray, ImagesError};
use crate::labels::IGNORE;
use crate::model::{InputSpec, Model};
use crate::preprocess::Preprocess;
use crate::preprocess::geometry::{Geometry, RegionError};
use crate::score::cpu::{Fusion, FusionError};
use crate::score::{Counts, Logits, Outputs, Sampling, Scoring};
use crate::segmenter::{SegmentError, Segmenter};
use std::ops::Range;

/// A frame with a larger share of non-finite logits is an inference fault, not a result.
pub const MAX_NON_FINITE_SHARE: f64 = 0.01;

/// A part of the walk, as told to the observer when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Camera pixels to network input.
    Preprocess,
    /// The network.
    Inference,
    /// Upsampling, score, labels, mask and hold.
    Score,
}

/// What a frame became; buffers are reused by the next step.
#[derive(Debug, Clone, Default)]
pub struct Segmentation {
    /// Of the two maps.
    pub size: Size,
    /// `[height, width]`: 0..K known, K unknown, 255 outside the region, padded or masked.
    pub labels: Vec<u8>,
    /// `[height, width]`, in the score's unit; NaN where the label is 255 or a logit was not finite.
    pub anomaly: Vec<f32>,
    /// Over the pixels that were scored and not masked.
    pub counts: Counts,
    /// Of the unknown ones, those that are so by their past alone.
    pub held: u64,
}

/// Why a frame has no result.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The region of interest is not in this image.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// The mask was painted for another camera.
    #[error("mask is {mask} but the image is {image}: paint the mask at the camera's size")]
    Mask {
        /// Of the mask.
        mask: Size,
        /// Of the image.
        image: Size,
    },
    /// The encoding was not converted.
    #[error(transparent)]
    Images(#[from] ImagesError),
    /// The network failed.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The network's outputs do not fit together.
    #[error(transparent)]
    Fusion(#[from] FusionError),
    /// A score was asked for of a frame that has no result.
    #[error("there is no frame to score again: the last step failed, or there was none")]
    NoResult,
    /// Too much of the output is NaN or infinite.
    #[error("{:.1} % of the pixels have NaN or infinite logits, over {:.0} % is an inference fault", .share * 100.0, MAX_NON_FINITE_SHARE * 100.0)]
    NonFinite {
        /// Of the scored pixels.
        share: f64,
    },
}

impl StepError {
    /// Whether the image was at fault, not the model: the next image may be fine, the camera is to blame.
    pub fn is_input(&self) -> bool {
        matches!(self, Self::Region(_) | Self::Mask { .. } | Self::Images(_))
    }
}

/// The walk of one camera's frames, or of several cameras' that take turns at one network. Used from one thread.
pub struct Pipeline {
    /// One a camera; never empty.
    views: Vec<View>,
    /// Whose frames are walked now.
    current: usize,
    segmenter: Box<dyn Segmenter>,
    preprocess: Preprocess,
    fusion: Fusion,
    out: Segmentation,
    /// Of [`Pipeline::score_again`], which has no use for them.
    other_labels: Vec<u8>,
    /// Whether `out` is a result and not the leavings of a step that failed.
    has_result: bool,
}

/// What is one camera's own.
struct View {
    settings: PipelineSettings,
    mask: Option<Gray>,
    layout: Option<Layout>,
}

/// What depends on the camera's size alone; made anew when it changes.
struct Layout {
    geometry: Geometry,
    /// Once the first run told how coarse the logits are.
    sampling: Option<Sampling>,
    /// Runs of masked pixels in the output.
    masked: Vec<Range<usize>>,
}

impl Pipeline {
    /// A walk through `segmenter`, whose input must be of the settings' size. Non-zero pixels of `mask`
    /// (at camera size) are never labelled.
    pub fn new(
        model: &Model,
        settings: PipelineSettings,
        segmenter: Box<dyn Segmenter>,
        mask: Option<Gray>,
    ) -> Self {
        Self::with(&model.manifest().input, settings, segmenter, mask)
    }

    /// As [`Pipeline::new`], for a segmenter that has no manifest.
    pub fn with(
        input: &InputSpec,
        settings: PipelineSettings,
        segmenter: Box<dyn Segmenter>,
        mask: Option<Gray>,
    ) -> Self {
        Self {
            views: vec![View { settings, mask, layout: None }],
            current: 0,
            preprocess: Preprocess::new(input),
            fusion: Fusion::default(),
            segmenter,
            out: Segmentation::default(),
            other_labels: Vec::new(),
            has_result: false,
        }
    }

    /// Lets another camera take turns at the network, with settings of the same input size and a mask of its
    /// own. Cameras are numbered as they are added, the first one is 0.
    #[must_use]
    pub fn and(mut self, settings: PipelineSettings, mask: Option<Gray>) -> Self {
        self.views.push(View { settings, mask, layout: None });
        self
    }

    /// Walks that camera's frames from now on; the last result is gone, if it was another's. Of a number that no
    /// camera has, the last one's.
    pub fn turn_to(&mut self, camera: usize) {
        let camera = camera.min(self.views.len() - 1);
        self.has_result &= camera == self.current;
        self.current = camera;
    }

    /// Another score and threshold for the camera whose turn it is, from the next frame on. Input size, region
    /// and all that a layout follows from stay as they are.
    pub fn retune(&mut self, to: &PipelineSettings) {
        let settings = &mut self.views[self.current].settings;
        settings.scoring = to.scoring.clone();
        settings.threshold = to.threshold;
        settings.threshold_origin.clone_from(&to.threshold_origin);
        settings.histogram.clone_from(&to.histogram);
    }

    /// One frame. `done` is told the end of each stage.
    ///
    /// # Errors
    /// The frame has no result then, and an earlier one's is gone.
    pub fn step(
        &mut self,
        frame: &Frame<'_>,
        done: &mut dyn FnMut(Stage),
    ) -> Result<&Segmentation, StepError> {
        self.step_after(frame, None, done)
    }

    /// As [`Pipeline::step`], of a frame that follows others: with the past of its camera, where labels are to be
    /// held, and the frame's stamp in nanoseconds.
    ///
    /// # Errors
    /// As there; the past is then as it was.
    pub fn step_after(
        &mut self,
        frame: &Frame<'_>,
        past: Option<(&mut Hysteresis, i64)>,
        done: &mut dyn FnMut(Stage),
    ) -> Result<&Segmentation, StepError> {
        self.has_result = false;
        let View { settings, mask, layout } = &mut self.views[self.current];
        let settings = &*settings;
        let layout = Self::layout(layout, settings, mask.as_ref(), &*self.segmenter, frame)?;

        self.preprocess.run(frame, &layout.geometry, self.segmenter.input())?; // u8 ▸ f32 [3,h,w]
        done(Stage::Preprocess);

        self.segmenter.run()?; // ▸ logits [K,h',w'], dataset logits [1|2,h',w']
        let outputs = outputs(&mut *self.segmenter, &settings.scoring)?;
        done(Stage::Inference);

        let sampling = layout.sampling.get_or_insert_with(|| {
            layout.geometry.sampling(settings.output_size, outputs.logits.width, outputs.logits.height)
        });
        self.out.counts = self.fusion.run(
            &settings.scoring,
            settings.threshold,
            outputs,
            sampling,
            &mut self.out.labels,
            &mut self.out.anomaly,
        )?; // ▸ labels u8 [H,W], anomaly f32 [H,W]
        self.out.size = layout.geometry.output_size(settings.output_size);
        let unknown = outputs.logits.channels as u8;
        mask_out(&layout.masked, unknown, &mut self.out);
        self.out.held = 0;
        let share = self.out.counts.non_finite_share();
        if let Some((hysteresis, stamp_ns)) = past.filter(|_| share <= MAX_NON_FINITE_SHARE) {
            let moment = Moment {
                frame,
                geometry: &layout.geometry,
                at: settings.output_size,
                threshold: settings.threshold,
                unknown,
                stamp_ns,
            };
            self.out.held = hysteresis.hold(&moment, &mut self.out.labels, &self.out.anomaly);
            self.out.counts.unknown += self.out.held;
        }
        done(Stage::Score);

        if share > MAX_NON_FINITE_SHARE {
            return Err(StepError::NonFinite { share });
        }
        self.has_result = true;
        Ok(&self.out)
    }

    /// Runs the network on whatever its input holds, for who wants to know what a run takes. There is no result
    /// then.
    ///
    /// # Errors
    /// What the runtime reports.
    pub fn run_idle(&mut self) -> Result<(), SegmentError> {
        self.has_result = false;
        self.segmenter.run()
    }

    /// Another score's anomaly map of the frame that was stepped last, without running the network again:
    /// f32 `[height, width]` as the segmentation's, NaN where that has no label. Allocates nothing once
    /// `anomaly` has the size.
    ///
    /// # Errors
    /// The last step had no result, or the score reads what the segmenter does not give.
    pub fn score_again(&mut self, scoring: &Scoring, anomaly: &mut Vec<f32>) -> Result<(), StepError> {
        let View { settings, layout, .. } = &self.views[self.current];
        let layout = layout.as_ref().filter(|_| self.has_result).ok_or(StepError::NoResult)?;
        let sampling = layout.sampling.as_ref().ok_or(StepError::NoResult)?;
        let outputs = outputs(&mut *self.segmenter, scoring)?;
        let labels = &mut self.other_labels;
        self.fusion.run(scoring, settings.threshold, outputs, sampling, labels, anomaly)?;
        for run in &layout.masked {
            if let Some(masked) = anomaly.get_mut(run.clone()) {
                masked.fill(f32::NAN);
            }
        }
        Ok(())
    }

    /// The result of the last step, if it had one.
    pub fn segmentation(&self) -> Option<&Segmentation> {
        self.has_result.then_some(&self.out)
    }

    /// What the class head read of the last frame: f32 `[C, h, w]`, where the segmenter was made to give it.
    pub fn pre_logits(&self) -> Option<Logits<'_>> {
        self.segmenter.pre_logits().filter(|_| self.has_result)
    }

    /// As checked against the model.
    pub fn settings(&self) -> &PipelineSettings {
        &self.views[self.current].settings
    }

    /// What is never labelled, where something is.
    pub fn mask(&self) -> Option<&Gray> {
        self.views[self.current].mask.as_ref()
    }

    /// What the network runs on.
    pub fn provider(&self) -> &str {
        self.segmenter.provider()
    }

    /// How the last frame was laid onto the input; `None` before the first.
    pub fn geometry(&self) -> Option<&Geometry> {
        self.views[self.current].layout.as_ref().map(|l| &l.geometry)
    }

    fn layout<'l>(
        layout: &'l mut Option<Layout>,
        settings: &PipelineSettings,
        mask: Option<&Gray>,
        segmenter: &dyn Segmenter,
        frame: &Frame<'_>,
    ) -> Result<&'l mut Layout, StepError> {
        let camera = Size { width: frame.width(), height: frame.height() };
        let kept = match layout.take().filter(|l| l.geometry.camera == camera) {
            Some(kept) => kept,
            None => {
                let geometry = Geometry::new(camera, settings.region, settings.fit, segmenter.input_size())?;
                let masked =
                    mask.map(|m| masked_runs(m, &geometry, settings)).transpose()?.unwrap_or_default();
                Layout { geometry, sampling: None, masked }
            }
        };
        Ok(layout.insert(kept))
    }
}

/// What the score reads of the segmenter's last run.
fn outputs<'s>(segmenter: &'s mut dyn Segmenter, scoring: &Scoring) -> Result<Outputs<'s>, SegmentError> {
    let Some(clip) = scoring.clip() else { return Ok(segmenter.outputs()) };
    segmenter.rectify(clip)?;
    let rectified = segmenter.rectified_logits().map(|logits| Outputs { logits, ..segmenter.outputs() });
    rectified.ok_or_else(SegmentError::made_without_pre_logits)
}

fn masked_runs(
    mask: &Gray,
    geometry: &Geometry,
    settings: &PipelineSettings,
) -> Result<Vec<Range<usize>>, StepError> {
    let mask_size = Size { width: mask.width, height: mask.height };
    if mask_size != geometry.camera {
        return Err(StepError::Mask { mask: mask_size, image: geometry.camera });
    }
    let at = settings.output_size;
    let size = geometry.output_size(at);
    let mut runs: Vec<Range<usize>> = Vec::new();
    for i in 0..size.width * size.height {
        let pixel = geometry.camera_pixel(at, i % size.width, i / size.width);
        let masked = pixel.is_some_and(|(x, y)| mask.data[y * mask.width + x] != 0);
        match runs.last_mut() {
            Some(run) if masked && run.end == i => run.end += 1,
            _ if masked => runs.push(i..i + 1),
            _ => (),
        }
    }
    Ok(runs)
}

/// Takes masked pixels out of the maps and out of the counts.
fn mask_out(runs: &[Range<usize>], unknown: u8, out: &mut Segmentation) {
    for run in runs {
        for i in run.start..run.end.min(out.labels.len()) {
            let (label, anomaly) = (out.labels[i], out.anomaly[i]);
            if label != IGNORE {
                out.counts.scored -= 1;
                out.counts.unknown -= u64::from(label == unknown);
                out.counts.non_finite -= u64::from(anomaly.is_nan());
            }
            out.labels[i] = IGNORE;
            out.anomaly[i] = f32::NAN;
        }
    }
}

#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;
