//! The network's status: whether it is warm, runs, fails or is stuck, and which one it is.

use super::{Level, Status, Unpublished, seconds, value};
use crate::assemble::Identity;
use crate::budget::resolution::Change;
use crate::config::PipelineSettings;
use crate::fault::Watchdog;
use crate::lifecycle::State;
use crate::realtime::Report;
use std::time::{Duration, Instant};

/// What is known once the model is warm.
#[derive(Debug, Clone)]
pub(in crate::ros) struct Ready {
    pub(in crate::ros) identity: Identity,
    pub(in crate::ros) settings: PipelineSettings,
    pub(in crate::ros) provider: String,
}

pub(super) struct InferenceBook {
    state: State,
    entered: Instant,
    ready: Option<Ready>,
    changes: u64,
    last_change: Option<Change>,
    last_result: Option<Instant>,
    watchdog: Watchdog,
    failed: Option<String>,
    /// Results of the safe state.
    all_unknown: u64,
    rebuilds: u64,
    /// What the kernel made of the wishes.
    granted: Report,
    /// Other nodes of this one's name.
    namesakes: usize,
}

impl InferenceBook {
    pub(super) fn new(stuck_after: Duration, now: Instant) -> Self {
        Self {
            state: State::Unconfigured,
            entered: now,
            ready: None,
            changes: 0,
            last_change: None,
            last_result: None,
            watchdog: Watchdog::new(stuck_after),
            failed: None,
            all_unknown: 0,
            rebuilds: 0,
            granted: Report::default(),
            namesakes: 0,
        }
    }

    pub(super) fn entered(&mut self, state: State, now: Instant) {
        (self.state, self.entered) = (state, now);
    }

    pub(super) fn freed(&mut self) {
        (self.ready, self.failed) = (None, None);
        self.watchdog.ended();
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready.is_some()
    }

    pub(super) fn ready(&mut self, ready: Ready, change: Option<Change>) {
        self.ready = Some(ready);
        self.changes += u64::from(change.is_some());
        self.last_change = change.or(self.last_change);
    }

    pub(super) fn granted(&mut self, granted: Report) {
        self.granted = granted;
    }

    pub(super) fn namesakes(&mut self, others: usize) {
        self.namesakes = others;
    }

    /// What is not well with a node that runs all the same.
    fn caveat(&self) -> Option<String> {
        let same_name = (self.namesakes > 0).then(|| {
            let n = self.namesakes;
            format!("{n} more of this name: whoever reads its topics hears all of them; name one apart (__node, __ns)")
        });
        same_name.or_else(|| self.granted.refused())
    }

    pub(super) fn work_began(&mut self) {
        self.watchdog.began();
    }

    pub(super) fn work_ended(&mut self) {
        self.watchdog.ended();
    }

    pub(super) fn look(&mut self, now: Instant) {
        self.watchdog.look(now);
    }

    pub(super) fn stuck(&self) -> Option<Duration> {
        self.watchdog.stuck()
    }

    pub(super) fn all_unknown(&mut self) {
        self.all_unknown += 1;
    }

    pub(super) fn rebuilding(&mut self) {
        self.rebuilds += 1;
    }

    pub(super) fn published(&mut self, now: Instant) {
        self.failed = None;
        self.last_result = Some(now);
    }

    pub(super) fn unpublished(&mut self, unpublished: &Unpublished) {
        match unpublished {
            Unpublished::Failed(reason) => self.failed = Some(reason.clone()),
            Unpublished::NoTime(_) => self.failed = Some(unpublished.to_string()),
            Unpublished::GivenUp | Unpublished::Late(_) => self.failed = None,
            // Says nothing of the network.
            Unpublished::Rejected(_) | Unpublished::Inactive | Unpublished::NotBegun(_) => (),
        }
    }

    pub(super) fn status(&self, now: Instant) -> Status {
        let (level, message) = match (self.state, self.stuck(), &self.failed) {
            (State::Configuring, ..) => {
                let seconds = now.duration_since(self.entered).as_secs_f64();
                (Level::Warn, format!("warming up for {seconds:.0} s"))
            }
            (_, Some(t), _) => {
                (Level::Error, format!("stuck: at work on one frame for {:.1} s", t.as_secs_f64()))
            }
            (State::Active, None, Some(reason)) => (Level::Error, format!("failed: {reason}")),
            (State::Active, None, None) => match self.caveat() {
                Some(caveat) => (Level::Warn, format!("running, but {caveat}")),
                None => (Level::Ok, "running".into()),
            },
            (state, None, _) => (Level::Ok, state.label().into()),
        };
        let since = self.last_result.map(|t| now.duration_since(t));
        let mut values = vec![
            value("state", self.state.label()),
            value("last_result_age_s", seconds(since)),
            value("results_all_unknown", self.all_unknown),
            value("rebuilds", self.rebuilds),
            value("namesakes", self.namesakes),
        ];
        values.extend(self.granted.values().map(|(name, told)| value(name, told)));
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
                value("input_size_changes", self.changes),
                value("last_change", self.last_change.map_or("none".into(), |c| c.to_string())),
            ]);
        }
        values.push(value("version", crate::VERSION));
        Status { task: "inference", level, message, values }
    }
}
