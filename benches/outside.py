"""What the soak and the budget's demo see from outside: every result, its age, and what its frame_status says.

A result's age is not what the node says it is: it is the time the middleware stamped the labels with when they were
published, less the stamp of the image. Both are of this machine's clock.
"""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image

from play import stamp_ns
from record import values

BENCHES = Path(__file__).resolve().parent
# So many results may lie between labels and their status: both are reliable, and neither waits for the other.
KEPT = 100


class Listener:
    """Notes results by the stamps of their images. Its callbacks run on the thread that spins the node."""

    def __init__(self, ros, namespace):
        self.ros = ros
        self.owner = namespace.strip("/")  # as its statuses are named: the node, and its camera where that has a name
        self.lock = threading.Lock()
        self.age_ms = {}  # of each result, by its stamp
        self.said = {}  # what frame_status says of it
        self.diagnostics = {}  # the latest values of each status, by its task
        self.subscriptions = [
            ros.create_subscription(Image, f"{namespace}/labels", self.labels, KEPT, raw=True),
            ros.create_subscription(DiagnosticArray, f"{namespace}/frame_status", self.status, KEPT, raw=True),
            ros.create_subscription(DiagnosticArray, "/diagnostics", self.diagnosed, 10),
        ]

    def labels(self, raw, info):
        stamp = stamp_ns(raw)
        with self.lock:
            self.age_ms[stamp] = (info["source_timestamp"] - stamp) / 1e6

    def status(self, raw):
        (status,) = deserialize_message(raw, DiagnosticArray).status
        with self.lock:
            self.said[stamp_ns(raw)] = values(status)

    def diagnosed(self, array):
        with self.lock:
            for status in array.status:
                owner, task = status.name.split(": ")
                if owner == self.owner:
                    self.diagnostics[task] = values(status) | {"message": status.message}

    def wait_for_node(self, camera_topic, check, timeout_s=60):
        """Until the node subscribes to the camera, which is when its model is warm, and its outputs are found."""
        deadline = time.monotonic() + timeout_s
        while not (
            self.ros.count_subscribers(camera_topic)
            and all(subscription.get_publisher_count() for subscription in self.subscriptions)
        ):
            check()
            if time.monotonic() > deadline:
                sys.exit(f"no node subscribed to {camera_topic} within {timeout_s} s")
            time.sleep(0.05)

    def close(self):
        for subscription in self.subscriptions:
            self.ros.destroy_subscription(subscription)

    def unmarked(self, budget_ms):
        """Results over the budget whose frame_status does not say so, or that have none: `{stamp: age}`."""
        with self.lock:
            over = {stamp: age for stamp, age in self.age_ms.items() if age > budget_ms}
            return {s: age for s, age in over.items() if self.said.get(s, {}).get("over_budget") != "true"}


@contextmanager
def camera(topic, size, fps, seconds):
    """A camera process meanwhile; gives a function that waits for its end and tells how many frames it sent."""
    frames = round(fps * seconds)
    command = [sys.executable, BENCHES / "camera.py", topic, size, "--frames", str(frames), "--fps", str(fps)]
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)

    def sent():
        told, _ = process.communicate(timeout=seconds + 120)
        if process.returncode != 0:
            sys.exit("the camera failed: see above")
        return json.loads(told.splitlines()[-1])["sent"]

    try:
        yield sent
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@contextmanager
def busy(processes=os.cpu_count()):
    """As many programs that take all the time they get: those of a core share it, so that each gets half."""
    loads = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for load in loads:
            load.kill()
        for load in loads:
            load.wait()


def put_between(path, begin, end, text):
    """Replaces what lies between two lines of a file."""
    old = path.read_text()
    if old.count(begin) != 1 or old.count(end) != 1:
        sys.exit(f"{path} must have the lines {begin!r} and {end!r}, each once")
    head, rest = old.split(begin)
    path.write_text(head + begin + text + end + rest.split(end)[1])
