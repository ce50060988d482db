//! The node's books: what came, what went, what it took, what is wrong. Pure: told events, asked for
//! statuses; the clock is the caller's.

use crate::assemble::Identity;
use crate::config::PipelineSettings;
use crate::pipeline::Stage;
use crate::window::Window;
use std::time::{Duration, Instant};

/// Results over which latencies are reported.
const WINDOW: usize = 300;

/// A frame that takes longer is reported as stuck: no network fit for a vehicle takes so long.
const STUCK_AFTER: Duration = Duration::from_secs(5);

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

/// What is known when the node starts.
#[derive(Debug, Clone)]
pub(super) struct Camera {
    /// Fully qualified, remapped.
    pub(super) topic: String,
    pub(super) qos: String,
    pub(super) budget_ms: f64,
    pub(super) stale_after: Duration,
}

/// What is known once the model is warm.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    pub(super) identity: Identity,
    pub(super) settings: PipelineSettings,
    pub(super) provider: String,
}

/// Who publishes on the camera's topic.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Publishers {
    /// Of images.
    pub(super) images: usize,
    /// A type that is not, where there is one: the usual reason for an endless wait.
    pub(super) other_type: Option<String>,
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

/// What a published frame took, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Times {
    /// From the image's stamp to the labels' publication; below 0 where the stamp is ahead of the clock.
    pub(super) latency: f64,
    pub(super) preprocess: f64,
    pub(super) inference: f64,
    pub(super) score: f64,
    /// Of all outputs, those for people included.
    pub(super) publish: f64,
}

impl Times {
    /// Enters a stage's duration.
    pub(super) fn set(&mut self, stage: Stage, ms: f64) {
        match stage {
            Stage::Preprocess => self.preprocess = ms,
            Stage::Inference => self.inference = ms,
            Stage::Score => self.score = ms,
        }
    }

    fn named(&self) -> [(&'static str, f64); 5] {
        [
            ("latency", self.latency),
            ("preprocess", self.preprocess),
            ("inference", self.inference),
            ("score", self.score),
            ("publish", self.publish),
        ]
    }
}

/// The books.
pub(super) struct Health {
    camera: Camera,
    ready: Option<Ready>,
    publishers: Publishers,
    started: Instant,
    frames_in: u64,
    frames_out: u64,
    frames_rejected: u64,
    frames_failed: u64,
    frames_over_age: u64,
    last_image: Option<Instant>,
    last_result: Option<Instant>,
    /// Since when the frame in work is.
    began: Option<Instant>,
    image: (u32, u32),
    encoding: String,
    rejected: Option<String>,
    failed: Option<String>,
    /// Age of the last image where that was over the budget on arrival.
    over_age: Option<f64>,
    /// Why `~/camera_info` is not published though it is wanted.
    no_camera_info: Option<String>,
    windows: [Window; 5],
    last: Times,
}

impl Health {
    pub(super) fn new(camera: Camera, now: Instant) -> Self {
        Self {
            camera,
            ready: None,
            publishers: Publishers::default(),
            started: now,
            frames_in: 0,
            frames_out: 0,
            frames_rejected: 0,
            frames_failed: 0,
            frames_over_age: 0,
            last_image: None,
            last_result: None,
            began: None,
            image: (0, 0),
            encoding: String::new(),
            rejected: None,
            failed: None,
            over_age: None,
            no_camera_info: None,
            windows: [(); 5].map(|()| Window::new(WINDOW)),
            last: Times::default(),
        }
    }

    pub(super) fn camera(&self) -> &Camera {
        &self.camera
    }

    /// Who publishes, counted anew.
    pub(super) fn publishers(&mut self, publishers: Publishers) {
        self.publishers = publishers;
    }

    /// Whether the model is warm.
    pub(super) fn is_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// The model is warm.
    pub(super) fn ready(&mut self, ready: Ready) {
        self.ready = Some(ready);
    }

    /// An image came out of the middleware.
    pub(super) fn arrived(&mut self, now: Instant) {
        self.frames_in += 1;
        self.last_image = Some(now);
    }

    /// Work on an image began.
    pub(super) fn began(&mut self, now: Instant, width: u32, height: u32, encoding: &str) {
        self.began = Some(now);
        self.image = (width, height);
        if encoding != self.encoding {
            self.encoding = encoding.chars().take(40).collect();
        }
    }

    /// The image was refused.
    pub(super) fn reject(&mut self, reason: String) {
        self.began = None;
        self.frames_rejected += 1;
        self.rejected = Some(reason);
    }

    /// The network or its output failed on a good image.
    pub(super) fn fail(&mut self, reason: String) {
        self.began = None;
        self.frames_failed += 1;
        self.rejected = None;
        self.failed = Some(reason);
    }

    /// The image was too old to go on with.
    pub(super) fn over_age(&mut self, age_ms: f64) {
        self.began = None;
        self.frames_over_age += 1;
        self.rejected = None;
        self.over_age = Some(age_ms);
    }

    /// A result was published.
    pub(super) fn publish(&mut self, now: Instant, times: Times, no_camera_info: Option<String>) {
        self.began = None;
        self.frames_out += 1;
        self.last_result = Some(now);
        self.rejected = None;
        self.failed = None;
        self.over_age = None;
        self.no_camera_info = no_camera_info;
        self.last = times;
        for (window, (_, ms)) in self.windows.iter_mut().zip(times.named()) {
            // A stamp ahead of the clock says nothing about latency: it is reported, not averaged.
            if ms >= 0.0 {
                window.push(ms);
            }
        }
    }

    /// The three statuses of `/diagnostics`. What the slot replaced is known elsewhere.
    pub(super) fn statuses(&self, now: Instant, replaced: u64) -> [Status; 3] {
        [self.camera_status(now, replaced), self.inference_status(now), self.latency_status(now)]
    }

    fn camera_status(&self, now: Instant, replaced: u64) -> Status {
        let Camera { topic, qos, stale_after, .. } = &self.camera;
        let publishers = &self.publishers;
        let age = self.last_image.map(|t| now.duration_since(t));
        let (state, level, message) = match age {
            None => {
                let waited = now.duration_since(self.started).as_secs_f64();
                let message = format!(
                    "waiting: no image yet on {topic} ({qos}); {publishers} publishers, {waited:.0} s since start"
                );
                ("waiting", Level::Warn, message)
            }
            Some(age) if age > *stale_after => {
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
        let values = vec![
            value("state", state),
            value("topic", topic),
            value("qos", qos),
            value("publishers", publishers.images),
            value("frames_in", self.frames_in),
            value("frames_out", self.frames_out),
            value("frames_replaced", replaced),
            value("frames_rejected", self.frames_rejected),
            value("frames_failed", self.frames_failed),
            value("frames_over_age", self.frames_over_age),
            value("last_image_age_s", seconds(age)),
            value("image_size", format!("{}x{}", self.image.0, self.image.1)),
            value("encoding", &self.encoding),
        ];
        Status { task: "camera", level, message, values }
    }

    fn inference_status(&self, now: Instant) -> Status {
        let at_work = self.began.map(|t| now.duration_since(t)).filter(|t| *t > STUCK_AFTER);
        let (level, message) = match (&self.ready, at_work, &self.failed) {
            (None, ..) => {
                let seconds = now.duration_since(self.started).as_secs_f64();
                (Level::Warn, format!("warming up for {seconds:.0} s"))
            }
            (_, Some(t), _) => {
                (Level::Error, format!("stuck: at work on one frame for {:.1} s", t.as_secs_f64()))
            }
            (_, None, Some(reason)) => (Level::Error, format!("failed: {reason}")),
            (_, None, None) => (Level::Ok, "running".into()),
        };
        let since = self.last_result.map(|t| now.duration_since(t));
        let mut values = vec![value("last_result_age_s", seconds(since))];
        if let Some(Ready { identity, settings, provider }) = &self.ready {
            values.extend([
                value("model", &identity.model),
                value("model_sha256", &identity.model_sha256),
                value("score", &settings.scoring),
                value("threshold", settings.threshold),
                value("threshold_origin", &settings.threshold_origin),
                value("provider", provider),
                value("onnxruntime", &identity.runtime),
                value("input_size", settings.input_size),
            ]);
        }
        values.push(value("version", crate::VERSION));
        Status { task: "inference", level, message, values }
    }

    fn latency_status(&self, now: Instant) -> Status {
        let budget = self.camera.budget_ms;
        let is_old = |t: Option<Instant>| t.is_some_and(|t| now.duration_since(t) > self.camera.stale_after);
        // Old percentiles would look like present ones.
        let silent = self.last_result.filter(|_| is_old(self.last_result));
        let all = match silent {
            None => self.windows.each_ref().map(Window::percentiles),
            Some(_) => [None; 5],
        };
        let p95 = all[0].map(|p| p.p95);
        let (level, message) = match (self.over_age.filter(|_| !is_old(self.last_image)), p95) {
            (Some(age), _) => (
                Level::Error,
                format!("images arrive {age:.1} ms old, over the budget of {budget} ms: none is begun"),
            ),
            _ if silent.is_some() => {
                let age = self.last_result.map(|t| now.duration_since(t));
                (Level::Warn, format!("no result for {} s", seconds(age)))
            }
            _ if self.last.latency < 0.0 => {
                (Level::Warn, format!("stamps are {:.1} ms ahead of the clock", -self.last.latency))
            }
            (None, None) => (Level::Ok, "no frame yet".into()),
            (None, Some(p95)) if budget > 0.0 && p95 > budget => {
                (Level::Warn, format!("p95 {p95:.1} ms is over the budget of {budget} ms"))
            }
            (None, Some(p95)) => (Level::Ok, format!("p95 {p95:.1} ms")),
        };
        let frames = all[0].map_or(0, |p| p.count);
        let mut values = vec![value("budget_ms", budget), value("frames", frames)];
        for ((name, _), percentiles) in Times::default().named().iter().zip(all) {
            let Some(p) = percentiles else { continue };
            for (rank, ms) in [("p50", p.p50), ("p95", p.p95), ("p99", p.p99), ("max", p.max)] {
                values.push(value(&format!("{name}_ms_{rank}"), format!("{ms:.3}")));
            }
        }
        Status { task: "latency", level, message, values }
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
#[path = "health_tests.rs"]
mod tests;
