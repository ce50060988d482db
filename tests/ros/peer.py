"""The other side of the topics: a camera and a listener, spun by the test's own thread."""

import time
from collections import defaultdict, deque
from types import SimpleNamespace

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Float32, Int32
from vision_msgs.msg import LabelInfo

from program import PATIENCE_S

# What the node offers under its own name.
OUTPUTS = {
    "labels": Image,
    "labels/compressed": CompressedImage,
    "labels/color": Image,
    "anomaly": Image,
    "anomaly/heatmap": Image,
    "overlay": Image,
    "frame_status": DiagnosticArray,
    "label_info": LabelInfo,
    "camera_info": CameraInfo,
    "debug/latency_ms": Float32,
    "debug/inference_ms": Float32,
    "debug/input_height": Int32,
}
RELIABLE = QoSProfile(depth=100)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)

LEVELS = {
    DiagnosticStatus.OK: "OK",
    DiagnosticStatus.WARN: "WARN",
    DiagnosticStatus.ERROR: "ERROR",
    DiagnosticStatus.STALE: "STALE",
}


def as_status(message):
    """A DiagnosticStatus one can read."""
    values = {v.key: v.value for v in message.values}
    assert len(values) == len(message.values), f"a key stands twice in {message.name}"
    return SimpleNamespace(
        name=message.name, level=LEVELS[message.level], message=message.message, values=values
    )


def balanced(status):
    """All that came in went one of the ways there are; at rest nothing is in flight."""
    n = {k.removeprefix("frames_"): int(v) for k, v in status.values.items() if k.startswith("frames_")}
    return n.pop("in") == sum(n.values())


class Peer:
    """Speaks to one program. `heard[topic]` holds what came, oldest first."""

    def __init__(self, program):
        self.program = program
        self.ros = rclpy.create_node("peer", namespace=program.namespace)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.ros)
        self.camera = self.ros.create_publisher(Image, program.camera_topic, qos_profile_sensor_data)
        self.heard = defaultdict(lambda: deque(maxlen=1000))
        self._subscriptions = {}
        self._statuses = {}
        self.ros.create_subscription(DiagnosticArray, "/diagnostics", self._diagnostics, RELIABLE)

    def _diagnostics(self, array):
        for message in array.status:
            status = as_status(message)
            self._statuses[message.hardware_id, status.name.split(": ")[1]] = status

    def hear(self, topic, kind=None, qos=RELIABLE):
        """Listens to an output, or to any topic of the given kind."""
        kind = kind or OUTPUTS[topic]
        path = topic if topic.startswith("/") else f"{self.program.name}/{topic}"
        if topic not in self._subscriptions:
            # rclpy looks at a callback's signature, which a deque's own method has none of.
            listener = lambda message: self.heard[topic].append(message)
            self._subscriptions[topic] = self.ros.create_subscription(kind, path, listener, qos)
        return self.heard[topic]

    def spin(self):
        self.executor.spin_once(timeout_sec=0.02)

    def until(self, true, what, doing=None, every=0.5):
        """Spins until `true()` is, and gives what it gave; `doing` is called now and `every` so many seconds."""
        deadline = time.monotonic() + PATIENCE_S
        next_doing = 0
        while not (result := true()):
            now = time.monotonic()
            said = f"; the node said:\n{self.program.stderr[-4000:]}"
            assert self.program.is_running(), f"the node ended before {what}{said}"
            assert now < deadline, f"after {PATIENCE_S} s still not {what}{said}"
            if doing and now >= next_doing:
                doing()
                next_doing = now + every
            self.spin()
        return result

    def until_connected(self, *topics):
        """Until the node hears the camera and each of the outputs has been found."""
        for topic in topics:
            self.hear(topic)
        found = lambda topic: self.ros.count_publishers(self._subscriptions[topic].topic_name)
        self.until(
            lambda: self.camera.get_subscription_count() and all(map(found, topics)),
            f"subscribed to the camera and offering {', '.join(topics)}",
        )

    def answer(self, image, *topics):
        """What the node makes of an image, on each of the topics.

        The image is sent again until all is there: best effort may lose one, and that the node has found a
        listener is known to the node alone."""
        self.until_connected(*topics)

        def answers():
            with_its_stamp = lambda t: [m for m in self.heard[t] if m.header.stamp == image.header.stamp]
            found = [with_its_stamp(t)[:1] for t in topics]
            return all(found) and [m for (m,) in found]

        return self.until(answers, f"answered on {', '.join(topics)}", lambda: self.camera.publish(image))

    def status(self, task, camera=None):
        """The latest of `camera`, `inference`, `latency`, `image` or `drift` in /diagnostics, if one came; of the
        camera on that topic."""
        return self._statuses.get((camera or self.program.camera_topic, task))

    def until_status(self, task, true, what, doing=None, every=0.1, camera=None):
        """Until a status of that task is as wanted."""
        self._statuses.pop((camera or self.program.camera_topic, task), None)
        latest = lambda: self.status(task, camera)
        try:
            return self.until(lambda: (s := latest()) and true(s) and s, f"{task} {what}", doing, every)
        except AssertionError as failure:
            raise AssertionError(f"{failure}\nlast status: {latest()}") from None

    def call(self, kind, service, **request):
        """The answer of one of the node's services."""
        client = self.ros.create_client(kind, f"{self.program.name}/{service}")
        self.until(client.service_is_ready, f"offering {service}")
        future = client.call_async(kind.Request(**request))
        return self.until(lambda: future.done() and future.result(), f"answering {service}")

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.executor.shutdown()
        self.ros.destroy_node()
