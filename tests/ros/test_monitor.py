"""What is watched beside the labels: the camera's picture, and whether the calibration still fits the stream."""

import itertools

import numpy as np

from fake import start_fake
from images import fresh_header, rgb8
from pictures import flat
from program import MODEL

_dice = np.random.default_rng(7)


def send(peer, picture):
    return lambda: peer.camera.publish(rgb8(picture(), header=fresh_header()))


def living():
    """A picture with a sensor's noise, never the same."""
    return _dice.integers(60, 200, (48, 64, 3), np.uint8)


def test_a_picture_at_fault_is_told_and_forgotten(start):
    peer = start_fake(start, {"image.frozen_after_s": 0.5})
    still = living()
    well = lambda: peer.until_status("image", lambda s: s.level == "OK" and s.values, "well", send(peer, living))
    fade = itertools.cycle(range(2, 10))
    faults = {
        "black": lambda: flat(64, 48, (next(fade),) * 3),
        "over-exposed": lambda: flat(64, 48, (255 - next(fade) // 4,) * 3),
        "blocked": lambda: flat(64, 48, (100 + next(fade),) * 3),
        "frozen": lambda: still,
    }
    for name, picture in faults.items():
        well()
        told = lambda s: s.level == "WARN" and s.message.startswith(f"{name}: ")
        status = peer.until_status("image", told, name, send(peer, picture))
        assert float(status.values["unchanged_s"]) > 0.5 or name != "frozen"


def test_the_limits_are_parameters(start):
    peer = start_fake(start, {"image.black_share": 0.0, "image.blocked_share": 0.0})
    black = send(peer, lambda: flat(64, 48, (0, 0, 0)))
    seen = lambda s: s.values.get("dark_share") == "1.000"
    assert peer.until_status("image", seen, "looked at", black).level == "OK"


def test_a_stream_unlike_the_calibration_is_told(start):
    peer = start({"model": str(MODEL)})
    told = lambda s: s.level == "WARN" and "no longer describes the stream" in s.message
    status = peer.until_status("drift", told, "drifted", send(peer, living))
    assert float(status.values["psi"]) >= 0.25


def test_a_threshold_of_one_s_own_has_nothing_to_drift_from(start):
    peer = start({"model": str(MODEL), "input_size": "64x48", "threshold_override": 0.0})
    not_watched = lambda s: s.message.startswith("not watched: the threshold has no calibration")
    assert peer.until_status("drift", not_watched, "not watched").level == "OK"
