//! The camera's side: every image goes straight into its slot, with the time it came. The stream's own queue would
//! keep the oldest.

use super::arrived::Arrived;
use super::clock::Clock;
use super::lock;
use super::picture::Picture;
use super::safe::SafeState;
use super::service::Task;
use super::station::Station;
use crate::config::Transport;
use futures::StreamExt;
use r2r::sensor_msgs::msg::{CompressedImage, Image};
use r2r::{Node, QosProfile};
use std::time::Instant;

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
        // The middleware remaps it: what it is after that must not be remapped again.
        let (topic, qos) = (self.station.asked.clone(), QosProfile::sensor_data());
        match self.station.transport {
            Transport::Raw => {
                let mut images = node.subscribe::<Image>(&topic, qos)?;
                Ok(Box::pin(async move {
                    while let Some(image) = images.next().await {
                        self.arrived(Picture::Raw(image));
                    }
                }))
            }
            Transport::Compressed => {
                let mut images = node.subscribe::<CompressedImage>(&topic, qos)?;
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
