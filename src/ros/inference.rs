//! The inference thread: makes the model ready, then takes the newest image, walks it, publishes, keeps the
//! books, until the slot is closed.

use super::convert;
use super::health::{Health, Level, Ready, Status, Times, value};
use super::lock;
use super::logging::Throttle;
use super::outputs::{Labelled, Outputs};
use crate::assemble::{Assembly, Identity};
use crate::labels::Taxonomy;
use crate::latest::Latest;
use crate::pipeline::{Pipeline, StepError};
use r2r::sensor_msgs::msg::Image;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// What the thread works with besides the model.
pub(super) struct Inference {
    pub(super) slot: Arc<Latest<Image>>,
    pub(super) outputs: Outputs,
    pub(super) health: Arc<Mutex<Health>>,
    /// The node's clock, for ages: sim time where that is on.
    pub(super) clock: Arc<Mutex<r2r::Clock>>,
    pub(super) budget_ms: f64,
}

impl Inference {
    /// Until the slot is closed; a frame that was begun is finished.
    pub(super) fn run(mut self, assembly: Assembly) {
        let Assembly { mut pipeline, taxonomy, identity } = assembly;
        self.outputs.publish_label_info(&taxonomy, pipeline.settings().threshold);
        lock(&self.health).ready(Ready {
            identity: identity.clone(),
            settings: pipeline.settings().clone(),
            provider: pipeline.provider().to_owned(),
        });
        let mut complaints = Throttle::default();
        while let Some(image) = self.slot.take() {
            let refusal = match self.frame(&image, &mut pipeline, &taxonomy, &identity) {
                Ok(()) => continue,
                Err(refusal) => refusal,
            };
            if let Some(held) = complaints.speak(Instant::now()) {
                match &refusal {
                    Refusal::Image(reason) => tracing::warn!(held, "image rejected: {reason}"),
                    Refusal::Inference(reason) => tracing::error!(held, "no result: {reason}"),
                    Refusal::Age(ms) => {
                        tracing::warn!(
                            held,
                            "image is {ms:.1} ms old, over the budget of {} ms",
                            self.budget_ms
                        );
                    }
                }
            }
            let mut health = lock(&self.health);
            match refusal {
                Refusal::Image(reason) => health.reject(reason),
                Refusal::Inference(reason) => health.fail(reason),
                Refusal::Age(ms) => health.over_age(ms),
            }
        }
    }

    fn frame(
        &mut self,
        image: &Image,
        pipeline: &mut Pipeline,
        taxonomy: &Taxonomy,
        identity: &Identity,
    ) -> Result<(), Refusal> {
        lock(&self.health).began(Instant::now(), image.width, image.height, &image.encoding);
        let frame = convert::frame(image).map_err(|e| Refusal::Image(e.to_string()))?;
        let age_ms = self.age_ms(image)?;
        if self.is_over_budget(age_ms) {
            return Err(Refusal::Age(age_ms));
        }

        let mut times = Times::default();
        let mut last = Instant::now();
        pipeline.step(&frame, &mut |stage| times.set(stage, lap_ms(&mut last)))?;

        let (Some(segmentation), Some(geometry)) = (pipeline.segmentation(), pipeline.geometry()) else {
            return Err(Refusal::Inference("the pipeline kept no result of its step".into()));
        };
        let settings = pipeline.settings();
        let of = Labelled { header: &image.header, frame, segmentation, geometry, settings, taxonomy };
        self.outputs.publish_labels(&of);
        times.latency = self.age_ms(image)?;
        let over_budget = self.is_over_budget(times.latency);
        let budget_ms = self.budget_ms;
        let camera_info = self.outputs.publish_data(&of, &times, || {
            frame_status(&of, identity, pipeline.provider(), &times, over_budget.then_some(budget_ms))
        });
        self.outputs.publish_pictures(&of);
        times.publish = lap_ms(&mut last);
        lock(&self.health).publish(Instant::now(), times, camera_info.err());
        tracing::trace!(latency_ms = times.latency, "published");
        Ok(())
    }

    fn is_over_budget(&self, ms: f64) -> bool {
        self.budget_ms > 0.0 && ms > self.budget_ms
    }

    /// From the image's stamp to now, in the node's clock.
    fn age_ms(&self, image: &Image) -> Result<f64, Refusal> {
        let now = lock(&self.clock).get_now();
        let now =
            now.map_err(|e| Refusal::Inference(format!("the ROS clock does not tell the time: {e}")))?;
        let now_ns = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
        Ok(now_ns.saturating_sub(convert::stamp_ns(&image.header)) as f64 / 1e6)
    }
}

/// Why an image has no result.
enum Refusal {
    Image(String),
    Inference(String),
    /// In milliseconds, over the budget before work began.
    Age(f64),
}

impl From<StepError> for Refusal {
    fn from(error: StepError) -> Self {
        if error.is_input() { Self::Image(error.to_string()) } else { Self::Inference(error.to_string()) }
    }
}

fn lap_ms(last: &mut Instant) -> f64 {
    let now = Instant::now();
    let ms = now.duration_since(*last).as_secs_f64() * 1e3;
    *last = now;
    ms
}

/// What `~/frame_status` says of one result.
fn frame_status(
    of: &Labelled<'_>,
    identity: &Identity,
    provider: &str,
    times: &Times,
    missed_budget_ms: Option<f64>,
) -> Status {
    let ms = |v: f64| format!("{v:.3}");
    let values = vec![
        value("age_ms", ms(times.latency)),
        value("preprocess_ms", ms(times.preprocess)),
        value("inference_ms", ms(times.inference)),
        value("score_ms", ms(times.score)),
        value("input_size", of.settings.input_size),
        value("output_size", of.segmentation.size),
        value("score", &of.settings.scoring),
        value("threshold", of.settings.threshold),
        value("model", &identity.model),
        value("model_sha256", &identity.model_sha256),
        value("provider", provider),
        value("unknown_share", of.segmentation.counts.unknown_share()),
        value("non_finite_share", of.segmentation.counts.non_finite_share()),
        value("over_budget", missed_budget_ms.is_some()),
    ];
    let (level, message) = match missed_budget_ms {
        Some(budget) => (Level::Warn, format!("{:.1} ms is over the budget of {budget} ms", times.latency)),
        None => (Level::Ok, "labelled".into()),
    };
    Status { task: "frame", level, message, values }
}
