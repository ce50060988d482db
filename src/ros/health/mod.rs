//! The node's books: what came, what went, what it took, what is wrong. Pure: told events, asked for
//! statuses; the clock is the caller's. One file a status.

mod camera;
mod drift;
mod image;
mod inference;
mod latency;

pub(super) use camera::{Camera, Publishers};
pub(super) use inference::Ready;
pub(super) use latency::Times;

use crate::budget::resolution::Change;
use crate::budget::stamps::Stamp;
use crate::budget::{Late, Refusal};
use crate::config::NodeSettings;
use crate::lifecycle::State;
use crate::monitor::picture::Findings;
use crate::pipeline::StepError;
use crate::realtime::Report;
use camera::CameraBook;
use drift::DriftBook;
use image::ImageBook;
use inference::InferenceBook;
use latency::LatencyBook;
use std::time::{Duration, Instant};

/// REP-107 levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Ok = 0,
    Warn = 1,
    Error = 2,
}

/// One status of a diagnostic array, before it is a message.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Status {
    pub(super) task: &'static str,
    pub(super) level: Level,
    pub(super) message: String,
    pub(super) values: Vec<(String, String)>,
}

/// A result that went out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Published {
    pub(super) times: Times,
    /// By which its age is known, or not.
    pub(super) stamp: Stamp,
    /// It says so itself.
    pub(super) is_over_budget: bool,
    /// What the next frame's work will not exceed but for one in twenty, in milliseconds.
    pub(super) work_p95_ms: Option<f64>,
    /// How far the last scores are from the calibration's, where that is watched.
    pub(super) psi: Option<f64>,
    /// Why `~/camera_info` is not published though it is wanted.
    pub(super) no_camera_info: Option<String>,
}

/// Why an image has no result, or none that is published.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum Unpublished {
    /// The image is not what it says, or not for this region or mask.
    #[error("image rejected: {0}")]
    Rejected(String),
    /// The network or its output failed on a good image.
    #[error("no result: {0}")]
    Failed(String),
    /// No one knows how old it is.
    #[error("no result: the ROS clock does not tell the time: {0}")]
    NoTime(String),
    /// It took so long that others were answered for it.
    #[error("no result: it came when the frame had been given up as stuck")]
    GivenUp,
    /// No one wants results any more.
    #[error("no result: the node was deactivated meanwhile")]
    Inactive,
    /// It is too late for it.
    #[error(transparent)]
    NotBegun(#[from] Refusal),
    /// It became too late for it.
    #[error(transparent)]
    Late(#[from] Late),
}

impl From<StepError> for Unpublished {
    fn from(error: StepError) -> Self {
        if error.is_input() { Self::Rejected(error.to_string()) } else { Self::Failed(error.to_string()) }
    }
}

/// The books.
pub(super) struct Health {
    camera: CameraBook,
    inference: InferenceBook,
    latency: LatencyBook,
    image: ImageBook,
    drift: DriftBook,
}

impl Health {
    pub(super) fn new(camera: Camera, settings: &NodeSettings, now: Instant) -> Self {
        Self {
            camera: CameraBook::new(camera, settings.stale_after, now),
            inference: InferenceBook::new(settings.fault.stuck_after, now),
            latency: LatencyBook::new(settings.budget, settings.stale_after),
            image: ImageBook::new(settings.picture, settings.stale_after),
            drift: DriftBook::new(settings.drift, settings.stale_after),
        }
    }

    /// What the camera is known by.
    pub(super) fn hardware_id(&self) -> &str {
        self.camera.hardware_id()
    }

    /// Other limits from now on.
    pub(super) fn set(&mut self, settings: &NodeSettings) {
        self.camera.set(settings.stale_after);
        self.latency.set(settings.budget, settings.stale_after);
        self.image.set(settings.picture, settings.stale_after);
        self.drift.set(settings.drift, settings.stale_after);
    }

    /// The node is in another state.
    pub(super) fn entered(&mut self, state: State, now: Instant) {
        self.camera.entered(state);
        self.inference.entered(state, now);
    }

    /// Whether images are taken and results published, from now on.
    pub(super) fn enable(&mut self, is_enabled: bool, now: Instant) {
        self.camera.enable(is_enabled, now);
        self.latency.enable();
        self.image.enable();
        self.drift.enable();
    }

    /// Whether they are.
    pub(super) fn is_enabled(&self) -> bool {
        self.camera.is_enabled()
    }

    /// There is no model any more.
    pub(super) fn freed(&mut self) {
        self.inference.freed();
    }

    /// Who publishes, counted anew.
    pub(super) fn publishers(&mut self, publishers: Publishers) {
        self.camera.publishers(publishers);
    }

    /// How many other nodes have this one's name, counted anew.
    pub(super) fn namesakes(&mut self, others: usize) {
        self.inference.namesakes(others);
    }

    /// Whether the model is warm.
    pub(super) fn is_ready(&self) -> bool {
        self.inference.is_ready()
    }

    /// The model is warm, or, after a change, the one of another input size is used.
    pub(super) fn ready(&mut self, ready: Ready, change: Option<Change>) {
        self.drift.ready(ready.settings.histogram.is_some());
        self.inference.ready(ready, change);
    }

    /// What the kernel made of the wishes.
    pub(super) fn granted(&mut self, granted: Report) {
        self.inference.granted(granted);
    }

    /// An image came out of the middleware. Whether the work on an earlier one is stuck.
    pub(super) fn arrived(&mut self, now: Instant) -> bool {
        self.camera.arrived(now);
        self.latency.arrived(now);
        self.is_stuck()
    }

    /// It is not worked on, since the work on an earlier one is stuck.
    pub(super) fn given_up(&mut self) {
        self.camera.unpublished(&Unpublished::GivenUp);
    }

    /// The thread that works on this camera's images has begun with one, of whichever of its cameras.
    pub(super) fn work_began(&mut self) {
        self.inference.work_began();
    }

    /// And has ended.
    pub(super) fn work_ended(&mut self) {
        self.inference.work_ended();
    }

    /// An image of this camera was taken up.
    pub(super) fn shows(&mut self, width: u32, height: u32, encoding: &str) {
        self.camera.shows(width, height, encoding);
    }

    /// Looks whether work ends, at regular intervals; for how long it has not, where it is stuck.
    pub(super) fn look(&mut self, now: Instant) -> Option<Duration> {
        self.inference.look(now);
        self.inference.stuck()
    }

    /// Whether the frame in work is stuck.
    pub(super) fn is_stuck(&self) -> bool {
        self.inference.stuck().is_some()
    }

    /// Labels of the safe state went out.
    pub(super) fn all_unknown(&mut self) {
        self.inference.all_unknown();
    }

    /// The sessions are being made anew.
    pub(super) fn rebuilding(&mut self) {
        self.inference.rebuilding();
    }

    /// What it looks like.
    pub(super) fn looked(&mut self, now: Instant, found: Findings) {
        self.image.looked(now, found);
    }

    /// It came to a result that was published.
    pub(super) fn published(&mut self, now: Instant, published: &Published) {
        self.camera.published(published);
        self.inference.published(now);
        self.latency.published(now, published);
        self.drift.published(now, published);
    }

    /// It did not.
    pub(super) fn unpublished(&mut self, unpublished: &Unpublished) {
        self.camera.unpublished(unpublished);
        self.inference.unpublished(unpublished);
        self.latency.unpublished(unpublished);
    }

    /// The statuses of `/diagnostics`. What the slot replaced is known elsewhere.
    pub(super) fn statuses(&self, now: Instant, replaced: u64) -> [Status; 5] {
        [
            self.camera.status(now, replaced),
            self.inference.status(now),
            self.latency.status(now),
            self.image.status(now),
            self.drift.status(now),
        ]
    }
}

/// A key and its value as text.
pub(super) fn value(key: &str, value: impl ToString) -> (String, String) {
    (key.to_owned(), value.to_string())
}

fn seconds(age: Option<Duration>) -> String {
    age.map_or("none".into(), |a| format!("{:.3}", a.as_secs_f64()))
}

#[cfg(test)]
mod tests;
