//! The node's books: what came, what went, what it took, what is wrong. Pure: told events, asked for
//! statuses; the clock is the caller's.

use crate::assemble::Identity;
use crate::config::PipelineSettings;
use crate::pipeline::Stage;
use crate::window::Window;
use std::time::{Duration, Instant};

/// Results over which latencies are reported.
const WINDOW: usize = 300;

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

/// What never changes while the node runs.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) topic: String,
    pub(super) qos: String,
    pub(super) identity: Identity,
    pub(super) settings: PipelineSettings,
    pub(super) provider: String,
    pub(super) budget_ms: f64,
    pub(super) stale_after: Duration,
}

/// What a published frame took, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Times {
    /// From the image's stamp to the labels' publication.
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
    facts: Facts,
    started: Instant,
    frames_in: u64,
    frames_out: u64,
    frames_rejected: u64,
    frames_failed: u64,
    frames_over_age: u64,
    last_image: Option<Instant>,
    image: (u32, u32),
    encoding: String,
    rejected: Option<String>,
    failed: Option<String>,
    windows: [Window; 5],
}

impl Health {
    pub(super) fn new(facts: Facts, now: Instant) -> Self {
        Self {
            facts,
            started: now,
            frames_in: 0,
            frames_out: 0,
            frames_rejected: 0,
            frames_failed: 0,
            frames_over_age: 0,
            last_image: None,
            image: (0, 0),
            encoding: String::new(),
            rejected: None,
            failed: None,
            windows: [(); 5].map(|()| Window::new(WINDOW)),
        }
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// An image came out of the middleware.
    pub(super) fn arrived(&mut self, now: Instant) {
        self.frames_in += 1;
        self.last_image = Some(now);
    }

    /// What the images are like.
    pub(super) fn saw(&mut self, width: u32, height: u32, encoding: &str) {
        self.image = (width, height);
        if encoding != self.encoding {
            self.encoding = encoding.chars().take(40).collect();
        }
    }

    /// An image was refused. True where the reason is new, so that the log says it once.
    pub(super) fn reject(&mut self, reason: String) -> bool {
        self.frames_rejected += 1;
        let new = self.rejected.as_ref() != Some(&reason);
        self.rejected = Some(reason);
        new
    }

    /// The network or its output failed on a good image. True where the reason is new.
    pub(super) fn fail(&mut self, reason: String) -> bool {
        self.frames_failed += 1;
        self.rejected = None;
        let new = self.failed.as_ref() != Some(&reason);
        self.failed = Some(reason);
        new
    }

    /// An image was too old to begin with.
    pub(super) fn over_age(&mut self) {
        self.frames_over_age += 1;
    }

    /// A result was published.
    pub(super) fn publish(&mut self, times: Times) {
        self.frames_out += 1;
        self.rejected = None;
        self.failed = None;
        for (window, (_, ms)) in self.windows.iter_mut().zip(times.named()) {
            window.push(ms);
        }
    }

    /// The three statuses of `/diagnostics`. `replaced` and `publishers` are known elsewhere.
    pub(super) fn statuses(&self, now: Instant, replaced: u64, publishers: usize) -> [Status; 3] {
        [self.camera(now, replaced, publishers), self.inference(), self.latency()]
    }

    fn camera(&self, now: Instant, replaced: u64, publishers: usize) -> Status {
        let Facts { topic, qos, stale_after, .. } = &self.facts;
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
            Some(_) => match &self.rejected {
                Some(reason) => ("rejected", Level::Error, format!("rejected: {reason}")),
                None => ("active", Level::Ok, "active".into()),
            },
        };
        let values = vec![
            value("state", state),
            value("topic", topic),
            value("qos", qos),
            value("publishers", publishers),
            value("frames_in", self.frames_in),
            value("frames_out", self.frames_out),
            value("frames_replaced", replaced),
            value("frames_rejected", self.frames_rejected),
            value("frames_failed", self.frames_failed),
            value("frames_over_age", self.frames_over_age),
            value("last_image_age_s", age.map_or("none".into(), |a| format!("{:.3}", a.as_secs_f64()))),
            value("image_size", format!("{}x{}", self.image.0, self.image.1)),
            value("encoding", &self.encoding),
        ];
        Status { task: "camera", level, message, values }
    }

    fn inference(&self) -> Status {
        let Facts { identity, settings, provider, .. } = &self.facts;
        let (level, message) = match &self.failed {
            None => (Level::Ok, "running".into()),
            Some(reason) => (Level::Error, format!("failed: {reason}")),
        };
        let values = vec![
            value("model", &identity.model),
            value("model_sha256", &identity.model_sha256),
            value("score", settings.score),
            value("threshold", settings.threshold),
            value("threshold_origin", &settings.threshold_origin),
            value("provider", provider),
            value("onnxruntime", &identity.runtime),
            value("input_size", settings.input_size),
        ];
        Status { task: "inference", level, message, values }
    }

    fn latency(&self) -> Status {
        let budget = self.facts.budget_ms;
        let all = self.windows.each_ref().map(Window::percentiles);
        let p95 = all[0].map(|p| p.p95);
        let (level, message) = match p95 {
            None => (Level::Ok, "no frame yet".into()),
            Some(p95) if budget > 0.0 && p95 > budget => {
                (Level::Warn, format!("p95 {p95:.1} ms is over the budget of {budget} ms"))
            }
            Some(p95) => (Level::Ok, format!("p95 {p95:.1} ms")),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocess::geometry::{Fit, OutputSize, Size};
    use crate::score::Score;

    fn health(budget_ms: f64) -> (Health, Instant) {
        let settings = PipelineSettings {
            score: Score::Hybrid,
            threshold: -0.5,
            threshold_origin: "test".into(),
            input_size: Size { width: 8, height: 8 },
            fit: Fit::Stretch,
            region: None,
            output_size: OutputSize::Camera,
        };
        let identity = Identity { model: "m".into(), model_sha256: "s".into(), runtime: "r".into() };
        let now = Instant::now();
        let facts = Facts {
            topic: "/camera".into(),
            qos: "best effort".into(),
            identity,
            settings,
            provider: "cpu".into(),
            budget_ms,
            stale_after: Duration::from_secs(1),
        };
        (Health::new(facts, now), now)
    }

    fn get<'a>(status: &'a Status, key: &str) -> &'a str {
        &status.values.iter().find(|(k, _)| k == key).unwrap().1
    }

    #[test]
    fn a_camera_waits_is_active_goes_stale_and_comes_back() {
        let (mut h, t) = health(0.0);
        let camera = |h: &Health, s: f64| h.statuses(t + Duration::from_secs_f64(s), 2, 1)[0].clone();
        let waiting = camera(&h, 3.0);
        assert_eq!((waiting.level, get(&waiting, "state")), (Level::Warn, "waiting"));
        assert!(waiting.message.contains("/camera") && waiting.message.contains("best effort"));
        h.arrived(t + Duration::from_secs(4));
        assert_eq!(get(&camera(&h, 4.5), "state"), "active");
        assert_eq!(get(&camera(&h, 4.5), "frames_replaced"), "2");
        let stale = camera(&h, 6.3);
        assert_eq!((stale.level, get(&stale, "state")), (Level::Warn, "stale"));
        assert!(stale.message.contains("2.3 s"), "{}", stale.message);
        h.arrived(t + Duration::from_secs(7));
        assert_eq!(camera(&h, 7.0).level, Level::Ok);
    }

    #[test]
    fn a_refused_image_is_told_until_a_good_one_is_published() {
        let (mut h, t) = health(0.0);
        h.arrived(t);
        assert!(h.reject("too small".into()));
        assert!(!h.reject("too small".into()), "said once");
        let s = &h.statuses(t, 0, 1)[0];
        assert_eq!((s.level, s.message.as_str()), (Level::Error, "rejected: too small"));
        assert_eq!(get(s, "frames_rejected"), "2");
        h.publish(Times::default());
        assert_eq!(h.statuses(t, 0, 1)[0].level, Level::Ok);
    }

    #[test]
    fn a_failed_inference_is_an_error_until_one_succeeds() {
        let (mut h, t) = health(0.0);
        h.arrived(t);
        assert!(h.fail("broken".into()));
        let s = &h.statuses(t, 0, 1)[1];
        assert_eq!((s.level, s.message.as_str()), (Level::Error, "failed: broken"));
        h.publish(Times::default());
        assert_eq!(h.statuses(t, 0, 1)[1].message, "running");
    }

    #[test]
    fn latency_over_the_budget_is_a_warning() {
        let (mut h, t) = health(50.0);
        assert_eq!(h.statuses(t, 0, 1)[2].message, "no frame yet");
        h.publish(Times { latency: 49.0, inference: 30.0, ..Times::default() });
        let s = h.statuses(t, 0, 1)[2].clone();
        assert_eq!((s.level, get(&s, "inference_ms_p99"), get(&s, "frames")), (Level::Ok, "30.000", "1"));
        h.publish(Times { latency: 51.0, ..Times::default() });
        let s = &h.statuses(t, 0, 1)[2];
        assert_eq!(s.level, Level::Warn);
        assert!(s.message.contains("51.0") && s.message.contains("50 ms"), "{}", s.message);
    }
}
