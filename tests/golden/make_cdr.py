#!/usr/bin/env python3
"""Makes image.cdr and compressed_image.cdr: what ROS 2 itself puts on the wire for the two messages that
src/bag/message.rs builds again in its test. Run it with a ROS 2 (jazzy) sourced."""

from pathlib import Path

from builtin_interfaces.msg import Time
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

# The strings have lengths that are no multiple of 4 on purpose: the fields after them need padding.
HEADER = Header(stamp=Time(sec=1_700_000_000, nanosec=123_456_789), frame_id="front_left")


def save(name, message, padding):
    data = bytearray(serialize_message(message))
    for i in padding:  # Fast CDR leaves these bytes as the memory was; they mean nothing.
        data[i] = 0
    (Path(__file__).parent / name).write_bytes(data)


save(
    "image.cdr",
    Image(header=HEADER, height=2, width=1, encoding="rgb8", step=3, data=[1, 2, 3, 4, 5, 6]),
    padding=[27, 46, 47],
)
save(
    "compressed_image.cdr",
    CompressedImage(header=HEADER, format="rgb8; jpeg compressed bgr8", data=[0xFF, 0xD8, 0xFF, 0xD9, 7]),
    padding=[27, 59],
)
