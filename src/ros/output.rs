//! One publisher with its message, and those that may be switched on and off while the node runs.

use super::logging::Throttle;
use crate::config::Publish;
use crate::frame::Size;
use r2r::diagnostic_msgs::msg::DiagnosticArray;
use r2r::sensor_msgs::msg::{CompressedImage, Image};
use r2r::std_msgs::msg::Header;
use r2r::{Node, Publisher, QosProfile, WrappedTypesupport};
use std::time::Instant;

/// Reliable, so that reliable and best-effort subscribers both match; shallow, since an old label map is
/// of no use to anyone.
fn qos() -> QosProfile {
    QosProfile::default().reliable().keep_last(2)
}

/// Into memory that is there already: the derived way would make the text anew for each message.
pub(super) fn copy_header(from: &Header, to: &mut Header) {
    to.stamp.clone_from(&from.stamp);
    to.frame_id.clone_from(&from.frame_id);
}

/// A publisher and the message it fills anew each time.
pub(super) struct Output<T: WrappedTypesupport> {
    pub(super) publisher: Publisher<T>,
    pub(super) message: T,
    complaints: Throttle,
}

impl<T: WrappedTypesupport + 'static> Output<T> {
    pub(super) fn new(node: &mut Node, topic: &str, message: T) -> r2r::Result<Self> {
        Ok(Self { publisher: node.create_publisher(topic, qos())?, message, complaints: Throttle::default() })
    }

    pub(super) fn is_wanted(&self) -> bool {
        // Where the count cannot be had, publish: an output too many is no harm.
        self.publisher.get_inter_process_subscription_count().map_or(true, |n| n > 0)
    }

    pub(super) fn send(&mut self) {
        if let Err(error) = self.publisher.publish(&self.message) {
            self.complain(error);
        }
    }

    pub(super) fn complain(&mut self, error: impl std::fmt::Display) {
        if let Some(held) = self.complaints.speak(Instant::now()) {
            tracing::error!(held, "an output was not published: {error}");
        }
    }
}

impl Output<Image> {
    pub(super) fn image(node: &mut Node, topic: &str, encoding: &str) -> r2r::Result<Self> {
        let is_bigendian = u8::from(cfg!(target_endian = "big"));
        Self::new(node, topic, Image { encoding: encoding.into(), is_bigendian, ..Image::default() })
    }

    /// Fills in header and size, lets `fill` write the pixels, publishes.
    pub(super) fn publish(&mut self, header: &Header, size: Size, fill: impl FnOnce(&mut Vec<u8>)) {
        let message = &mut self.message;
        copy_header(header, &mut message.header);
        (message.width, message.height) = (size.width as u32, size.height as u32);
        fill(&mut message.data);
        message.step = (message.data.len() / size.height.max(1)) as u32;
        self.send();
    }
}

/// Outputs that may be switched on and off while the node runs.
#[derive(Default)]
pub(super) struct Optional {
    pub(super) compressed: Option<Output<CompressedImage>>,
    pub(super) color: Option<Output<Image>>,
    pub(super) anomaly: Option<Output<Image>>,
    pub(super) heatmap: Option<Output<Image>>,
    pub(super) overlay: Option<Output<Image>>,
    pub(super) frame_status: Option<Output<DiagnosticArray>>,
}

impl Optional {
    /// Makes those under `prefix` that are to be there and are not, and destroys those that are not to be. By
    /// the thread that owns the node.
    ///
    /// # Errors
    /// The middleware's; what was switched before it stays so.
    pub(super) fn switch(&mut self, node: &mut Node, prefix: &str, on: &Publish) -> r2r::Result<()> {
        let images = [
            (&mut self.color, on.labels_color, "labels/color", "rgb8"),
            (&mut self.anomaly, on.anomaly, "anomaly", "32FC1"),
            (&mut self.heatmap, on.heatmap, "anomaly/heatmap", "bgr8"),
            (&mut self.overlay, on.overlay, "overlay", "bgr8"),
        ];
        for (output, is_on, topic, encoding) in images {
            switch(output, is_on, node, |node| Output::image(node, &format!("{prefix}/{topic}"), encoding))?;
        }
        switch(&mut self.compressed, on.labels_compressed, node, |node| {
            let png = CompressedImage { format: "png".into(), ..CompressedImage::default() };
            Output::new(node, &format!("{prefix}/labels/compressed"), png)
        })?;
        switch(&mut self.frame_status, on.frame_status, node, |node| {
            Output::new(node, &format!("{prefix}/frame_status"), DiagnosticArray::default())
        })
    }

    /// Destroys all.
    pub(super) fn destroy(&mut self, node: &mut Node) {
        let off = Publish {
            labels_compressed: false,
            labels_color: false,
            anomaly: false,
            heatmap: false,
            overlay: false,
            frame_status: false,
        };
        // Nothing is made, so that nothing can fail.
        let _ = self.switch(node, "", &off);
    }

    /// Publishes a frame's status, where that is wanted.
    ///
    /// # Errors
    /// The middleware's.
    pub(super) fn tell(&self, status: DiagnosticArray) -> r2r::Result<()> {
        self.frame_status.as_ref().map_or(Ok(()), |output| output.publisher.publish(&status))
    }
}

fn switch<T: WrappedTypesupport>(
    output: &mut Option<Output<T>>,
    is_on: bool,
    node: &mut Node,
    make: impl FnOnce(&mut Node) -> r2r::Result<Output<T>>,
) -> r2r::Result<()> {
    match (is_on, output.take()) {
        (true, None) => *output = Some(make(node)?),
        (true, there) => *output = there,
        (false, Some(there)) => node.destroy_publisher(there.publisher),
        (false, None) => (),
    }
    Ok(())
}
