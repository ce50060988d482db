"""Records what goes in and what the node publishes into a rosbag2 MCAP, and keeps the status messages' values."""

import threading
import time

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.serialization import deserialize_message
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import Image

from play import IMAGE, stamp_ns

STATUS = "diagnostic_msgs/msg/DiagnosticArray"
CAMERA, HEATMAP, OVERLAY = "/camera/image_raw", "/open_set/anomaly/heatmap", "/open_set/overlay"
LABELS, COLOR, FRAME_STATUS = "/open_set/labels", "/open_set/labels/color", "/open_set/frame_status"
TOPICS = {
    CAMERA: IMAGE,
    LABELS: IMAGE,
    OVERLAY: IMAGE,
    COLOR: IMAGE,
    HEATMAP: IMAGE,
    "/open_set/anomaly": IMAGE,
    FRAME_STATUS: STATUS,
    "/diagnostics": STATUS,
}
# Large, or hard to compress: of these only some frames are kept, the same of each.
SPARSE = {CAMERA, COLOR, HEATMAP, "/open_set/anomaly"}


def values(status):
    return {pair.key: pair.value for pair in status.values}


class Recorder:
    """A context manager; the bag is whole once it is left.

    `sent` tells the number of each stamp; of sparse topics every `nth` frame is kept.
    """

    def __init__(self, node, bag, sent, nth):
        self.sent, self.nth = sent, nth
        self.frames = []  # the values of each frame_status
        self.diagnostics = {}  # the latest values of each status, by its name
        self.said = {}  # their latest messages
        self.diagnosed_ns = 0  # when that was
        self.labels = 0
        self.lock = threading.Lock()  # the player writes too
        self.writer = Writer(bag, version=9, storage_plugin=StoragePlugin.MCAP)
        self.writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self.writer.open()
        types = get_typestore(Stores.ROS2_JAZZY)
        self.connections = {t: self.writer.add_connection(t, kind, typestore=types) for t, kind in TOPICS.items()}
        self.subscriptions = [
            node.create_subscription(
                Image if kind == IMAGE else DiagnosticArray,
                topic,
                lambda raw, topic=topic: self.take(topic, raw),
                10,
                raw=True,  # as it came over the wire: that is what a bag holds
            )
            for topic, kind in TOPICS.items()
            if topic != CAMERA  # the player hands it over
        ]

    def connected(self):
        """Whether somebody publishes all that is to be recorded."""
        return all(subscription.get_publisher_count() for subscription in self.subscriptions)

    def take(self, topic, raw):
        now_ns = time.time_ns()
        if topic == LABELS:
            self.labels += 1
        elif topic == FRAME_STATUS:
            (status,) = deserialize_message(raw, DiagnosticArray).status
            self.frames.append(values(status))
        elif topic == "/diagnostics":
            for status in deserialize_message(raw, DiagnosticArray).status:
                self.diagnostics[status.name] = values(status)
                self.said[status.name] = status.message
            self.diagnosed_ns = stamp_ns(raw)
        if topic in SPARSE and self.sent.get(stamp_ns(raw), 0) % self.nth:
            return
        with self.lock:
            self.writer.write(self.connections[topic], now_ns, raw)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self.lock:
            self.writer.close()
