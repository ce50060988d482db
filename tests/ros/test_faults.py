"""Networks that fail, get lost or do not come back: the safe state, new sessions, and what is said of it."""

import shutil
import signal
import time

import pytest

from fake import start_fake
from images import UNKNOWN, assert_bands, bands, fresh_header, pixels, rgb8
from peer import as_status
from program import MODEL


def sender(peer):
    return lambda: peer.camera.publish(rgb8(bands(), header=fresh_header()))


def is_all_unknown(labels):
    return bool((pixels(labels) == UNKNOWN).all())


def until_bands(peer, what):
    """Until a fresh image is labelled as it should be."""
    labels = peer.hear("labels")
    labels.clear()
    peer.until(lambda: [m for m in labels if not is_all_unknown(m)], what, sender(peer), every=0.1)
    assert_bands(labels[-1])


def told_of(peer, message):
    """What frame_status says of a result."""
    of = lambda: [m for m in peer.hear("frame_status") if m.header == message.header]
    return as_status(peer.until(of, "telling of a result")[0].status[0])


def test_a_device_that_is_lost_and_comes_back(start, tmp_path):
    broken = tmp_path / "broken"
    peer = start_fake(start, {"on_fault": "all_unknown"}, broken=broken)
    peer.until_connected("labels", "frame_status")
    until_bands(peer, "labelled")

    broken.touch()
    labels = peer.hear("labels")
    labels.clear()
    gone = lambda s: s.level == "ERROR" and "the device is gone" in s.message
    failed = peer.until_status("inference", gone, "failing for good", sender(peer))
    assert "could not be made anew" in failed.message and "the device was lost" in failed.message
    assert int(failed.values["results_all_unknown"]) > 0 and int(failed.values["rebuilds"]) > 0
    peer.until(lambda: labels, "answering all the same", sender(peer))
    last = labels[-1]
    assert is_all_unknown(last) and last.header.frame_id == "camera_front"
    status = told_of(peer, last)
    assert (status.level, status.values["safe_state"]) == ("ERROR", "true")
    assert status.message.startswith("all unknown: ") and float(status.values["age_ms"]) < 60_000

    broken.unlink()
    until_bands(peer, "labelled again")
    running = lambda s: (s.level, s.message) == ("OK", "running")
    peer.until_status("inference", running, "running again", sender(peer))
    assert "recovered after" in peer.program.stderr
    assert told_of(peer, labels[-1]).values["safe_state"] == "false"


def test_silent_is_silent(start, tmp_path):
    broken = tmp_path / "broken"
    peer = start_fake(start, broken=broken)
    peer.until_connected("labels", "frame_status")
    until_bands(peer, "labelled")
    broken.touch()
    failed = lambda s: s.level == "ERROR" and int(s.values["rebuilds"]) > 1
    peer.until_status("inference", failed, "failing", sender(peer))
    labels = peer.hear("labels")
    labels.clear()
    peer.until_status("camera", lambda s: s.values["state"] == "active", "active", sender(peer))
    assert not labels
    broken.unlink()
    until_bands(peer, "labelled again")


def test_a_network_that_does_not_come_back_ends_the_node(start, tmp_path):
    load = tmp_path / "load"
    load.write_text("1")
    peer = start_fake(start, {"stuck_after_s": 1.0}, delay_ms=100, load=load)
    until_bands(peer, "labelled")
    load.write_text("300")
    sender(peer)()
    assert peer.program.ended() == 1
    assert "stuck: at work on one frame for 1." in peer.program.stderr


def test_or_what_comes_meanwhile_is_unknown(start, tmp_path):
    load = tmp_path / "load"
    load.write_text("1")
    parameters = {"stuck_after_s": 1.0, "on_stuck": "all_unknown"}
    peer = start_fake(start, parameters, delay_ms=100, load=load)
    peer.until_connected("labels", "frame_status")
    until_bands(peer, "labelled")
    labels = peer.hear("labels")
    labels.clear()
    load.write_text("40")
    answered = lambda: len([m for m in labels if is_all_unknown(m)]) >= 5
    peer.until(answered, "answering in the network's place", sender(peer), every=0.1)
    load.write_text("1")
    stuck = peer.program.stderr
    assert "images that come meanwhile are labelled unknown" in stuck
    peer.until(lambda: "no longer stuck" in peer.program.stderr, "getting unstuck", sender(peer), every=0.1)
    peer.until(lambda: not is_all_unknown(labels[-1]), "labelled again", sender(peer), every=0.1)
    stamps = [(m.header.stamp.sec, m.header.stamp.nanosec) for m in labels]
    assert stamps == sorted(set(stamps)), "no image is answered twice, none after a younger one"


def test_a_process_that_is_stopped_for_a_while(start):
    """Not stuck, and what waited for it is not published as if it were of now."""
    peer = start_fake(start, {"latency_budget_ms": 1000.0, "stuck_after_s": 2.0}, delay_ms=50)
    peer.until_connected("labels", "frame_status")
    until_bands(peer, "labelled")
    statuses = peer.hear("frame_status")
    send = sender(peer)
    peer.program.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        while time.monotonic() < began + 5:
            send()
            time.sleep(0.1)
    finally:
        peer.program.process.send_signal(signal.SIGCONT)
    statuses.clear()
    peer.until(lambda: len(statuses) >= 5, "answering again", send, every=0.1)
    for message in statuses:
        told = as_status(message.status[0]).values
        assert float(told["age_ms"]) <= 1000 or told["over_budget"] == "true", told
    assert "stuck" not in peer.program.stderr


@pytest.mark.parametrize("what", ["cut off", "gone"])
def test_a_model_file_that_is_replaced_under_the_node(start, tmp_path, what):
    for file in MODEL, MODEL.with_suffix(".onnx"):
        shutil.copy(file, tmp_path)
    manifest = tmp_path / MODEL.name
    peer = start({"model": str(manifest), "input_size": "64x48", "threshold_override": 0.5})
    image = rgb8(bands())
    before = peer.answer(image, "labels", "frame_status")
    for file in manifest, manifest.with_suffix(".onnx"):
        file.unlink() if what == "gone" else file.write_bytes(file.read_bytes()[:100])
    peer.heard["labels"].clear()
    peer.heard["frame_status"].clear()
    after = peer.answer(image, "labels", "frame_status")
    assert (pixels(after[0]) == pixels(before[0])).all()
    sha = [as_status(answer[1].status[0]).values["model_sha256"] for answer in (before, after)]
    assert sha[0] == sha[1]
