"""What happens to a node in its life: cameras die, clocks jump, somebody stops it."""

import signal

import pytest
from builtin_interfaces.msg import Time
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Header

from fake import start_fake
from images import assert_bands, bands, rgb8
from peer import as_status
from process import other
from program import MODEL


def test_a_camera_that_dies_and_comes_back(start):
    peer = start_fake(start, {"stale_after_s": 0.5})
    labels = peer.hear("labels")
    active = lambda s: (s.level, s.message) == ("OK", "active")
    for _ in range(2):
        with other("camera.py", peer.program.camera_topic):
            labels.clear()
            peer.until(lambda: labels, "answering")
            peer.until_status("camera", active, "active")
        peer.until_status("camera", lambda s: s.level == "WARN" and "stale" in s.message, "stale")
        assert_bands(labels[-1])


def test_a_listener_that_hangs_holds_nobody_up(start):
    """A frozen window at the other end of a reliable topic: everybody else still gets every result."""
    peer = start_fake(start)
    picture = bands(1280, 720)
    topic = f"{peer.program.name}/labels"
    listeners = lambda: peer.ros.count_subscribers(topic)
    with other("listener.py", topic) as listener:
        peer.answer(rgb8(picture), "labels")
        peer.until(lambda: listeners() == 2, "heard by both")
        listener.send_signal(signal.SIGSTOP)
        for _ in range(40):
            peer.answer(rgb8(picture), "labels")
        listener.send_signal(signal.SIGCONT)
    # It died without a word, and is still not waited for.
    for _ in range(10):
        peer.answer(rgb8(picture), "labels")


def test_a_clock_that_jumps_backwards(start):
    """As in a looped replay: ages are by the ROS clock, results go on with the headers of their images."""
    peer = start_fake(start, {"use_sim_time": True})
    clock = peer.ros.create_publisher(Clock, "/clock", 5)
    peer.until(clock.get_subscription_count, "following /clock")
    for now_s in (1000, 10, 500):
        image = rgb8(bands(), header=Header(stamp=Time(sec=now_s - 1, nanosec=750_000_000), frame_id="looped"))

        def told():
            """That the frame was a quarter of a second old: until then the node may not have the time yet."""
            clock.publish(Clock(clock=Time(sec=now_s)))
            ages = [
                float(as_status(m.status[0]).values["age_ms"])
                for m in peer.heard["frame_status"]
                if m.header == image.header
            ]
            return 250.0 in ages

        (labels,) = peer.answer(image, "labels")
        assert labels.header == image.header
        assert_bands(labels)
        peer.hear("frame_status")
        peer.until(told, f"an age by the clock at {now_s} s", lambda: peer.camera.publish(image))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
@pytest.mark.parametrize("delay_ms", [0, 1000], ids=lambda d: f"delay {d} ms")
def test_stopped_while_frames_flow(start, how, delay_ms):
    peer = start_fake(start, delay_ms=delay_ms)
    image = rgb8(bands())
    peer.answer(image, "labels")
    for i in range(20):
        peer.camera.publish(image)
        peer.spin()
        if i == 10:
            peer.program.process.send_signal(how)
    assert peer.program.ended() == 0, peer.program.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_stopped_with_a_real_network(start, how):
    peer = start({"model": str(MODEL)})
    image = rgb8(bands())
    peer.answer(image, "labels", "overlay", "anomaly")
    peer.camera.publish(image)
    peer.program.process.send_signal(how)
    assert peer.program.ended() == 0, peer.program.stderr


def test_stopped_while_it_waits(start):
    """No camera, no image: there is nothing to wake it but the signal."""
    peer = start_fake(start)
    peer.until_status("camera", lambda s: s.values["state"] == "waiting", "waiting")
    peer.program.process.send_signal(signal.SIGTERM)
    assert peer.program.ended() == 0, peer.program.stderr
