//! The camera's side: every image goes straight into the slot, with the time it came; the newest camera info
//! lies beside it. The streams' own queues would keep the oldest.

use super::clock::Clock;
use super::convert;
use super::health::Health;
use super::lifecycle::Task;
use super::lock;
use super::safe::SafeState;
use crate::budget::stamps::Birth;
use crate::latest::Latest;
use futures::StreamExt;
use r2r::sensor_msgs::msg::{CameraInfo, Image};
use r2r::{Node, QosProfile};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// How the camera is subscribed to, in words for diagnostics.
pub(super) const QOS: &str = "best effort, volatile, keep last 5";

/// An image, and when it came.
pub(super) struct Arrived {
    pub(super) image: Image,
    /// By the node's clock; `None` where that did not tell the time.
    pub(super) at_ns: Option<i64>,
}

/// What it takes to take up the camera.
#[derive(Clone)]
pub(super) struct Subscription {
    pub(super) topic: String,
    pub(super) clock: Clock,
    pub(super) slot: Arc<Latest<Arrived>>,
    pub(super) health: Arc<Mutex<Health>>,
    /// Answers images that come while the inference thread is stuck, where that is wanted.
    pub(super) instead: Option<SafeState>,
}

impl Subscription {
    /// Subscribes to images; the task takes them out of the middleware until it is dropped.
    pub(super) fn subscribe(self, node: &mut Node) -> r2r::Result<Task> {
        let mut images = node.subscribe::<Image>(&self.topic, QosProfile::sensor_data())?;
        Ok(Box::pin(async move {
            while let Some(image) = images.next().await {
                self.arrived(image);
            }
        }))
    }

    fn arrived(&self, image: Image) {
        let at_ns = self.clock.now_ns().ok();
        let is_stuck = lock(&self.health).arrived(Instant::now());
        match (&self.instead, at_ns) {
            (Some(safe), Some(at_ns)) if is_stuck => {
                let birth = Birth::new(convert::stamp_ns(&image.header), at_ns);
                // One that has waited is older: it must not be answered after this one.
                self.slot.discard();
                safe.publish(&image, &birth, "the network does not come back");
                lock(&self.health).given_up();
            }
            _ => self.slot.put(Arrived { image, at_ns }),
        }
    }
}

/// The newest camera info and where it comes from; written by its subscription.
#[derive(Clone)]
pub(super) struct LatestInfo {
    pub(super) topic: String,
    pub(super) newest: Arc<Mutex<Option<CameraInfo>>>,
}

/// Subscribes to camera infos; the task keeps the newest at hand for good.
pub(super) fn subscribe_info(node: &mut Node, topic: String) -> r2r::Result<(LatestInfo, Task)> {
    let mut infos = node.subscribe::<CameraInfo>(&topic, QosProfile::sensor_data())?;
    let newest = Arc::new(Mutex::new(None));
    let info = LatestInfo { topic, newest: Arc::clone(&newest) };
    let drain = async move {
        while let Some(info) = infos.next().await {
            *lock(&newest) = Some(info);
        }
    };
    Ok((info, Box::pin(drain)))
}
