//! The inference thread: takes the newest image, walks it, publishes, keeps the books.

use super::convert;
use super::health::{Health, Level, Status, Times, value};
use super::outputs::Outputs;
use crate::latest::Latest;
use crate::pipeline::Pipeline;
use r2r::sensor_msgs::msg::Image;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub(super) struct Inference {
    pub(super) slot: Arc<Latest<Image>>,
    pub(super) pipeline: Pipeline,
    pub(super) outputs: Outputs,
    pub(super) health: Arc<Mutex<Health>>,
    /// The node's clock, for ages: sim time where that is on.
    pub(super) clock: Arc<Mutex<r2r::Clock>>,
}

impl Inference {
    /// Until the slot is closed; a frame that was begun is finished.
    pub(super) fn run(mut self) {
        while let Some(image) = self.slot.take() {
            self.frame(&image);
        }
    }

    fn frame(&mut self, image: &Image) {
        let budget_ms = self.health().facts().budget_ms;
        self.health().saw(image.width, image.height, &image.encoding);
        if budget_ms > 0.0 && self.age_ms(image) > budget_ms {
            self.health().over_age();
            return;
        }
        let frame = match convert::frame(image) {
            Ok(frame) => frame,
            Err(error) => return self.reject(error.to_string()),
        };

        let mut times = Times::default();
        let mut last = Instant::now();
        let stepped = self.pipeline.step(&frame, &mut |stage| {
            times.set(stage, lap_ms(&mut last));
        });
        if let Err(error) = stepped {
            return if error.is_input() {
                self.reject(error.to_string())
            } else {
                self.fail(error.to_string())
            };
        }

        let (header, segmentation) = (&image.header, self.pipeline.segmentation());
        self.outputs.publish_labels(header, segmentation);
        times.latency = self.age_ms(image);
        let over_budget = budget_ms > 0.0 && times.latency > budget_ms;
        let geometry = self.pipeline.geometry();
        self.outputs.publish_data(header, segmentation, geometry, &times, || {
            frame_status(&self.pipeline, &lock(&self.health), &times, over_budget)
        });
        self.outputs.publish_pictures(header, segmentation, &frame, geometry);
        times.publish = lap_ms(&mut last);
        self.health().publish(times);
        tracing::trace!(latency_ms = times.latency, "published");
    }

    fn reject(&self, reason: String) {
        if self.health().reject(reason.clone()) {
            tracing::warn!("image rejected: {reason}");
        }
    }

    fn fail(&self, reason: String) {
        if self.health().fail(reason.clone()) {
            tracing::error!("no result: {reason}");
        }
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        lock(&self.health)
    }

    /// From the image's stamp to now, in the node's clock.
    fn age_ms(&self, image: &Image) -> f64 {
        let now = lock(&self.clock).get_now().unwrap_or_default();
        let now_ns = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
        now_ns.saturating_sub(convert::stamp_ns(&image.header)) as f64 / 1e6
    }
}

/// Every change under these locks is a few assignments: a panic elsewhere leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lap_ms(last: &mut Instant) -> f64 {
    let now = Instant::now();
    let ms = now.duration_since(*last).as_secs_f64() * 1e3;
    *last = now;
    ms
}

/// What `~/frame_status` says of one result.
fn frame_status(pipeline: &Pipeline, health: &Health, times: &Times, over_budget: bool) -> Status {
    let (settings, facts) = (pipeline.settings(), health.facts());
    let segmentation = pipeline.segmentation();
    let ms = |v: f64| format!("{v:.3}");
    let values = vec![
        value("age_ms", ms(times.latency)),
        value("preprocess_ms", ms(times.preprocess)),
        value("inference_ms", ms(times.inference)),
        value("score_ms", ms(times.score)),
        value("input_size", settings.input_size),
        value("output_size", segmentation.size),
        value("score", settings.score),
        value("threshold", settings.threshold),
        value("model", &facts.identity.model),
        value("model_sha256", &facts.identity.model_sha256),
        value("provider", &facts.provider),
        value("unknown_share", segmentation.counts.unknown_share()),
        value("non_finite_share", segmentation.counts.non_finite_share()),
        value("over_budget", over_budget),
    ];
    let (level, message) = if over_budget {
        (Level::Warn, format!("{:.1} ms is over the budget of {} ms", times.latency, facts.budget_ms))
    } else {
        (Level::Ok, "labelled".into())
    };
    Status { task: "frame", level, message, values }
}
