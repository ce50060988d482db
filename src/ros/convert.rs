//! Image messages to frames: sizes, encodings and stamps, nothing of what they mean.

use crate::frame::{Encoding, Frame, FrameError};
use r2r::sensor_msgs::msg::Image;

/// A checked view of an image message.
///
/// # Errors
/// An encoding that is not read, or a header that its data does not keep.
pub(super) fn frame(image: &Image) -> Result<Frame<'_>, FrameError> {
    let encoding = Encoding::from_name(&image.encoding)?;
    Frame::new(encoding, image.width as usize, image.height as usize, image.step as usize, &image.data)
}

/// The stamp as nanoseconds since the epoch of its clock.
pub(super) fn stamp_ns(header: &r2r::std_msgs::msg::Header) -> i64 {
    i64::from(header.stamp.sec) * 1_000_000_000 + i64::from(header.stamp.nanosec)
}
