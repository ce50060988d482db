"""Plays the camera images of a bag over ROS, at the pace they were taken."""

import struct
import time

from rclpy.qos import qos_profile_sensor_data
from rosbags.highlevel import AnyReader
from sensor_msgs.msg import Image

IMAGE = "sensor_msgs/msg/Image"


class NoImages(ValueError):
    """A bag without camera images."""


def stamp_ns(raw):
    """The stamp of a serialised message that begins with a header."""
    sec, nanosec = struct.unpack_from(order(raw) + "iI", raw, 4)
    return sec * 10**9 + nanosec


def restamped(raw, ns):
    """The serialised message with another stamp in its header; its pixels are not touched."""
    raw = bytearray(raw)
    struct.pack_into(order(raw) + "iI", raw, 4, *divmod(ns, 10**9))
    return bytes(raw)


def order(raw):
    # The second byte of a CDR message tells its byte order.
    return "<" if raw[1] & 1 else ">"


class Player:
    """The first camera of a bag, published on `topic`."""

    def __init__(self, node, bag, topic):
        with AnyReader([bag]) as reader:
            cameras = [c for c in reader.connections if c.msgtype == IMAGE]
            if not cameras:
                topics = ", ".join(f"{c.topic} ({c.msgtype})" for c in reader.connections)
                raise NoImages(f"{bag} has no topic of {IMAGE}; it has: {topics or 'nothing'}")
        self.bag, self.camera, self.frames = bag, cameras[0].topic, cameras[0].msgcount
        self.publisher = node.create_publisher(Image, topic, qos_profile_sensor_data)
        self.sent = {}  # stamp in ns -> which frame of the bag

    def heard(self):
        return self.publisher.get_subscription_count() > 0

    def play(self, check, seconds, sent):
        """Publishes the first `seconds` of the bag, each image handed to `sent(topic, raw)` too.

        `check` raises if there is no sense in going on.
        """
        with AnyReader([self.bag]) as reader:
            images = reader.messages([c for c in reader.connections if c.topic == self.camera])
            began = first = None
            for _, recorded_ns, raw in images:
                began, first = began or time.monotonic(), first or recorded_ns
                offset_s = (recorded_ns - first) / 1e9
                if offset_s >= seconds:
                    break
                time.sleep(max(0.0, began + offset_s - time.monotonic()))
                check()
                # Latency is measured against stamps: each image says it was taken now.
                now_ns = time.time_ns()
                self.sent[now_ns] = len(self.sent)
                image = restamped(raw, now_ns)
                self.publisher.publish(image)
                sent(self.publisher.topic_name, image)
