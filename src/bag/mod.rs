//! rosbag2 bags: writing one, a folder with one MCAP file and `metadata.yaml`, as ROS 2 Jazzy records it; and reading
//! a camera's messages out of one.
//!
//! Place: the desk, where a video or a folder of images becomes something `ros2 bag play`, Foxglove and the
//! node's own tests can use, and a drive that was recorded becomes pictures. No ROS is needed for either.
//!
//! Deliberately does not know: pictures (they come encoded or as bytes), clocks (stamps come in), topics'
//! meaning. Sole user of `mcap` and `cdr-encoding`.

mod cdr;
mod error;
mod message;
mod metadata;
mod reader;
mod writer;

pub use error::BagError;
pub use message::{CompressedImage, Header, Image, Message, MessageType, Time};
pub use reader::{Picture, Taken, camera, is_bag};
pub use writer::{BagSummary, BagWriter, Chunks};
