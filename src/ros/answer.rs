//! One image of one camera: walked at the input size that fits its budget, and published; or a reason why not.

use super::arrived::Arrived;
use super::clock::Clock;
use super::convert;
use super::frame_status;
use super::health::{Published, Ready, Times, Unpublished};
use super::labelled::Labelled;
use super::lock;
use super::outputs::Outputs;
use super::safe::{Meaning, SafeState};
use super::station::Station;
use crate::assemble::Assembly;
use crate::budget::predictor::Work;
use crate::budget::resolution::{Change, Rung};
use crate::budget::stamps::{Birth, Stamp};
use crate::budget::{BadStamps, Budget};
use crate::config::NodeSettings;
use crate::fault::{OnFault, OnStuck};
use crate::hysteresis::Hysteresis;
use crate::monitor::drift::Drift;
use crate::monitor::picture::Watch;
use crate::preprocess::geometry::OutputSize;
use crate::sessions::Sessions;
use std::time::Instant;

/// A camera, as the thread sees it that works on its images.
pub(super) struct Eye {
    pub(super) station: Station,
    pub(super) outputs: Outputs,
    pub(super) safe: SafeState,
}

/// What is kept of a camera from frame to frame, while there is a model.
pub(super) struct View {
    pub(super) budget: Budget,
    settings: NodeSettings,
    /// Of the settings.
    version: u64,
    /// Of the scores.
    rescored: u64,
    picture: Watch,
    /// `None` where there is no histogram to hold the scores against, or no one wants that.
    drift: Option<Drift>,
    /// What labels were a moment ago, where they are to be held.
    hysteresis: Option<Hysteresis>,
    /// The kinds of bad stamps that were spoken of.
    told_stamps: Vec<&'static str>,
}

impl View {
    pub(super) fn resize(&mut self, now: Instant) -> Option<Change> {
        self.budget.resize(now)
    }
}

impl Eye {
    /// A new one, for a network that may be used at these sizes.
    pub(super) fn view(&self, rungs: &[Rung]) -> View {
        let tuned = lock(&self.station.tuned);
        View {
            budget: Budget::new(tuned.settings.budget, rungs.to_vec()),
            settings: tuned.settings.clone(),
            version: tuned.version,
            rescored: tuned.rescored,
            picture: Watch::default(),
            drift: None,
            hysteresis: tuned.settings.hysteresis.map(Hysteresis::new),
            told_stamps: Vec::new(),
        }
    }

    /// Which camera, for logs that would not tell otherwise.
    pub(super) fn of_whom(&self) -> String {
        let name = &self.station.name;
        if name.is_empty() { String::new() } else { format!(" (camera {name})") }
    }

    /// Takes up what was set since the last frame.
    pub(super) fn heed(&self, view: &mut View, sessions: &mut Sessions) {
        let (is_rescored, is_rewatched) = {
            let tuned = lock(&self.station.tuned);
            if tuned.version == view.version {
                return;
            }
            let is_rescored = tuned.rescored != view.rescored;
            let is_rewatched = tuned.settings.drift != view.settings.drift;
            // What was unknown by one score is not held by another's.
            if is_rescored || view.settings.hysteresis != tuned.settings.hysteresis {
                view.hysteresis = tuned.settings.hysteresis.map(Hysteresis::new);
            }
            (view.version, view.rescored) = (tuned.version, tuned.rescored);
            view.settings.clone_from(&tuned.settings);
            (is_rescored, is_rewatched)
        };
        view.budget.change(view.settings.budget);
        if is_rescored {
            self.retune(sessions);
        }
        if is_rescored || is_rewatched {
            self.announce(view, sessions, None);
        }
    }

    /// Sets scores and thresholds in all sessions, where they are others than these were made with.
    pub(super) fn retune(&self, sessions: &mut Sessions) {
        let tuned = lock(&self.station.tuned);
        let Some(walk) = &tuned.walk else { return };
        for Assembly { pipeline, .. } in sessions.all() {
            pipeline.turn_to(self.station.place);
            let size = pipeline.settings().input_size;
            if let Some(settings) = walk.iter().find(|s| s.input_size == size) {
                pipeline.retune(settings);
            }
        }
    }

    /// Tells which network is used from now on, and at which threshold, and begins to watch whether that fits.
    pub(super) fn announce(&self, view: &mut View, sessions: &mut Sessions, change: Option<Change>) {
        view.drift = None;
        let Ok(Assembly { pipeline, taxonomy, identity }) = sessions.at(view.budget.size()) else { return };
        pipeline.turn_to(self.station.place);
        let settings = pipeline.settings();
        let size = (settings.output_size == OutputSize::Network).then_some(settings.input_size);
        self.safe.mean(Meaning { unknown: taxonomy.unknown(), size });
        self.outputs.publish_label_info(taxonomy, settings.threshold);
        let ready = Ready {
            identity: identity.clone(),
            settings: settings.clone(),
            provider: pipeline.provider().to_owned(),
        };
        if let (Some(calibration), Some(watch)) = (&settings.histogram, view.settings.drift) {
            view.drift = Some(Drift::new(calibration, watch.window, Instant::now()));
        }
        lock(&self.station.health).ready(ready, change);
    }

    /// One image: to labels, to the safe state, or to a reason.
    pub(super) fn answer(
        &mut self,
        arrived: &Arrived,
        view: &mut View,
        sessions: &mut Sessions,
        clock: &Clock,
    ) -> Result<Published, Unpublished> {
        let birth = arrived.birth().ok_or_else(|| no_time("it did not when the image came"))?;
        self.judge(&birth, view);
        let walked = sessions.at(view.budget.size()).map(|assembly| {
            assembly.pipeline.turn_to(self.station.place);
            self.walk(arrived, &birth, assembly, view, clock)
        });
        let now = Instant::now();
        match &walked {
            Ok(Ok(_) | Err(Unpublished::Late(_))) => {
                if let Some(recovery) = sessions.succeeded(now) {
                    tracing::info!("{recovery}");
                }
            }
            Ok(Err(Unpublished::Failed(reason))) => sessions.failed(reason, now),
            Ok(Err(_)) | Err(_) => (), // says nothing of these sessions
        }
        let result = walked.unwrap_or_else(|reason| Err(Unpublished::Failed(reason)));
        if let Err(Unpublished::Failed(reason)) = &result
            && !self.is_given_up(view)
            && view.settings.fault.on_fault == OnFault::AllUnknown
        {
            self.safe.publish(&arrived.picture, &birth, reason);
        }
        result
    }

    fn walk(
        &mut self,
        arrived: &Arrived,
        birth: &Birth,
        Assembly { pipeline, taxonomy, identity }: &mut Assembly,
        view: &mut View,
        clock: &Clock,
    ) -> Result<Published, Unpublished> {
        view.budget.begin(birth, age_ms(clock, birth)?, Instant::now())?;
        let mut work = Work::default();
        let mut last = Instant::now();

        let image = arrived.picture.image().map_err(Unpublished::Rejected)?;
        lock(&self.station.health).shows(image.width, image.height, &image.encoding);
        let frame = convert::frame(&image).map_err(|e| Unpublished::Rejected(e.to_string()))?;
        let found = view.picture.look(&frame, pipeline.settings().region, pipeline.mask(), last);
        lock(&self.station.health).looked(last, found);

        let past = view.hysteresis.as_mut().map(|hysteresis| (hysteresis, birth.ns()));
        pipeline.step_after(&frame, past, &mut |stage| work.set(stage, lap_ms(&mut last)))?;
        if self.is_given_up(view) {
            return Err(Unpublished::GivenUp);
        }
        if !lock(&self.station.health).is_enabled() {
            return Err(Unpublished::Inactive);
        }
        let age = age_ms(clock, birth)?;
        if let Err(late) = view.budget.finish(age) {
            view.budget.worked(&work, last);
            return Err(late.into());
        }

        let (Some(segmentation), Some(geometry)) = (pipeline.segmentation(), pipeline.geometry()) else {
            return Err(Unpublished::Failed("the pipeline kept no result of its step".into()));
        };
        let settings = pipeline.settings();
        let of = Labelled { header: &image.header, frame, segmentation, geometry, settings, taxonomy };
        self.outputs.publish_labels(&of);
        work.labels = Some(lap_ms(&mut last));
        view.budget.worked(&work, last);
        // They are out: a clock that fails now does not take them back.
        let latency = age_ms(clock, birth).unwrap_or(age);
        let mut times = Times { latency, work, publish: 0.0 };
        let policy = view.budget.policy();
        let missed_budget_ms = policy.budget_ms.filter(|_| policy.is_over(latency));
        let camera_info = self.outputs.publish_data(&of, &times, || {
            frame_status::labelled(&of, identity, pipeline.provider(), &times, birth.stamp, missed_budget_ms)
        });
        self.outputs.publish_pictures(&of, view.settings.heatmap_range);
        times.publish = work.labels.unwrap_or(0.0) + lap_ms(&mut last);
        let psi = view.drift.as_mut().and_then(|drift| {
            drift.add(&segmentation.anomaly, last);
            drift.psi(last)
        });
        tracing::trace!(latency_ms = times.latency, "published");
        Ok(Published {
            times,
            stamp: birth.stamp,
            is_over_budget: missed_budget_ms.is_some(),
            work_p95_ms: view.budget.predictor().p95().map(|work| work.total_ms()),
            psi,
            no_camera_info: camera_info.err(),
        })
    }

    /// Whether younger images were answered meanwhile: nothing is published of this one any more.
    fn is_given_up(&self, view: &View) -> bool {
        view.settings.fault.on_stuck == OnStuck::AllUnknown && lock(&self.station.health).is_stuck()
    }

    /// Says once of a stamp that does not tell an age that it does not.
    fn judge(&self, birth: &Birth, view: &mut View) {
        let kind = birth.stamp.name();
        if birth.stamp == Stamp::Good || view.told_stamps.contains(&kind) {
            return;
        }
        view.told_stamps.push(kind);
        let what = match view.settings.budget.bad_stamps {
            BadStamps::Arrival => "their ages are counted from their arrival",
            BadStamps::Drop => "such images are not labelled",
        };
        let of_whom = self.of_whom();
        tracing::warn!("{}{of_whom}: {what}, as bad_stamps says; this is said once", birth.stamp);
    }
}

fn age_ms(clock: &Clock, birth: &Birth) -> Result<f64, Unpublished> {
    clock.now_ns().map(|now| birth.age_ms(now)).map_err(no_time)
}

fn no_time(reason: impl std::fmt::Display) -> Unpublished {
    Unpublished::NoTime(reason.to_string())
}

fn lap_ms(last: &mut Instant) -> f64 {
    let now = Instant::now();
    let ms = now.duration_since(*last).as_secs_f64() * 1e3;
    *last = now;
    ms
}
