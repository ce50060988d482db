//! Writing a rosbag2 bag: a folder with one MCAP file and `metadata.yaml`, as ROS 2 Jazzy records it.
//!
//! Place: the desk, where a video or a folder of images becomes something `ros2 bag play`, Foxglove and the
//! node's own tests can use. No ROS is needed to write one.
//!
//! Deliberately does not know: pictures (they come encoded or as bytes), clocks (stamps come in), topics'
//! meaning. Sole user of `mcap` and `cdr-encoding`.

mod error;
mod message;
mod metadata;
mod writer;

pub use error::BagError;
pub use message::{CompressedImage, Header, Image, Message, MessageType, Time};
pub use writer::{BagSummary, BagWriter, Chunks};
