"""A camera faster than the network: every answer is about now, nothing queues, and the books balance."""

import statistics
import time

import numpy as np

from fake import start_fake
from images import assert_bands, bands, fresh_header, rgb8
from peer import balanced

DELAY_MS = 150


def send(peer, index):
    """The frame_id tells which frame it is."""
    peer.camera.publish(rgb8(bands(), header=fresh_header(f"{index}")))


def index(message):
    return int(message.header.frame_id)


def test_what_waits_is_replaced_by_what_comes(start):
    """In lock-step, so that no clock decides: while the node works on one frame, others come, and the next
    result is that of the last of them."""
    peer = start_fake(start, delay_ms=1500)
    peer.until_connected("labels")
    labels = peer.hear("labels")
    peer.until(lambda: labels, "answering", lambda: send(peer, 0), every=3)
    before = peer.until_status("camera", balanced, "at rest").values
    sent = 0
    for _ in range(2):
        labels.clear()
        first, last = sent + 1, sent + 5
        send(peer, first)
        began = time.monotonic()
        while time.monotonic() < began + 0.3:  # by now the node has begun; it takes five times as long
            peer.spin()
        for i in range(first + 1, last + 1):
            send(peer, i)
        peer.until(lambda: len(labels) >= 2, "two results")
        assert [index(m) for m in labels] == [first, last]
        sent = last
    after = peer.until_status("camera", balanced, "at rest").values
    assert int(after["frames_replaced"]) - int(before["frames_replaced"]) == 2 * 3


def test_a_camera_of_30_hz_on_a_network_of_6(start):
    peer = start_fake(start, delay_ms=DELAY_MS)
    peer.until_connected("labels", "frame_status")
    labels = peer.hear("labels")
    peer.until(lambda: labels, "answering", lambda: send(peer, -1), every=3)
    before = peer.until_status("camera", balanced, "at rest").values
    labels.clear()

    # For each result: the frame it is of, and the newest that had been sent when it came.
    results, frames = [], 120
    began = time.monotonic()
    for sent in range(frames):
        while time.monotonic() < began + sent / 30:
            peer.spin()
            results += [(index(labels.popleft()), sent - 1) for _ in range(len(labels))]
        send(peer, sent)
    peer.until(lambda: labels and index(labels[-1]) == frames - 1, "the last frame's result")
    results += [(index(m), frames - 1) for m in labels]

    indices = [of for of, _ in results]
    assert indices == sorted(set(indices)), "each frame once, in order"
    # When result i came, the work on i+2 had not begun: that of i+1 lay before it. So i+2 must be of a
    # frame at least as new as the newest sent by then, and i+3 all the more, with one whole delay (150 ms)
    # for the frame to reach the node. A queue of five or more frames cannot keep up with that.
    for (_, newest_then), (later, _) in zip(results, results[3:]):
        assert later >= newest_then, f"a result of frame {later}, three after {newest_then} was there: {results}"
    # And the distance does not grow, as it would behind any queue.
    behind = [newest - of for of, newest in results]
    third = len(behind) // 3
    assert statistics.median(behind[-third:]) <= statistics.median(behind[:third]) + 2, behind

    after = peer.until_status("camera", balanced, "at rest").values
    came = int(after["frames_in"]) - int(before["frames_in"])
    assert came == frames, "none was lost before the slot, however busy the network was"
    answered = int(after["frames_out"]) - int(before["frames_out"])
    assert answered == len(results) < frames


def test_no_large_image_is_lost_before_the_slot(start):
    """1920x1080 rgb8, 6 MB each, with the shipped profile of the middleware (see conftest)."""
    peer = start_fake(start)
    peer.until_connected("labels")
    picture = np.ascontiguousarray(bands(1920, 1080))
    small = rgb8(bands())
    peer.answer(small, "labels")
    before = int(peer.until_status("camera", balanced, "at rest").values["frames_in"])
    began = time.monotonic()
    for sent in range(30):
        peer.camera.publish(rgb8(picture))
        while time.monotonic() < began + (sent + 1) / 10:
            peer.spin()
    peer.until_status("camera", lambda s: int(s.values["frames_in"]) - before == 30, f"at {before} + 30 frames in")
    (labels,) = peer.answer(rgb8(picture), "labels")
    assert_bands(labels)
