"""The latency budget from outside: what is published is in time, or says that it is not."""

import time

import pytest
from builtin_interfaces.msg import Time
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Header

from fake import start_fake
from images import bands, fresh_header, rgb8
from peer import as_status, balanced

BUDGET_MS = 190.0


def key(message):
    return message.header.stamp.sec, message.header.stamp.nanosec


def statuses(peer):
    """What frame_status told of each frame, by its stamp."""
    return {key(m): as_status(m.status[0]).values for m in peer.hear("frame_status")}


@pytest.mark.parametrize("over_budget", ["drop", "flag"])
def test_nothing_late_is_published_unmarked(start, over_budget):
    """Work takes 150 ms and images wait up to 33 ms for it: some make the budget and some do not."""
    peer = start_fake(start, {"latency_budget_ms": BUDGET_MS, "over_budget": over_budget}, delay_ms=150)
    peer.until_connected("labels", "frame_status")
    labels = peer.hear("labels")
    fresh = lambda: peer.camera.publish(rgb8(bands(), header=fresh_header()))
    peer.until(lambda: labels and peer.heard["frame_status"], "heard on both", fresh, every=0.4)
    labels.clear()
    began = time.monotonic()
    for sent in range(120):
        while time.monotonic() < began + sent / 30:
            peer.spin()
        fresh()
    counts = peer.until_status("camera", balanced, "at rest").values
    told = statuses(peer)
    for message in labels:
        said = told[key(message)]
        assert (float(said["age_ms"]) > BUDGET_MS) == (said["over_budget"] == "true"), said
    if over_budget == "flag":
        # What would miss may wait for a younger one; what was begun is published.
        assert len(labels) > 0 and int(counts["frames_late"]) == 0


def test_a_network_that_is_too_slow_is_not_fed_and_nothing_is_published(start):
    peer = start_fake(start, {"latency_budget_ms": 1000.0}, delay_ms=1200)
    peer.until_connected("labels", "frame_status")
    fresh = lambda: peer.camera.publish(rgb8(bands(), header=fresh_header()))
    refused = lambda s: int(s.values["frames_late"]) > 0 and int(s.values["frames_would_miss"]) > 2
    peer.until_status("camera", refused, "dropping, then not beginning", fresh)
    status = peer.until_status("latency", lambda s: s.level == "ERROR", "an error", fresh)
    assert "over the budget of 1000 ms" in status.message
    assert not peer.heard["labels"] and not peer.heard["frame_status"]


UNUSABLE = {"zero": Time(), "ahead": Time(sec=2**31 - 1)}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_stamp_that_tells_no_age(start, kind):
    """Its age counts from the arrival, so that the budget still holds; diagnostics say so, the log once."""
    peer = start_fake(start, {"latency_budget_ms": 30_000.0})
    image = rgb8(bands(), header=Header(stamp=UNUSABLE[kind], frame_id="camera"))
    labels, array = peer.answer(image, "labels", "frame_status")
    assert labels.header == image.header
    told = as_status(array.status[0]).values
    assert told["stamp"] == kind and 0 <= float(told["age_ms"]) < 30_000
    send = lambda: peer.camera.publish(image)
    many = lambda s: s.level == "WARN" and int(s.values[f"stamps_{kind}"]) > 2
    status = peer.until_status("latency", many, "counting them", send)
    assert "stamps are" in status.message and status.values["frames"] == "0"
    assert peer.program.stderr.count("stamps are") == 1, peer.program.stderr


@pytest.mark.parametrize("kind", UNUSABLE)
def test_such_stamps_may_be_refused(start, kind):
    peer = start_fake(start, {"bad_stamps": "drop"})
    image = rgb8(bands(), header=Header(stamp=UNUSABLE[kind], frame_id="camera"))
    peer.hear("labels")
    many = lambda s: int(s.values["frames_bad_stamp"]) > 2
    peer.until_status("camera", many, "refusing them", lambda: peer.camera.publish(image))
    peer.answer(rgb8(bands(), header=fresh_header()), "labels")
    assert all(m.header != image.header for m in peer.heard["labels"])
    assert peer.program.stderr.count("stamps are") == 1, peer.program.stderr


def test_the_budget_is_in_simulated_time(start):
    """A clock that stands still: nothing ages but by it."""
    peer = start_fake(start, {"use_sim_time": True, "latency_budget_ms": 300.0})
    clock = peer.ros.create_publisher(Clock, "/clock", 5)
    peer.until(clock.get_subscription_count, "following /clock")
    image = rgb8(bands(), header=Header(stamp=Time(sec=999, nanosec=750_000_000), frame_id="sim"))

    def send(now_s):
        clock.publish(Clock(clock=Time(sec=now_s)))
        peer.camera.publish(image)

    peer.until_connected("labels", "frame_status")
    ages = lambda: [float(v["age_ms"]) for k, v in statuses(peer).items() if k == key(image)]
    peer.until(lambda: 250.0 in ages(), "answering at an age of 250 ms", lambda: send(1000))
    over_age = lambda s: int(s.values["frames_over_age"]) > 2
    peer.until_status("camera", over_age, "refusing what a second made too old", lambda: send(1001))
