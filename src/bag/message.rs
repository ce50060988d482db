//! The ROS messages a bag here holds, and their bytes: plain CDR, little-endian.
//!
//! A type is its fields in order; what names it to ROS is beside it as a [`MessageType`]. The hashes are
//! those of ROS 2 Jazzy (`share/sensor_msgs/msg/*.json`, `type_hashes`).

use byteorder::LittleEndian;
use serde::{Serialize, Serializer};

use super::BagError;

/// What tells a reader how to take a message apart.
#[derive(Debug, PartialEq, Eq)]
pub struct MessageType {
    /// `package/msg/Name`.
    pub name: &'static str,
    /// Its fields, and those of the types inside, as MCAP wants `ros2msg` schemas: one text.
    pub definition: &'static str,
    /// REP 2016.
    pub hash: &'static str,
}

/// A message that has a place in a bag.
pub trait Message: Serialize {
    /// Its type.
    const TYPE: MessageType;
}

/// `builtin_interfaces/Time`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Time {
    /// Whole seconds since 1970.
    pub sec: i32,
    /// The rest, below 10^9.
    pub nanosec: u32,
}

impl Time {
    /// # Errors
    /// [`BagError::Stamp`] from the year 2038 on.
    pub fn from_ns(stamp_ns: u64) -> Result<Self, BagError> {
        const SECOND: u64 = 1_000_000_000;
        let sec = i32::try_from(stamp_ns / SECOND).map_err(|_| BagError::Stamp { stamp_ns })?;
        Ok(Self { sec, nanosec: (stamp_ns % SECOND) as u32 })
    }
}

/// `std_msgs/Header`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Header<'a> {
    /// When the picture was taken.
    pub stamp: Time,
    /// The camera's optical frame.
    pub frame_id: &'a str,
}

/// `sensor_msgs/Image`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Image<'a> {
    /// Stamp and frame.
    pub header: Header<'a>,
    /// In pixels.
    pub height: u32,
    /// In pixels.
    pub width: u32,
    /// A name of `sensor_msgs/image_encodings`.
    pub encoding: &'a str,
    /// 1 where values of more than a byte are big-endian.
    pub is_bigendian: u8,
    /// Bytes from row to row.
    pub step: u32,
    /// `step × height` bytes.
    #[serde(serialize_with = "as_bytes")]
    pub data: &'a [u8],
}

/// `sensor_msgs/CompressedImage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CompressedImage<'a> {
    /// Stamp and frame.
    pub header: Header<'a>,
    /// As `compressed_image_transport` writes it: `rgb8; jpeg compressed bgr8`.
    pub format: &'a str,
    /// The encoded picture.
    #[serde(serialize_with = "as_bytes")]
    pub data: &'a [u8],
}

/// The types inside both messages.
macro_rules! with_header {
    ($fields:literal) => {
        concat!(
            $fields,
            "================================================================================\n",
            "MSG: std_msgs/Header\n",
            "builtin_interfaces/Time stamp\n",
            "string frame_id\n",
            "================================================================================\n",
            "MSG: builtin_interfaces/Time\n",
            "int32 sec\n",
            "uint32 nanosec\n",
        )
    };
}

impl Message for Image<'_> {
    const TYPE: MessageType = MessageType {
        name: "sensor_msgs/msg/Image",
        definition: with_header!(
            "std_msgs/Header header\nuint32 height\nuint32 width\nstring encoding\nuint8 is_bigendian\n\
             uint32 step\nuint8[] data\n"
        ),
        hash: "RIHS01_d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47",
    };
}

impl Message for CompressedImage<'_> {
    const TYPE: MessageType = MessageType {
        name: "sensor_msgs/msg/CompressedImage",
        definition: with_header!("std_msgs/Header header\nstring format\nuint8[] data\n"),
        hash: "RIHS01_15640771531571185e2efc8a100baf923961a4d15d5569652e6cb6691e8e371a",
    };
}

/// Replaces `out` with the message's bytes, the four of the encapsulation first.
pub(super) fn encode<M: Message>(message: &M, out: &mut Vec<u8>) -> Result<(), BagError> {
    out.clear();
    // Plain CDR, little-endian, no options. Alignment is counted from behind it.
    out.extend_from_slice(&[0, 1, 0, 0]);
    cdr_encoding::to_writer::<M, LittleEndian, _>(out, message)
        .map_err(|error| BagError::Encoding { what: M::TYPE.name, message: error.to_string() })
}

/// A sequence of bytes in one piece; serde would hand them over one at a time.
fn as_bytes<S: Serializer>(data: &&[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &impl Message, golden: &[u8]) {
        let mut bytes = vec![9; 3];
        encode(message, &mut bytes).unwrap();
        assert_eq!(bytes, golden);
    }

    /// The goldens are written by ROS itself: tests/golden/make_cdr.py.
    #[test]
    fn the_bytes_are_those_of_ros() {
        let stamp = Time { sec: 1_700_000_000, nanosec: 123_456_789 };
        let header = Header { stamp, frame_id: "front_left" };
        check(
            &Image {
                header,
                height: 2,
                width: 1,
                encoding: "rgb8",
                is_bigendian: 0,
                step: 3,
                data: &[1, 2, 3, 4, 5, 6],
            },
            include_bytes!("../../tests/golden/image.cdr"),
        );
        check(
            &CompressedImage {
                header,
                format: "rgb8; jpeg compressed bgr8",
                data: &[0xFF, 0xD8, 0xFF, 0xD9, 7],
            },
            include_bytes!("../../tests/golden/compressed_image.cdr"),
        );
    }

    #[test]
    fn a_stamp_ends_in_2038() {
        assert_eq!(Time::from_ns(1_500_000_002).unwrap(), Time { sec: 1, nanosec: 500_000_002 });
        let last = (1 << 31) * 1_000_000_000 - 1;
        assert_eq!(Time::from_ns(last).unwrap(), Time { sec: i32::MAX, nanosec: 999_999_999 });
        assert!(matches!(Time::from_ns(last + 1), Err(BagError::Stamp { .. })));
    }
}
