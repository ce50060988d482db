"""What is killed and comes back: the node while a bag plays, the simulation's clock, and a node that was there already."""

import subprocess
import time
from collections import Counter

from builtin_interfaces.msg import Time
from PIL import Image as Pillow
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from fake import start_fake
from images import assert_bands, bands, fresh_header, rgb8
from peer import as_status, balanced
from process import PLAIN_TRANSPORT, other
from program import FOLDER


def key(message):
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def record(folder, frames=10, fps=20):
    """A bag of the bands, made by the tool for the desk."""
    pictures, bag = folder / "pictures", folder / "bag"
    pictures.mkdir()
    for i in range(frames):
        Pillow.fromarray(bands()).save(pictures / f"{i:02}.png")
    command = [FOLDER / "open-set", "bag", "from-video", pictures, "--out", bag, "--fps", fps]
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    return bag


def test_a_node_that_is_killed_while_a_bag_plays(start, tmp_path):
    """The next one takes over: every image since then once and in order, none from before."""
    bag = record(tmp_path)
    first = start_fake(start, {"latency_budget_ms": 5000.0}, delay_ms=20, wrapper=PLAIN_TRANSPORT)
    program = first.program
    with other("player.py", bag, program.camera_topic):
        labels = first.hear("labels")
        first.until(lambda: len(labels) >= 5, "answering")
        program.process.kill()
        program.process.wait()
        killed_ns = time.time_ns()
        taken_over = {"latency_budget_ms": 5000.0, "camera_topic": program.camera_topic}
        second = start_fake(start, taken_over, delay_ms=20, remaps=[f"__ns:={program.namespace}"])
        second.program.camera_topic = program.camera_topic  # by which the peer knows its statuses
        again = second.hear(f"{program.name}/labels", Image)
        second.until(lambda: len(again) >= 10, "answering again")
        stamps = [key(message) for message in again]
        assert stamps == sorted(set(stamps)) and stamps[0] > killed_ns
        assert_bands(again[-1])
        second.until_status("camera", lambda s: (s.level, s.message) == ("OK", "active"), "active")


def test_two_nodes_of_one_name(start):
    """Both work, and both say that they are not alone; when one is gone, the other says nothing any more."""
    first = start_fake(start)
    first.answer(rgb8(bands()), "labels")
    send = lambda: first.camera.publish(rgb8(bands(), header=fresh_header()))
    name, topic = first.program.namespace, first.program.camera_topic
    second = start_fake(start, {"camera_topic": topic}, remaps=[f"__ns:={name}"])
    both = lambda s: s.level == "WARN" and s.values["namesakes"] == "1"
    told = first.until_status("inference", both, "telling of a namesake", send)
    assert told.message.startswith("running, but 1 more of this name")
    labels = first.heard["labels"]
    labels.clear()
    # Each image is sent once, so that it takes two to answer it twice.
    twice = lambda: max(Counter(map(key, labels)).values(), default=0) == 2
    first.until(twice, "answered by both", send)
    second.program.__exit__()
    alone = lambda s: (s.level, s.values["namesakes"]) == ("OK", "0")
    first.until_status("inference", alone, "alone again", send)
    labels.clear()
    first.until(lambda: labels, "still answering", send)
    assert_bands(labels[-1])


def test_a_simulation_that_begins_anew(start):
    """Its clock's process goes, and another begins at zero: images of the new run are answered at once, by its clock,
    although they are of an earlier time than those before; an image of the old run that is still about is of the future
    now, and refused where that is asked for."""
    peer = start_fake(start, {"use_sim_time": True, "latency_budget_ms": 1000.0, "bad_stamps": "drop"})
    peer.hear("frame_status")
    of_old = rgb8(bands(), header=Header(stamp=Time(sec=999, nanosec=750_000_000), frame_id="sim"))
    of_new = rgb8(bands(), header=Header(stamp=Time(sec=4, nanosec=750_000_000), frame_id="sim"))

    def answered(image, now_s):
        clock = peer.ros.create_publisher(Clock, "/clock", 5)
        peer.until(clock.get_subscription_count, "following /clock")

        def send():
            clock.publish(Clock(clock=Time(sec=now_s)))
            peer.camera.publish(image)

        def told():
            of = [m for m in peer.heard["frame_status"] if m.header == image.header]
            return "250.000" in [as_status(m.status[0]).values["age_ms"] for m in of]

        peer.until_connected("labels", "frame_status")
        peer.until(told, f"an age by the clock at {now_s} s", send)
        return clock

    peer.ros.destroy_publisher(answered(of_old, 1000))
    answered(of_new, 5)
    before = int(peer.until_status("camera", balanced, "at rest").values["frames_bad_stamp"])
    peer.heard["labels"].clear()
    refused = lambda s: int(s.values["frames_bad_stamp"]) > before + 2
    peer.until_status("camera", refused, "refusing images of the old run", lambda: peer.camera.publish(of_old))
    assert not [m for m in peer.heard["labels"] if m.header == of_old.header]
