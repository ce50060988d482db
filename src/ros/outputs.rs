//! One camera's publishers. Each picture and map is computed only while someone subscribes, labels first.

use super::camera_info::{self, LatestInfo};
use super::clock::Clock;
use super::diagnostics;
use super::health::{Status, Times};
use super::labelled::Labelled;
use super::lock;
use super::output::{Optional, Output, copy_header};
use super::safe::SafeState;
use super::station::Station;
use crate::images;
use crate::labels::Taxonomy;
use crate::render::{self, Order};
use r2r::sensor_msgs::msg::{CameraInfo, Image};
use r2r::std_msgs::msg::{Float32, Int32};
use r2r::{Node, PublisherUntyped, QosProfile};
use std::sync::{Arc, Mutex};

/// What is published of one camera and what it takes to make it.
pub(super) struct Outputs {
    /// As statuses are named.
    label: String,
    hardware_id: String,
    labels: Output<Image>,
    optional: Arc<Mutex<Optional>>,
    camera_info: Option<(Output<CameraInfo>, LatestInfo)>,
    latency_ms: Output<Float32>,
    inference_ms: Output<Float32>,
    input_height: Output<Int32>,
    /// Held for good: a transient_local message lives as long as its publisher.
    label_info: Option<PublisherUntyped>,
    /// The camera's picture for the overlay.
    rgb: Vec<u8>,
}

impl Outputs {
    /// Of a station. `info` is given where the output's size is not the camera's.
    pub(super) fn new(node: &mut Node, station: &Station, info: Option<LatestInfo>) -> r2r::Result<Self> {
        let prefix = station.prefix();
        let topic = |name: &str| format!("{prefix}/{name}");
        let labels = Output::image(node, &topic("labels"), "mono8")?;
        lock(&station.optional).switch(node, &prefix, &station.parameters.publish)?;
        let camera_info = match info {
            Some(info) => Some((Output::new(node, &topic("camera_info"), CameraInfo::default())?, info)),
            None => None,
        };
        Ok(Self {
            label: station.label.clone(),
            hardware_id: station.topic.clone(),
            labels,
            optional: Arc::clone(&station.optional),
            camera_info,
            latency_ms: Output::new(node, &topic("debug/latency_ms"), Float32::default())?,
            inference_ms: Output::new(node, &topic("debug/inference_ms"), Float32::default())?,
            input_height: Output::new(node, &topic("debug/input_height"), Int32::default())?,
            label_info: label_info(node, &topic("label_info"))?,
            rgb: Vec::new(),
        })
    }

    /// Takes all of them from the node. By the thread that owns it.
    pub(super) fn destroy(self, node: &mut Node) {
        lock(&self.optional).destroy(node);
        node.destroy_publisher(self.labels.publisher);
        if let Some((output, _)) = self.camera_info {
            node.destroy_publisher(output.publisher);
        }
        node.destroy_publisher(self.latency_ms.publisher);
        node.destroy_publisher(self.inference_ms.publisher);
        node.destroy_publisher(self.input_height.publisher);
        if let Some(label_info) = self.label_info {
            node.destroy_publisher_untyped(label_info);
        }
    }

    /// What publishes labels where no network gives any.
    pub(super) fn safe_state(&self, station: Station, clock: Clock) -> SafeState {
        SafeState { labels: self.labels.publisher.clone(), station, clock, meaning: Arc::default() }
    }

    /// Class names and the threshold beside the labels, for every subscriber that ever comes.
    pub(super) fn publish_label_info(&self, taxonomy: &Taxonomy, threshold: f32) {
        let Some(publisher) = &self.label_info else { return };
        let classes = (0..=taxonomy.unknown()).filter_map(|id| Some((id, taxonomy.name(id)?)));
        let class_map: Vec<_> =
            classes.map(|(id, name)| serde_json::json!({ "class_id": id, "class_name": name })).collect();
        let message = serde_json::json!({
            "header": { "stamp": { "sec": 0, "nanosec": 0 }, "frame_id": "" },
            "class_map": class_map,
            "threshold": threshold,
        });
        if let Err(error) = publisher.publish(message) {
            tracing::error!("label_info was not published: {error}");
        }
    }

    /// The labels: what a vehicle waits for.
    pub(super) fn publish_labels(&mut self, of: &Labelled<'_>) {
        if self.labels.is_wanted() {
            let labels = &of.segmentation.labels;
            self.labels.publish(of.header, of.segmentation.size, |data| data.clone_from(labels));
        }
    }

    /// The rest of what machines read: anomaly, camera info, status, plottable times.
    ///
    /// # Errors
    /// Why there is no camera info where there should be one.
    pub(super) fn publish_data(
        &mut self,
        of: &Labelled<'_>,
        times: &Times,
        status: impl FnOnce() -> Status,
    ) -> Result<(), String> {
        let mut optional = lock(&self.optional);
        if let Some(anomaly) = optional.anomaly.as_mut().filter(|o| o.is_wanted()) {
            anomaly.publish(of.header, of.segmentation.size, |data| {
                data.clear();
                data.extend_from_slice(bytemuck::cast_slice(&of.segmentation.anomaly));
            });
        }
        if let Some(output) = optional.frame_status.as_mut().filter(|o| o.is_wanted()) {
            output.message =
                diagnostics::array(of.header.clone(), &self.label, &self.hardware_id, [status()]);
            output.send();
        }
        drop(optional);
        let plotted = [(&mut self.latency_ms, times.latency), (&mut self.inference_ms, times.work.inference)];
        for (output, ms) in plotted {
            if output.is_wanted() {
                output.message.data = ms as f32;
                output.send();
            }
        }
        if self.input_height.is_wanted() {
            self.input_height.message.data = of.settings.input_size.height as i32;
            self.input_height.send();
        }
        let Some((output, info)) = self.camera_info.as_mut() else { return Ok(()) };
        // The lock is not held over the publication: its other holder drains the camera as well.
        output.message = match &*lock(&info.newest) {
            Some(newest) => camera_info::scaled(newest, of.geometry)?,
            None => return Err(format!("nothing came on {} (best effort, volatile)", info.topic)),
        };
        copy_header(of.header, &mut output.message.header);
        output.send();
        Ok(())
    }

    /// What people look at, and the PNG. `heatmap_range`: score distance from the threshold at which the
    /// heatmap's colours end.
    pub(super) fn publish_pictures(&mut self, of: &Labelled<'_>, heatmap_range: f32) {
        let Labelled { header, frame, segmentation, geometry, settings, taxonomy } = of;
        let size = segmentation.size;
        let mut optional = lock(&self.optional);
        if let Some(output) = optional.compressed.as_mut().filter(|o| o.is_wanted()) {
            copy_header(header, &mut output.message.header);
            let data = &mut output.message.data;
            match images::encode_png_gray(&segmentation.labels, size.width, size.height, data) {
                Ok(()) => output.send(),
                Err(error) => output.complain(error),
            }
        }
        if let Some(output) = optional.color.as_mut().filter(|o| o.is_wanted()) {
            output.publish(header, size, |data| render::color(taxonomy, segmentation, Order::Rgb, data));
        }
        if let Some(output) = optional.heatmap.as_mut().filter(|o| o.is_wanted()) {
            let (threshold, range) = (settings.threshold, heatmap_range);
            output.publish(header, size, |data| {
                render::heatmap(segmentation, threshold, range, Order::Bgr, data);
            });
        }
        if let Some(output) = optional.overlay.as_mut().filter(|o| o.is_wanted()) {
            let rgb = &mut self.rgb;
            if let Err(error) = images::to_rgb(frame, rgb) {
                tracing::error!("no overlay: {error}");
                return;
            }
            output.publish(header, size, |data| {
                render::overlay(
                    taxonomy,
                    segmentation,
                    rgb,
                    geometry,
                    settings.output_size,
                    Order::Bgr,
                    data,
                );
            });
        }
    }
}

/// `vision_msgs` is no part of ROS's core: without it the node says so and goes on.
fn label_info(node: &mut Node, topic: &str) -> r2r::Result<Option<PublisherUntyped>> {
    let qos = QosProfile::default().reliable().keep_last(1).transient_local();
    match node.create_publisher_untyped(topic, "vision_msgs/msg/LabelInfo", qos) {
        Ok(publisher) => Ok(Some(publisher)),
        Err(r2r::Error::InvalidMessageType { .. }) => {
            tracing::warn!(
                "no ~/label_info: vision_msgs was not in the ROS environment this node was built in"
            );
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
