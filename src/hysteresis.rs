//! Labels that do not flicker: a pixel turns unknown at once, and known again only when that has lasted.
//!
//! A pixel whose score wavers about the threshold τ changes its label from frame to frame, and whoever counts or
//! tracks unknown things sees them come and go. So a pixel that was unknown stays so until its score has been at
//! most τ − δ for n frames in a row. Only that: what is over τ is unknown, as without it, and what was known does not
//! become unknown by it. The anomaly map is left as it is.
//!
//! # What moves leaves no trail
//! A pixel is a place in the picture, not a thing on the road. Where an unknown thing has moved on, its old place has
//! a score of its own, and may have one between τ − δ and τ for good. That place is known by its picture: each
//! unknown pixel remembers how bright it was when its score was last over τ, and is released at once when it is
//! [`CHANGED`] levels brighter or darker. What is left is a thing of its background's own brightness: its old place is
//! held while its score says that it is nearly unknown, and n − 1 frames longer. Scores alone cannot tell that
//! apart from a dip; n is 1 unless asked for.
//!
//! # Where the state lies
//! At the labels' size. Scores are of upsampled logits, so that at the logits' size there is none, and a label is what
//! flickers. It is two bytes a pixel: a count and a brightness.
//!
//! Place: the end of the walk, between the mask and whoever reads the labels; one of these a camera, since a pipeline
//! may serve several. No clock: the frame's stamp comes in. Deliberately does not know: scores' formulas, ROS.

use crate::frame::Frame;
use crate::labels::IGNORE;
use crate::preprocess::geometry::{Geometry, OutputSize};

/// Brighter or darker by so much than when it was unknown, a pixel shows something else: three times the noise of a
/// sensor at night, less than most things differ from the road.
pub const CHANGED: u8 = 24;

/// Frames further apart do not follow one another: in a second all of the picture is another.
pub const LONGEST_GAP_NS: i64 = 1_000_000_000;

/// Frames that a hold can be asked to outlast.
pub const MOST_FRAMES: u8 = 100;

/// What the user wants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// δ, in the score's unit, 0 or more.
    pub delta: f32,
    /// n, 1 to [`MOST_FRAMES`].
    pub frames: u8,
}

/// A frame whose labels and scores are there.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The camera's picture.
    pub frame: &'a Frame<'a>,
    /// How it was laid onto the input.
    pub geometry: &'a Geometry,
    /// At which size the labels are.
    pub at: OutputSize,
    /// τ.
    pub threshold: f32,
    /// K.
    pub unknown: u8,
    /// When it was taken.
    pub stamp_ns: i64,
}

/// What must be the same for one frame to follow another, and when the last one was.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Scene {
    geometry: Geometry,
    at: OutputSize,
    threshold: f32,
}

/// One camera's memory.
#[derive(Debug)]
pub struct Hysteresis {
    settings: Settings,
    last: Option<(Scene, i64)>,
    /// A label pixel each. 0: known. s from 1 on: unknown, and its score was at most τ − δ in the last s − 1 frames.
    state: Vec<u8>,
    /// How bright an unknown pixel was when its score was last over τ.
    brightness: Vec<u8>,
}

impl Hysteresis {
    /// Without a past.
    pub fn new(settings: Settings) -> Self {
        let frames = settings.frames.clamp(1, MOST_FRAMES);
        let settings = Settings { frames, ..settings };
        Self { settings, last: None, state: Vec::new(), brightness: Vec::new() }
    }

    /// Holds what was unknown: labels that are known by their score and are not yet believed become K. `labels` and
    /// `anomaly` are `[height, width]` of the moment's size; gives how many labels were held.
    ///
    /// The past is forgotten where the frame does not follow the last one: more than [`LONGEST_GAP_NS`] later, not
    /// later at all, of another size or region, or judged by another threshold or network input. Allocates nothing
    /// once the size has been seen.
    pub fn hold(&mut self, moment: &Moment<'_>, labels: &mut [u8], anomaly: &[f32]) -> u64 {
        let Moment { frame, geometry, at, threshold, unknown, stamp_ns } = *moment;
        self.follow(Scene { geometry: *geometry, at, threshold }, stamp_ns, labels.len());
        let width = geometry.output_size(at).width.max(1);
        let (low, frames) = (threshold - self.settings.delta, self.settings.frames);
        let bright = |x: usize, y: usize| geometry.camera_pixel(at, x, y).map(|(x, y)| frame.luma(x, y));
        let mut held = 0;
        let rows = labels.chunks_mut(width).zip(anomaly.chunks(width));
        let memory = self.state.chunks_mut(width).zip(self.brightness.chunks_mut(width));
        for (y, ((labels, anomaly), (state, brightness))) in rows.zip(memory).enumerate() {
            for (x, label) in labels.iter_mut().enumerate() {
                if *label == unknown {
                    state[x] = 1;
                    brightness[x] = bright(x, y).unwrap_or(0);
                } else if state[x] != 0 {
                    // s − 1 before this one make s with it.
                    let below = if anomaly[x] <= low { state[x] } else { 0 };
                    let is_same = bright(x, y).is_some_and(|b| b.abs_diff(brightness[x]) < CHANGED);
                    if *label == IGNORE || below >= frames || !is_same {
                        state[x] = 0;
                    } else {
                        state[x] = below + 1;
                        *label = unknown;
                        held += 1;
                    }
                }
            }
        }
        held
    }

    /// Forgets all where the frame does not follow the last one.
    fn follow(&mut self, scene: Scene, stamp_ns: i64, pixels: usize) {
        let follows = self.last.is_some_and(|(last, last_ns)| {
            let gap_ns = stamp_ns.saturating_sub(last_ns);
            last == scene && gap_ns > 0 && gap_ns <= LONGEST_GAP_NS
        });
        self.last = Some((scene, stamp_ns));
        if !follows || self.state.len() != pixels {
            self.state.clear();
            self.state.resize(pixels, 0);
            self.brightness.resize(pixels, 0);
        }
    }
}

#[cfg(test)]
#[path = "hysteresis_tests.rs"]
mod tests;
