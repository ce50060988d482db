//! The camera's status: whether images come, and what became of each.

use super::{Level, Published, Status, Unpublished, seconds, value};
use crate::budget::Refusal;
use crate::lifecycle::State;
use std::time::{Duration, Instant};

/// What is known when the node starts.
#[derive(Debug, Clone)]
pub(in crate::ros) struct Camera {
    /// As it is known by, whatever transports its images: its topic, fully qualified, remapped.
    pub(in crate::ros) hardware_id: String,
    /// What is subscribed to.
    pub(in crate::ros) topic: String,
    pub(in crate::ros) qos: String,
}

/// Who publishes on the camera's topic.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::ros) struct Publishers {
    /// Of images.
    pub(in crate::ros) images: usize,
    /// A type that is not, where there is one: the usual reason for an endless wait.
    pub(in crate::ros) other_type: Option<String>,
}

impl std::fmt::Display for Publishers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} publishers", self.images)?;
        match &self.other_type {
            Some(other) => write!(f, " of images, but one of {other}"),
            None => Ok(()),
        }
    }
}

/// Every frame that came is in one of these, was replaced in the slot, or is in flight.
#[derive(Debug, Default)]
struct Frames {
    published: u64,
    rejected: u64,
    failed: u64,
    inactive: u64,
    bad_stamp: u64,
    over_age: u64,
    would_miss: u64,
    late: u64,
}

pub(super) struct CameraBook {
    camera: Camera,
    stale_after: Duration,
    publishers: Publishers,
    state: State,
    is_enabled: bool,
    /// When it last was, or the node began.
    started: Instant,
    last_image: Option<Instant>,
    arrived: u64,
    frames: Frames,
    image: (u32, u32),
    encoding: String,
    /// Why the last image was.
    rejected: Option<String>,
    no_camera_info: Option<String>,
}

impl CameraBook {
    pub(super) fn new(camera: Camera, stale_after: Duration, now: Instant) -> Self {
        Self {
            camera,
            stale_after,
            publishers: Publishers::default(),
            state: State::Unconfigured,
            is_enabled: false,
            started: now,
            last_image: None,
            arrived: 0,
            frames: Frames::default(),
            image: (0, 0),
            encoding: String::new(),
            rejected: None,
            no_camera_info: None,
        }
    }

    pub(super) fn hardware_id(&self) -> &str {
        &self.camera.hardware_id
    }

    pub(super) fn set(&mut self, stale_after: Duration) {
        self.stale_after = stale_after;
    }

    pub(super) fn entered(&mut self, state: State) {
        self.state = state;
    }

    pub(super) fn enable(&mut self, is_enabled: bool, now: Instant) {
        self.is_enabled = is_enabled;
        self.started = now;
        self.last_image = None;
        self.rejected = None;
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.is_enabled
    }

    pub(super) fn publishers(&mut self, publishers: Publishers) {
        self.publishers = publishers;
    }

    pub(super) fn arrived(&mut self, now: Instant) {
        self.arrived += 1;
        self.last_image = Some(now);
    }

    pub(super) fn shows(&mut self, width: u32, height: u32, encoding: &str) {
        self.image = (width, height);
        if encoding != self.encoding {
            self.encoding = encoding.chars().take(40).collect();
        }
    }

    pub(super) fn published(&mut self, published: &Published) {
        self.frames.published += 1;
        self.rejected = None;
        self.no_camera_info.clone_from(&published.no_camera_info);
    }

    pub(super) fn unpublished(&mut self, unpublished: &Unpublished) {
        let frames = &mut self.frames;
        let count = match unpublished {
            Unpublished::Rejected(_) => &mut frames.rejected,
            Unpublished::Failed(_) | Unpublished::NoTime(_) | Unpublished::GivenUp => &mut frames.failed,
            Unpublished::Inactive => &mut frames.inactive,
            Unpublished::NotBegun(Refusal::Stamp(_)) => &mut frames.bad_stamp,
            Unpublished::NotBegun(Refusal::OverAge { .. }) => &mut frames.over_age,
            Unpublished::NotBegun(Refusal::WouldMiss { .. }) => &mut frames.would_miss,
            Unpublished::Late(_) => &mut frames.late,
        };
        *count += 1;
        self.rejected = match unpublished {
            Unpublished::Rejected(reason) => Some(reason.clone()),
            _ => None,
        };
    }

    pub(super) fn status(&self, now: Instant, replaced: u64) -> Status {
        let Camera { topic, qos, .. } = &self.camera;
        let publishers = &self.publishers;
        let age = self.last_image.map(|t| now.duration_since(t));
        let (state, level, message) = match age {
            _ if !self.is_enabled => {
                let state = self.state.label();
                ("not subscribed", Level::Ok, format!("not subscribed to {topic}: the node is {state}"))
            }
            None => {
                let waited = now.duration_since(self.started).as_secs_f64();
                let message = format!(
                    "waiting: no image yet on {topic} ({qos}); {publishers} publishers, {waited:.0} s since start"
                );
                ("waiting", Level::Warn, message)
            }
            Some(age) if age > self.stale_after => {
                let message = format!(
                    "stale: no image for {:.1} s on {topic} ({qos}); {publishers} publishers",
                    age.as_secs_f64()
                );
                ("stale", Level::Warn, message)
            }
            Some(_) => match (&self.rejected, &self.no_camera_info) {
                (Some(reason), _) => ("rejected", Level::Error, format!("rejected: {reason}")),
                (None, Some(reason)) => {
                    ("active", Level::Warn, format!("active, but ~/camera_info is not published: {reason}"))
                }
                (None, None) => ("active", Level::Ok, "active".into()),
            },
        };
        let frames = &self.frames;
        let values = vec![
            value("state", state),
            value("topic", topic),
            value("qos", qos),
            value("publishers", publishers.images),
            value("frames_in", self.arrived),
            value("frames_out", frames.published),
            value("frames_replaced", replaced),
            value("frames_rejected", frames.rejected),
            value("frames_failed", frames.failed),
            value("frames_inactive", frames.inactive),
            value("frames_bad_stamp", frames.bad_stamp),
            value("frames_over_age", frames.over_age),
            value("frames_would_miss", frames.would_miss),
            value("frames_late", frames.late),
            value("last_image_age_s", seconds(age)),
            value("image_size", format!("{}x{}", self.image.0, self.image.1)),
            value("encoding", &self.encoding),
        ];
        Status { task: "camera", level, message, values }
    }
}
