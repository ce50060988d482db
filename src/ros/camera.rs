//! The camera's side: every image goes straight into its slot, with the time it came; the newest camera info
//! lies beside it. The streams' own queues would keep the oldest.

use super::clock::Clock;
use super::convert;
use super::lock;
use super::picture::Picture;
use super::safe::SafeState;
use super::service::Task;
use super::station::Station;
use crate::budget::stamps::Birth;
use crate::config::Transport;
use futures::StreamExt;
use r2r::sensor_msgs::msg::{CameraInfo, CompressedImage, Image};
use r2r::{Node, QosProfile};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// How the camera is subscribed to, in words for diagnostics.
pub(super) const QOS: &str = "best effort, volatile, keep last 5";

/// An image, and when it came.
pub(super) struct Arrived {
    pub(super) picture: Picture,
    /// By the node's clock; `None` where that did not tell the time.
    pub(super) at_ns: Option<i64>,
}

impl Arrived {
    /// When the image came to be; `None` where the clock did not tell when it came.
    pub(super) fn birth(&self) -> Option<Birth> {
        let stamp_ns = convert::stamp_ns(self.picture.header());
        self.at_ns.map(|at_ns| Birth::new(stamp_ns, at_ns))
    }
}

/// What it takes to take up a camera.
#[derive(Clone)]
pub(super) struct Subscription {
    pub(super) station: Station,
    pub(super) clock: Clock,
    /// Answers images that come while the inference thread is stuck, where that is wanted.
    pub(super) instead: Option<SafeState>,
}

impl Subscription {
    /// Subscribes to images; the task takes them out of the middleware until it is dropped.
    pub(super) fn subscribe(self, node: &mut Node) -> r2r::Result<Task> {
        let (source, qos) = (self.station.source.clone(), QosProfile::sensor_data());
        match self.station.transport {
            Transport::Raw => {
                let mut images = node.subscribe::<Image>(&source, qos)?;
                Ok(Box::pin(async move {
                    while let Some(image) = images.next().await {
                        self.arrived(Picture::Raw(image));
                    }
                }))
            }
            Transport::Compressed => {
                let mut images = node.subscribe::<CompressedImage>(&source, qos)?;
                Ok(Box::pin(async move {
                    while let Some(image) = images.next().await {
                        self.arrived(Picture::Compressed(image));
                    }
                }))
            }
        }
    }

    fn arrived(&self, picture: Picture) {
        let arrived = Arrived { picture, at_ns: self.clock.now_ns().ok() };
        let Station { health, slots, place, .. } = &self.station;
        let is_stuck = lock(health).arrived(Instant::now());
        match (&self.instead, arrived.birth()) {
            (Some(safe), Some(birth)) if is_stuck => {
                // One that has waited is older: it must not be answered after this one.
                slots.discard(*place);
                safe.publish(&arrived.picture, &birth, "the network does not come back");
                lock(health).given_up();
            }
            _ => slots.put(*place, arrived, Instant::now()),
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
    let drain: Task = Box::pin(async move {
        while let Some(info) = infos.next().await {
            *lock(&newest) = Some(info);
        }
    });
    Ok((info, drain))
}
