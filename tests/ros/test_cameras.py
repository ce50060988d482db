"""Several cameras at one node: each has outputs and settings of its own, and none waits for one that is dead."""

import time

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from PIL import Image as Pillow
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from fake import start_fake
from images import UNKNOWN, assert_bands, bands, fresh_header, pixels, rgb8
from peer import as_status

NAMES = ["front", "left"]


class Cameras:
    """Two of them, `front` and `left`."""

    def __init__(self, start, parameters=None, **more):
        own = {f"{name}.camera_topic": f"{name}/image" for name in NAMES}
        self.peer = start_fake(start, {"cameras": NAMES} | own | (parameters or {}), **more)
        self.topics = {name: f"{self.peer.program.namespace}/{name}/image" for name in NAMES}
        create = self.peer.ros.create_publisher
        self.publishers = {n: create(Image, t, qos_profile_sensor_data) for n, t in self.topics.items()}
        self.labels = {name: self.peer.hear(f"{name}/labels", Image) for name in NAMES}
        heard = lambda: all(p.get_subscription_count() for p in self.publishers.values())
        self.peer.until(heard, "subscribed to both")

    def send(self, name, picture=None):
        header = fresh_header(name)
        self.publishers[name].publish(rgb8(bands() if picture is None else picture, header=header))
        return header

    def answered(self, name, picture=None):
        """The labels of a fresh image."""
        self.labels[name].clear()
        self.peer.until(lambda: self.labels[name], f"answering {name}", lambda: self.send(name, picture))
        assert self.labels[name][0].header.frame_id == name
        return self.labels[name][0]

    def status(self, name, task, true, what, doing=None):
        return self.peer.until_status(task, true, what, doing, camera=self.topics[name])


@pytest.mark.parametrize("sessions", ["shared", "each"])
def test_a_dead_camera_and_one_that_wakes_up(start, sessions):
    cameras = Cameras(start, {"sessions": sessions, "stale_after_s": 0.5})
    for _ in range(10):
        assert_bands(cameras.answered("front"))
    active = cameras.status("front", "camera", lambda s: s.message == "active", "active", lambda: cameras.send("front"))
    assert active.name.endswith("open_set/front: camera")
    waiting = cameras.status("left", "camera", lambda s: s.values["state"] == "waiting", "waiting")
    assert waiting.level == "WARN" and cameras.topics["left"] in waiting.message
    assert not cameras.labels["left"]
    for _ in range(5):
        assert_bands(cameras.answered("left"))
    stale = cameras.status("front", "camera", lambda s: s.values["state"] == "stale", "stale", lambda: cameras.send("left"))
    assert stale.level == "WARN"
    for name in NAMES:
        status = cameras.status(name, "inference", lambda s: s.message == "running", "running")
        assert status.level == "OK"


def test_each_has_outputs_of_its_own_and_the_node_none(start):
    cameras = Cameras(start)
    for name in NAMES:
        cameras.answered(name)
    count = lambda topic: cameras.peer.ros.count_publishers(f"{cameras.peer.program.name}/{topic}")
    for topic in ["labels", "labels/color", "anomaly", "overlay", "frame_status", "debug/latency_ms", "label_info"]:
        assert (count(topic), count(f"front/{topic}"), count(f"left/{topic}")) == (0, 1, 1), topic


def test_mask_and_threshold_are_the_camera_s(start, tmp_path):
    path = tmp_path / "ego.png"
    mask = np.zeros((48, 64), np.uint8)
    mask[24:] = 255
    Pillow.fromarray(mask).save(path)
    cameras = Cameras(start, {"left.mask": str(path), "left.threshold_override": 1e6})
    for _ in range(3):
        front, left = (pixels(cameras.answered(name)) for name in NAMES)
        assert (front != 255).all() and (front == UNKNOWN).any()
        assert (left[24:] == 255).all() and (left[:24] != 255).all() and not (left == UNKNOWN).any()


def test_a_budget_is_the_camera_s(start):
    cameras = Cameras(start, {"front.latency_budget_ms": 60_000.0, "left.latency_budget_ms": 1.0}, delay_ms=50)
    cameras.answered("front")
    both = lambda: [cameras.send(name) for name in NAMES]
    cameras.status("left", "latency", lambda s: s.level == "ERROR", "over its budget", both)
    assert not cameras.labels["left"]
    front = cameras.status("front", "latency", lambda s: s.level == "OK" and int(s.values["frames"]) > 2, "well", both)
    assert front.values["budget_ms"] == "60000"


def test_a_network_that_is_too_slow_for_both_is_shared_evenly(start):
    """100 ms a frame, twice thirty frames a second: each has about five, and neither is left behind."""
    cameras = Cameras(start, delay_ms=100)
    for name in NAMES:
        cameras.answered(name)
        cameras.labels[name].clear()
    began = time.monotonic()
    for sent in range(150):
        while time.monotonic() < began + sent / 30:
            cameras.peer.spin()
        for name in NAMES:
            cameras.send(name)
    counts = [len(cameras.labels[name]) for name in NAMES]
    assert min(counts) >= 5 and max(counts) <= min(counts) * 1.5 + 2, counts
    for name in NAMES:
        stamps = [(m.header.stamp.sec, m.header.stamp.nanosec) for m in cameras.labels[name]]
        assert stamps == sorted(set(stamps))


def test_what_is_wrong_with_one_is_told_of_that_one(start):
    cameras = Cameras(start)
    cameras.answered("front")
    broken = rgb8(bands())
    broken.step = 7
    send = lambda: cameras.publishers["left"].publish(broken)
    rejected = cameras.status("left", "camera", lambda s: s.level == "ERROR", "rejected", send)
    assert "step is 7" in rejected.message
    cameras.status("front", "camera", lambda s: s.message == "active", "active", lambda: cameras.send("front"))


def test_frame_status_and_a_network_that_is_lost(start, tmp_path):
    """Sessions are both cameras'; so is their loss, and both are answered with the safe state."""
    broken = tmp_path / "broken"
    cameras = Cameras(start, {"on_fault": "all_unknown"}, broken=broken)
    for name in NAMES:
        cameras.answered(name)
    broken.touch()
    both = lambda: [cameras.send(name) for name in NAMES]
    for name in NAMES:
        cameras.status(name, "inference", lambda s: s.level == "ERROR", "failed", both)
        assert (pixels(cameras.answered(name)) == UNKNOWN).all()
    broken.unlink()
    for name in NAMES:
        whole = lambda: [m for m in cameras.labels[name] if not (pixels(m) == UNKNOWN).all()]
        cameras.labels[name].clear()
        cameras.peer.until(whole, f"answering {name} again", both)
        assert_bands(whole()[-1])


def test_a_node_that_cannot_be_configured_leaves_no_outputs(start):
    """The first of two networks cannot be made; the second camera's outputs were made before."""
    missing = {"sessions": "each", "front.mask": "/nowhere/ego.png", "autostart": False}
    peer = start_fake(start, {"cameras": NAMES} | missing)
    configure = lambda: peer.call(ChangeState, "change_state", transition=Transition(label="configure")).success
    assert not configure() and not configure()
    left = [f"{peer.program.name}/{name}/labels" for name in NAMES]
    peer.until(lambda: not any(map(peer.ros.count_publishers, left)), "without outputs")


def test_names_that_cannot_be(tmp_path):
    from program import Program

    for parameters, words in [
        ({"cameras": ["front", "front"]}, ["cameras", "each camera once"]),
        ({"cameras": ["front left"]}, ["cameras", "front left", "words"]),
        ({"cameras": ["image"]}, ["cameras", "a parameter's name"]),
        ({"cameras": ["front"], "left.mask": "x"}, ["left.mask", "camera left", "[front]"]),
        ({"cameras": ["front"], "camera_topic": "/x"}, ["camera_topic is /x", "NAME.camera_topic"]),
        ({"sessions": "some"}, ["sessions", "shared, each"]),
        ({"transport": "theora"}, ["transport", "raw, compressed"]),
    ]:
        with Program(tmp_path, parameters, name="examples/slow_fake_node") as program:
            code, said = program.ended(), program.stderr
        missing = [w for w in words if w not in said]
        assert (code, missing) == (2, []), said
