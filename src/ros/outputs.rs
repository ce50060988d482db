//! The publishers. Each picture and map is computed only while someone subscribes, labels first.

use super::camera::LatestInfo;
use super::camera_info;
use super::clock::Clock;
use super::diagnostics;
use super::health::{Health, Status, Times};
use super::lock;
use super::logging::Throttle;
use super::safe::SafeState;
use crate::budget::Policy;
use crate::config::{Parameters, PipelineSettings};
use crate::frame::{Frame, Size};
use crate::images;
use crate::labels::Taxonomy;
use crate::pipeline::Segmentation;
use crate::preprocess::geometry::Geometry;
use crate::render::{self, Order};
use r2r::diagnostic_msgs::msg::DiagnosticArray;
use r2r::sensor_msgs::msg::{CameraInfo, CompressedImage, Image};
use r2r::std_msgs::msg::{Float32, Header, Int32};
use r2r::{Node, Publisher, PublisherUntyped, QosProfile, WrappedTypesupport};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Reliable, so that reliable and best-effort subscribers both match; shallow, since an old label map is
/// of no use to anyone.
fn qos() -> QosProfile {
    QosProfile::default().reliable().keep_last(2)
}

/// A frame with its result: all that any output is made from.
pub(super) struct Labelled<'a> {
    pub(super) header: &'a Header,
    pub(super) frame: Frame<'a>,
    pub(super) segmentation: &'a Segmentation,
    pub(super) geometry: &'a Geometry,
    pub(super) settings: &'a PipelineSettings,
    pub(super) taxonomy: &'a Taxonomy,
}

/// A publisher and the message it fills anew each time.
struct Output<T: WrappedTypesupport> {
    publisher: Publisher<T>,
    message: T,
    complaints: Throttle,
}

impl<T: WrappedTypesupport + 'static> Output<T> {
    fn new(node: &mut Node, topic: &str, message: T) -> r2r::Result<Self> {
        Ok(Self { publisher: node.create_publisher(topic, qos())?, message, complaints: Throttle::default() })
    }

    fn is_wanted(&self) -> bool {
        // Where the count cannot be had, publish: an output too many is no harm.
        self.publisher.get_inter_process_subscription_count().map_or(true, |n| n > 0)
    }

    fn send(&mut self) {
        if let Err(error) = self.publisher.publish(&self.message) {
            self.complain(error);
        }
    }

    fn complain(&mut self, error: impl std::fmt::Display) {
        if let Some(held) = self.complaints.speak(Instant::now()) {
            tracing::error!(held, "an output was not published: {error}");
        }
    }
}

impl Output<Image> {
    fn image(node: &mut Node, topic: &str, encoding: &str) -> r2r::Result<Self> {
        let is_bigendian = u8::from(cfg!(target_endian = "big"));
        Self::new(node, topic, Image { encoding: encoding.into(), is_bigendian, ..Image::default() })
    }

    /// Fills in header and size, lets `fill` write the pixels, publishes.
    fn publish(&mut self, header: &Header, size: Size, fill: impl FnOnce(&mut Vec<u8>)) {
        let message = &mut self.message;
        message.header.clone_from(header);
        (message.width, message.height) = (size.width as u32, size.height as u32);
        fill(&mut message.data);
        message.step = (message.data.len() / size.height.max(1)) as u32;
        self.send();
    }
}

/// What is published and what it takes to make it.
pub(super) struct Outputs {
    node_name: String,
    hardware_id: String,
    heatmap_range: f32,
    labels: Output<Image>,
    compressed: Option<Output<CompressedImage>>,
    color: Option<Output<Image>>,
    anomaly: Option<Output<Image>>,
    heatmap: Option<Output<Image>>,
    overlay: Option<Output<Image>>,
    frame_status: Option<Output<DiagnosticArray>>,
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
    /// `node_name` and `hardware_id` are what statuses are named by; `info` is given where the output's size
    /// is not the camera's.
    pub(super) fn new(
        node: &mut Node,
        parameters: &Parameters,
        node_name: String,
        hardware_id: String,
        info: Option<LatestInfo>,
    ) -> r2r::Result<Self> {
        let on = &parameters.publish;
        let mut image = |on: bool, topic: &str, encoding: &str| {
            on.then(|| Output::image(node, topic, encoding)).transpose()
        };
        let color = image(on.labels_color, "~/labels/color", "rgb8")?;
        let anomaly = image(on.anomaly, "~/anomaly", "32FC1")?;
        let heatmap = image(on.heatmap, "~/anomaly/heatmap", "bgr8")?;
        let overlay = image(on.overlay, "~/overlay", "bgr8")?;
        let png = CompressedImage { format: "png".into(), ..CompressedImage::default() };
        let compressed =
            on.labels_compressed.then(|| Output::new(node, "~/labels/compressed", png)).transpose()?;
        let frame_status = on
            .frame_status
            .then(|| Output::new(node, "~/frame_status", DiagnosticArray::default()))
            .transpose()?;
        let camera_info = match info {
            Some(info) => Some((Output::new(node, "~/camera_info", CameraInfo::default())?, info)),
            None => None,
        };
        Ok(Self {
            node_name,
            hardware_id,
            heatmap_range: parameters.heatmap_range as f32,
            labels: Output::image(node, "~/labels", "mono8")?,
            compressed,
            color,
            anomaly,
            heatmap,
            overlay,
            frame_status,
            camera_info,
            latency_ms: Output::new(node, "~/debug/latency_ms", Float32::default())?,
            inference_ms: Output::new(node, "~/debug/inference_ms", Float32::default())?,
            input_height: Output::new(node, "~/debug/input_height", Int32::default())?,
            label_info: label_info(node)?,
            rgb: Vec::new(),
        })
    }

    /// What publishes labels where no network gives any.
    pub(super) fn safe_state(&self, clock: Clock, budget: Policy, health: Arc<Mutex<Health>>) -> SafeState {
        SafeState {
            labels: self.labels.publisher.clone(),
            frame_status: self.frame_status.as_ref().map(|output| output.publisher.clone()),
            node_name: self.node_name.clone(),
            hardware_id: self.hardware_id.clone(),
            clock,
            budget,
            health,
            meaning: Arc::default(),
        }
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
            tracing::error!("~/label_info was not published: {error}");
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
        if let Some(anomaly) = self.anomaly.as_mut().filter(|o| o.is_wanted()) {
            anomaly.publish(of.header, of.segmentation.size, |data| {
                data.clear();
                data.extend_from_slice(bytemuck::cast_slice(&of.segmentation.anomaly));
            });
        }
        if let Some(output) = self.frame_status.as_mut().filter(|o| o.is_wanted()) {
            output.message =
                diagnostics::array(of.header.clone(), &self.node_name, &self.hardware_id, [status()]);
            output.send();
        }
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
        output.message.header.clone_from(of.header);
        output.send();
        Ok(())
    }

    /// What people look at, and the PNG.
    pub(super) fn publish_pictures(&mut self, of: &Labelled<'_>) {
        let Labelled { header, frame, segmentation, geometry, settings, taxonomy } = of;
        let size = segmentation.size;
        if let Some(output) = self.compressed.as_mut().filter(|o| o.is_wanted()) {
            output.message.header.clone_from(header);
            let data = &mut output.message.data;
            match images::encode_png_gray(&segmentation.labels, size.width, size.height, data) {
                Ok(()) => output.send(),
                Err(error) => output.complain(error),
            }
        }
        if let Some(output) = self.color.as_mut().filter(|o| o.is_wanted()) {
            output.publish(header, size, |data| render::color(taxonomy, segmentation, Order::Rgb, data));
        }
        if let Some(output) = self.heatmap.as_mut().filter(|o| o.is_wanted()) {
            let (threshold, range) = (settings.threshold, self.heatmap_range);
            output.publish(header, size, |data| {
                render::heatmap(segmentation, threshold, range, Order::Bgr, data);
            });
        }
        if let Some(output) = self.overlay.as_mut().filter(|o| o.is_wanted()) {
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
fn label_info(node: &mut Node) -> r2r::Result<Option<PublisherUntyped>> {
    let qos = QosProfile::default().reliable().keep_last(1).transient_local();
    match node.create_publisher_untyped("~/label_info", "vision_msgs/msg/LabelInfo", qos) {
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
