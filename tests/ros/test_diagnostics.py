"""/diagnostics: a reason when there is no output, and numbers when there is."""

import numpy as np
from rcl_interfaces.msg import Log
from sensor_msgs.msg import Image

from fake import start_fake
from images import bands, fresh_header, message, rgb8
from peer import as_status
from program import MODEL

STAGES = ["latency", "preprocess", "inference", "score", "labels", "publish"]


def test_waiting_active_stale_active(start):
    peer = start_fake(start, {"stale_after_s": 0.5})
    topic = peer.program.camera_topic

    # The peer's own camera is there from the start; another comes and goes.
    waiting = lambda n: lambda s: s.level == "WARN" and s.values["publishers"] == str(n)
    status = peer.until_status("camera", waiting(1), "waiting, with one publisher")
    assert status.message.startswith(f"waiting: no image yet on {topic} (best effort, volatile, keep last ")
    assert "1 publisher" in status.message
    assert (status.values["state"], status.values["topic"]) == ("waiting", topic)
    assert "best effort" in status.values["qos"] and status.values["frames_in"] == "0"
    second = peer.ros.create_publisher(Image, topic, 5)
    peer.until_status("camera", waiting(2), "waiting, with two publishers")
    peer.ros.destroy_publisher(second)

    send = lambda: peer.camera.publish(rgb8(bands()))
    active = lambda s: (s.level, s.message) == ("OK", "active")
    told = peer.until_status("camera", active, "active", send).values
    assert (told["state"], told["image_size"], told["encoding"]) == ("active", "64x48", "rgb8")
    assert float(told["last_image_age_s"]) >= 0
    peer.until_status("camera", lambda s: int(s.values["frames_out"]) > 0, "counting results", send)

    status = peer.until_status("camera", lambda s: s.level == "WARN", "stale")
    assert status.message.startswith("stale: no image for ") and topic in status.message
    assert status.values["state"] == "stale" and float(status.values["last_image_age_s"]) >= 0.5

    peer.until_status("camera", active, "active again", send)


def test_running_and_its_latency(start):
    peer = start({"model": str(MODEL), "input_size": "64x48", "threshold_override": 0.5})
    send = lambda: peer.camera.publish(rgb8(bands()))
    told = peer.until_status(
        "inference", lambda s: (s.level, s.message) == ("OK", "running"), "running", send
    ).values
    assert told["model"] == "camvid-lite0" and len(told["model_sha256"]) == 64
    assert (told["score"], told["input_size"]) == ("hybrid", "64x48")
    assert (float(told["threshold"]), told["threshold_origin"]) == (0.5, "threshold_override")
    assert told["provider"].lower() == "cpu" and "onnxruntime" in told["onnxruntime"]

    # The images' stamps are of years ago, so the latency is large; without a budget nobody minds.
    status = peer.until_status("latency", lambda s: int(s.values["frames"]) >= 5, "told of five frames", send)
    assert status.level == "OK" and float(status.values["budget_ms"]) == 0
    for stage in STAGES:
        quantiles = [float(status.values[f"{stage}_ms_{q}"]) for q in ("p50", "p95", "p99", "max")]
        assert quantiles == sorted(quantiles) and quantiles[0] >= 0, stage


def test_a_frame_older_than_the_budget_is_not_begun(start):
    peer = start_fake(start, {"latency_budget_ms": 60_000.0})
    old = rgb8(bands())
    peer.hear("labels")
    counted = lambda s: int(s.values["frames_over_age"]) > 0
    peer.until_status("camera", counted, "counting frames over age", lambda: peer.camera.publish(old))
    peer.answer(rgb8(bands(), header=fresh_header()), "labels")
    assert all(m.header != old.header for m in peer.heard["labels"])


def test_a_result_over_the_budget_says_so(start):
    peer = start_fake(start, {"latency_budget_ms": 1000.0, "over_budget": "flag"}, delay_ms=1200)
    peer.until_connected("frame_status")
    send = lambda: peer.camera.publish(rgb8(bands(), header=fresh_header()))
    (array, *_) = peer.until(lambda: peer.heard["frame_status"], "answered", send)
    status = as_status(array.status[0])
    assert (status.level, status.values["over_budget"]) == ("WARN", "true")
    assert float(status.values["age_ms"]) >= 1200
    status = peer.until_status("latency", lambda s: s.level == "WARN", "over the budget", send)
    assert "p95" in status.message and "1000" in status.message


def bad(length):
    """An image whose data is too short in its own way."""
    return message(np.zeros((1, length), np.uint8), 64, 48, "rgb8", step=192)


def test_the_log_is_on_rosout(start):
    peer = start_fake(start)
    said = peer.hear("/rosout", Log)
    name = peer.program.name.strip("/").replace("/", ".")
    reason = "data holds 7 bytes"
    # 30 is WARN: the bindings of different distributions type the constant differently.
    peer.until(
        lambda: [m for m in said if m.name == name and m.level == 30 and reason in m.msg],
        "warning on /rosout",
        lambda: peer.camera.publish(bad(7)),
    )
    assert reason in peer.program.stderr


def test_a_flood_of_bad_images_is_none_in_the_log(start):
    """Each with another reason, and good ones between them."""
    peer = start_fake(start)
    peer.answer(rgb8(bands()), "labels")
    for length in range(100):
        peer.camera.publish(bad(length))
        peer.spin()
        peer.camera.publish(rgb8(bands()))
        peer.spin()
    peer.until_status("camera", lambda s: int(s.values["frames_rejected"]) >= 50, "counting them")
    lines = [line for line in peer.program.stderr.splitlines() if "rejected" in line]
    assert 1 <= len(lines) <= 25, "\n".join(lines)
