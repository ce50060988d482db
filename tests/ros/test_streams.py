"""Streams that are not as they should be: too fast, changing, and damaged now and then."""

import random
import statistics
import time

import pytest

from fake import start_fake
from images import assert_bands, bands, encoded, fresh_header, rgb8
from peer import as_status, balanced

DELAY_MS = 100


@pytest.mark.parametrize("times", [2, 10], ids=lambda t: f"{t} times")
def test_a_camera_faster_than_the_network(start, times):
    """Six seconds at so many times the rate that the network keeps up with. Results are of the newest frames: their
    ages do not grow, as they would behind a queue, and all that came is accounted for."""
    peer = start_fake(start, delay_ms=DELAY_MS)
    peer.until_connected("labels", "frame_status")
    statuses = peer.hear("frame_status")
    send = lambda: peer.camera.publish(rgb8(bands(), header=fresh_header()))
    peer.until(lambda: statuses, "answering", send, every=1)
    before = peer.until_status("camera", balanced, "at rest").values
    statuses.clear()

    fps = times * 1000 / DELAY_MS
    frames = round(6 * fps)
    began = time.monotonic()
    for sent in range(frames):
        while time.monotonic() < began + sent / fps:
            peer.spin()
        send()
    after = peer.until_status("camera", balanced, "at rest").values
    ages = [float(as_status(m.status[0]).values["age_ms"]) for m in statuses]
    stamps = [(m.header.stamp.sec, m.header.stamp.nanosec) for m in statuses]
    assert stamps == sorted(set(stamps)), "each frame once, in order"
    third = len(ages) // 3
    assert statistics.median(ages[-third:]) <= statistics.median(ages[:third]) + DELAY_MS, ages

    grown = lambda key: int(after[key]) - int(before[key])
    assert grown("frames_out") == len(statuses) and grown("frames_replaced") > 0
    assert grown("frames_in") == grown("frames_out") + grown("frames_replaced")
    # Best effort may lose frames before the node; behind it nothing is.
    assert frames / 2 < grown("frames_in") <= frames


def test_size_and_encoding_change_in_the_stream(start):
    """From frame to frame, under a budget and with labels held: whatever was remembered of the last is of no use."""
    peer = start_fake(start, {"latency_budget_ms": 30_000.0, "hysteresis.delta": 0.2, "hysteresis.frames": 3})
    dice = random.Random(3)
    for _ in range(12):
        width, height = dice.choice([(64, 48), (128, 96), (320, 240), (66, 50)])
        encoding = dice.choice(["rgb8", "bgr8", "rgba8", "mono8"])
        image = encoded(bands(width, height), encoding, header=fresh_header())
        labels, anomaly = peer.answer(image, "labels", "anomaly")
        assert (labels.width, labels.height) == (anomaly.width, anomaly.height) == (width, height)
        assert_bands(labels)


def test_one_message_in_a_hundred_is_damaged(start):
    """It is refused, with a reason, and costs the stream nothing else."""
    peer = start_fake(start)
    peer.until_connected("labels")
    labels = peer.hear("labels")
    peer.answer(rgb8(bands()), "labels")
    before = peer.until_status("camera", balanced, "at rest").values
    labels.clear()
    dice = random.Random(4)
    damaged = {100 * hundred + dice.randrange(100) for hundred in range(3)}
    # In lock-step, so that none is replaced; one that is lost on the way is sent again.
    for sent in range(300):
        image = rgb8(bands(), header=fresh_header(f"frame {sent}"))
        send = lambda: peer.camera.publish(image)
        if sent not in damaged:
            answered = lambda: labels and labels[-1].header == image.header
            peer.until(answered, f"answering frame {sent}", send, every=5)
            continue
        image.data = image.data[: dice.randrange(len(image.data))]
        rejected = lambda s: int(s.values["frames_rejected"]) > int(before["frames_rejected"])
        told = peer.until_status("camera", rejected, "refusing it", send, every=5)
        assert told.level == "ERROR" and told.message.startswith("rejected: ") and "9216" in told.message
        before = told.values
    assert not {m.header.frame_id for m in labels} & {f"frame {sent}" for sent in damaged}
    peer.until_status(
        "camera", lambda s: s.message == "active", "active", lambda: peer.camera.publish(rgb8(bands())), every=0.5
    )
