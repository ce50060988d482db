//! The safe state: labels that say of every pixel that it is unknown, for an image that no network answers for.

use super::clock::Clock;
use super::diagnostics;
use super::frame_status;
use super::lock;
use super::picture::Picture;
use super::station::Station;
use crate::budget::stamps::{Birth, Stamp};
use crate::budget::{BadStamps, OverBudget};
use crate::frame::Size;
use r2r::Publisher;
use r2r::sensor_msgs::msg::Image;
use std::sync::{Arc, Mutex};

/// What labels are like, once there is a model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meaning {
    /// K.
    pub(super) unknown: u8,
    /// Of the labels, where that is not the camera's.
    pub(super) size: Option<Size>,
}

/// Publishes it; each thread that may has one of its own.
#[derive(Clone)]
pub(super) struct SafeState {
    pub(super) labels: Publisher<Image>,
    pub(super) station: Station,
    pub(super) clock: Clock,
    pub(super) meaning: Arc<Mutex<Option<Meaning>>>,
}

impl SafeState {
    /// Says what labels are like from now on.
    pub(super) fn mean(&self, meaning: Meaning) {
        *lock(&self.meaning) = Some(meaning);
    }

    /// Labels an image unknown, all of it. It has been checked, or is not answered; nor is one that is too old by
    /// now, or whose stamp does not tell how old it is, where such results are not wanted.
    pub(super) fn publish(&self, picture: &Picture, birth: &Birth, reason: &str) {
        let Some(Meaning { unknown, size }) = *lock(&self.meaning) else { return };
        let age_ms = || self.clock.now_ns().map(|now_ns| birth.age_ms(now_ns));
        let Ok(age_before_ms) = age_ms() else { return };
        let Station { health, tuned, optional, topic, label, .. } = &self.station;
        let budget = lock(tuned).settings.budget;
        let is_too_old = budget.over_budget == OverBudget::Drop && budget.is_over(age_before_ms);
        let is_of_no_age = budget.bad_stamps == BadStamps::Drop && birth.stamp != Stamp::Good;
        if is_too_old || is_of_no_age || !lock(health).is_enabled() {
            return;
        }
        let Some(of_picture) = picture.size() else { return };
        let (width, height) = size.map_or(of_picture, |s| (s.width as u32, s.height as u32));
        let header = picture.header();
        let labels = Image {
            header: header.clone(),
            width,
            height,
            encoding: "mono8".into(),
            is_bigendian: u8::from(cfg!(target_endian = "big")),
            step: width,
            data: vec![unknown; width as usize * height as usize],
        };
        let published = self.labels.publish(&labels);
        // They are out; how old they are is told of that moment.
        let age_ms = age_ms().unwrap_or(age_before_ms);
        let status = frame_status::all_unknown(reason, age_ms, birth.stamp, budget.is_over(age_ms));
        let array = diagnostics::array(header.clone(), label, topic, [status]);
        let told = lock(optional).tell(array);
        match published.and(told) {
            Ok(()) => lock(health).all_unknown(),
            Err(error) => tracing::error!("the safe state was not published: {error}"),
        }
    }
}
