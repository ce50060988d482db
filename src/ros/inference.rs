//! The inference thread: loads the model, then takes the newest image, walks it at the input size that fits the
//! budget, publishes, keeps the books and the sessions, until the slot is closed.

use super::camera::Arrived;
use super::clock::Clock;
use super::convert;
use super::frame_status;
use super::health::{Health, Published, Ready, Times, Unpublished};
use super::lock;
use super::logging::Throttle;
use super::outputs::{Labelled, Outputs};
use super::safe::{Meaning, SafeState};
use crate::assemble::{AssembleError, Assembly, Builder};
use crate::budget::predictor::Work;
use crate::budget::resolution::{Change, Rung};
use crate::budget::stamps::{Birth, Stamp};
use crate::budget::{BadStamps, Budget, Refusal};
use crate::config::NodeSettings;
use crate::fault::{OnFault, OnStuck};
use crate::frame::Frame;
use crate::latest::Latest;
use crate::monitor::drift::Drift;
use crate::monitor::picture::Watch;
use crate::preprocess::geometry::OutputSize;
use crate::sessions::{Event, Sessions};
use r2r::sensor_msgs::msg::Image;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::oneshot;

/// Runs of the bare network at the warm-up, of which the quickest counts: the others were disturbed.
const WARM_UP_RUNS: usize = 3;

/// What the thread works with besides the model.
pub(super) struct Inference {
    pub(super) slot: Arc<Latest<Arrived>>,
    pub(super) outputs: Outputs,
    pub(super) safe: SafeState,
    pub(super) health: Arc<Mutex<Health>>,
    pub(super) clock: Clock,
    pub(super) settings: NodeSettings,
}

/// What is watched from frame to frame.
#[derive(Default)]
struct Watched {
    picture: Watch,
    /// `None` where there is no histogram to hold the scores against, or no one wants that.
    drift: Option<Drift>,
    /// The kinds of bad stamps that were spoken of.
    told_stamps: Vec<&'static str>,
}

/// What the thread leaves behind: all it worked with but the model, and why it ended.
pub(super) type Ended = (Inference, Result<(), AssembleError>);

impl Inference {
    /// Loads the model, tells when it is `warm`, and works until the slot is closed.
    pub(super) fn run(
        mut self,
        load: impl FnOnce() -> Result<Builder, AssembleError>,
        warm: oneshot::Sender<()>,
    ) -> Ended {
        let result = load().and_then(|builder| self.work(builder, warm));
        (self, result)
    }

    /// Until the slot is closed; a frame that was begun is finished.
    ///
    /// # Errors
    /// Sessions that cannot be made, a network that does not run.
    fn work(&mut self, builder: Builder, warm: oneshot::Sender<()>) -> Result<(), AssembleError> {
        let mut sessions = Sessions::new(builder)?;
        let rungs = match sessions.all() {
            [only] => vec![Rung { size: only.pipeline.settings().input_size, run_ms: 0.0 }], // nothing to compare
            several => several.iter_mut().map(warm_up).collect::<Result<_, _>>()?,
        };
        let mut budget = Budget::new(self.settings.budget, rungs);
        let mut complaints = Throttle::default();
        let mut watched = Watched::default();
        watched.drift = self.announce(&mut sessions, &budget, None);
        let _ = warm.send(()); // who is not there any more is leaving
        while let Some(arrived) = self.slot.take() {
            if let Some(event) = sessions.tend(Instant::now()) {
                self.tell(&event);
                if event == Event::Rebuilt {
                    watched.drift = self.announce(&mut sessions, &budget, None);
                }
            }
            match self.answer(&arrived, &mut sessions, &mut budget, &mut watched) {
                Ok(published) => lock(&self.health).published(Instant::now(), &published),
                Err(unpublished) => {
                    complain(&unpublished, &mut complaints);
                    lock(&self.health).unpublished(&unpublished);
                }
            }
            if let Some(change) = budget.resize(Instant::now()) {
                tracing::info!("input size {change}");
                watched.drift = self.announce(&mut sessions, &budget, Some(change));
            }
        }
        Ok(())
    }

    /// Tells which network is used from now on, and at which threshold, and begins to watch whether that fits.
    fn announce(&self, sessions: &mut Sessions, budget: &Budget, change: Option<Change>) -> Option<Drift> {
        let Assembly { pipeline, taxonomy, identity } = sessions.at(budget.size()).ok()?;
        let settings = pipeline.settings();
        let size = (settings.output_size == OutputSize::Network).then_some(settings.input_size);
        self.safe.mean(Meaning { unknown: taxonomy.unknown(), size });
        self.outputs.publish_label_info(taxonomy, settings.threshold);
        let ready = Ready {
            identity: identity.clone(),
            settings: settings.clone(),
            provider: pipeline.provider().to_owned(),
        };
        lock(&self.health).ready(ready, change);
        let calibration = settings.histogram.as_ref()?;
        Some(Drift::new(calibration, self.settings.drift?.window, Instant::now()))
    }

    fn tell(&self, event: &Event) {
        match event {
            Event::Rebuilding => {
                tracing::warn!("the network failed repeatedly: its sessions are being made anew");
                lock(&self.health).rebuilding();
            }
            Event::Rebuilt => tracing::info!("the sessions were made anew"),
            Event::NotRebuilt { reason, pause } => {
                let pause = pause.as_secs_f64();
                tracing::error!("the sessions could not be made anew: {reason}; next try in {pause:.0} s");
            }
        }
    }

    /// One image: to labels, to the safe state, or to a reason.
    fn answer(
        &mut self,
        arrived: &Arrived,
        sessions: &mut Sessions,
        budget: &mut Budget,
        watched: &mut Watched,
    ) -> Result<Published, Unpublished> {
        let image = &arrived.image;
        lock(&self.health).began(image.width, image.height, &image.encoding);
        let frame = convert::frame(image).map_err(|e| Unpublished::Rejected(e.to_string()))?;
        let birth = self.birth(arrived, &mut watched.told_stamps)?;
        let assembly = sessions.at(budget.size());
        let walked =
            assembly.map(|assembly| self.frame(&arrived.image, frame, &birth, assembly, budget, watched));
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
            && self.settings.fault.on_fault == OnFault::AllUnknown
        {
            self.safe.publish(image, &birth, reason);
        }
        result
    }

    fn frame(
        &mut self,
        image: &Image,
        frame: Frame<'_>,
        birth: &Birth,
        Assembly { pipeline, taxonomy, identity }: &mut Assembly,
        budget: &mut Budget,
        watched: &mut Watched,
    ) -> Result<Published, Unpublished> {
        let region = pipeline.settings().region;
        let found = watched.picture.look(&frame, region, pipeline.mask(), Instant::now());
        lock(&self.health).looked(found);
        let age_ms = self.age_ms(birth)?;
        budget.begin(birth, age_ms, Instant::now())?;

        let mut work = Work::default();
        let mut last = Instant::now();
        pipeline.step(&frame, &mut |stage| work.set(stage, lap_ms(&mut last)))?;
        if self.settings.fault.on_stuck == OnStuck::AllUnknown && lock(&self.health).is_stuck() {
            return Err(Unpublished::GivenUp);
        }
        if !lock(&self.health).is_enabled() {
            return Err(Unpublished::Inactive);
        }
        let age_ms = self.age_ms(birth)?;
        if let Err(late) = budget.finish(age_ms) {
            budget.worked(&work, last);
            return Err(late.into());
        }

        let (Some(segmentation), Some(geometry)) = (pipeline.segmentation(), pipeline.geometry()) else {
            return Err(Unpublished::Failed("the pipeline kept no result of its step".into()));
        };
        let settings = pipeline.settings();
        let of = Labelled { header: &image.header, frame, segmentation, geometry, settings, taxonomy };
        self.outputs.publish_labels(&of);
        work.labels = Some(lap_ms(&mut last));
        budget.worked(&work, last);
        // They are out: a clock that fails now does not take them back.
        let latency = self.age_ms(birth).unwrap_or(age_ms);
        let mut times = Times { latency, work, publish: 0.0 };
        let policy = budget.policy();
        let missed_budget_ms = policy.budget_ms.filter(|_| policy.is_over(latency));
        let camera_info = self.outputs.publish_data(&of, &times, || {
            frame_status::labelled(&of, identity, pipeline.provider(), &times, birth.stamp, missed_budget_ms)
        });
        self.outputs.publish_pictures(&of);
        times.publish = work.labels.unwrap_or(0.0) + lap_ms(&mut last);
        let psi = watched.drift.as_mut().and_then(|drift| {
            drift.add(&segmentation.anomaly, last);
            drift.psi(last)
        });
        tracing::trace!(latency_ms = times.latency, "published");
        Ok(Published {
            times,
            stamp: birth.stamp,
            is_over_budget: missed_budget_ms.is_some(),
            work_p95_ms: budget.predictor().p95().map(|work| work.total_ms()),
            psi,
            no_camera_info: camera_info.err(),
        })
    }

    /// When the image came to be; of a stamp that does not tell it, that is said once.
    fn birth(&self, arrived: &Arrived, told: &mut Vec<&'static str>) -> Result<Birth, Unpublished> {
        let at_ns = arrived.at_ns.ok_or_else(|| no_time("it did not when the image came"))?;
        let birth = Birth::new(convert::stamp_ns(&arrived.image.header), at_ns);
        let kind = birth.stamp.name();
        if birth.stamp != Stamp::Good && !told.contains(&kind) {
            told.push(kind);
            let what = match self.settings.budget.bad_stamps {
                BadStamps::Arrival => "their ages are counted from their arrival",
                BadStamps::Drop => "such images are not labelled",
            };
            tracing::warn!("{}: {what}, as bad_stamps says; this is said once", birth.stamp);
        }
        Ok(birth)
    }

    fn age_ms(&self, birth: &Birth) -> Result<f64, Unpublished> {
        self.clock.now_ns().map(|now| birth.age_ms(now)).map_err(no_time)
    }
}

/// Runs the bare network a few times: what it takes at one size beside another.
fn warm_up(assembly: &mut Assembly) -> Result<Rung, AssembleError> {
    let mut run_ms = f64::INFINITY;
    for _ in 0..WARM_UP_RUNS {
        let mut began = Instant::now();
        assembly.pipeline.run_idle()?;
        run_ms = run_ms.min(lap_ms(&mut began));
    }
    let size = assembly.pipeline.settings().input_size;
    tracing::info!("input size {size}: a run of the network takes {run_ms:.1} ms");
    Ok(Rung { size, run_ms })
}

fn no_time(reason: impl std::fmt::Display) -> Unpublished {
    Unpublished::Failed(format!("the ROS clock does not tell the time: {reason}"))
}

/// Once a period, whatever it is.
fn complain(of: &Unpublished, complaints: &mut Throttle) {
    if matches!(of, Unpublished::NotBegun(Refusal::Stamp(_))) {
        return; // said once
    }
    let Some(held) = complaints.speak(Instant::now()) else { return };
    match of {
        Unpublished::Failed(_) => tracing::error!(held, "{of}"),
        Unpublished::Rejected(_)
        | Unpublished::GivenUp
        | Unpublished::Inactive
        | Unpublished::NotBegun(_)
        | Unpublished::Late(_) => tracing::warn!(held, "{of}"),
    }
}

fn lap_ms(last: &mut Instant) -> f64 {
    let now = Instant::now();
    let ms = now.duration_since(*last).as_secs_f64() * 1e3;
    *last = now;
    ms
}
