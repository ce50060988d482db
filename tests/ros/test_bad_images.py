"""Images that are not what they say: refused one by one with a reason, and the next good one is labelled."""

import random

import numpy as np
import pytest
from rclpy.serialization import serialize_message
from std_msgs.msg import Header

from fake import start_fake
from images import UNKNOWN, assert_bands, bands, message, pixels, rgb8


@pytest.fixture(scope="module")
def fake(start_shared):
    return start_fake(start_shared)


def of(width, height, encoding="rgb8", *, step, data, big_endian=0):
    """An image of the given header around so many bytes, whatever they should be."""
    return message(
        np.zeros((1, data), np.uint8), width, height, encoding, step=step, is_bigendian=big_endian
    )


def check_good(peer):
    (labels,) = peer.answer(rgb8(bands()), "labels")
    assert_bands(labels)


@pytest.mark.parametrize(
    "image, words",
    [
        (of(64, 48, step=192, data=192 * 47), ["9024 bytes", "step 192 x 48", "9216"]),
        (of(64, 48, step=192, data=192 * 49), ["9408 bytes", "9216"]),
        (of(64, 48, step=192, data=0), ["0 bytes", "9216"]),
        (of(64, 48, step=191, data=191 * 48), ["step is 191", "192"]),
        (of(64, 48, step=0, data=0), ["step is 0", "192"]),
        (of(0, 48, step=0, data=0), ["0x48"]),
        (of(64, 0, step=192, data=0), ["64x0"]),
        (of(2**32 - 1, 2**32 - 1, step=2**32 - 1, data=16), ["4294967295x4294967295"]),
        (of(30_000, 30_000, step=90_000, data=100), ["100 bytes", "2700000000"]),
        (of(64, 48, "mono16", step=128, data=128 * 48, big_endian=1), ['"mono16"', "rgb8", "bayer_rggb8"]),
        (of(64, 48, "", step=192, data=192 * 48), ['encoding ""', "rgb8"]),
        (of(64, 48, "RGB8; jpeg", step=192, data=192 * 48), ['"RGB8; jpeg"', "rgb8"]),
        (of(63, 48, "yuyv", step=126, data=126 * 48), ["yuyv", "63x48", "2x1"]),
        (of(64, 47, "nv12", step=64, data=64 * 70), ["nv12", "64x47", "2x2"]),
        (of(64, 48, "nv12", step=64, data=64 * 48), ["3072 bytes", "4608"]),
    ],
)
def test_refused_with_a_reason(fake, image, words):
    check_good(fake)
    status = fake.until_status(
        "camera",
        lambda s: s.level == "ERROR" and all(w in s.message for w in words),
        f"an error that says {words}",
        lambda: fake.camera.publish(image),
    )
    assert status.message.startswith("rejected: ") and status.values["state"] == "rejected"
    assert int(status.values["frames_rejected"]) > 0
    check_good(fake)
    assert all(m.header != image.header for m in fake.heard["labels"]), "it was labelled all the same"


def test_active_again_after_a_good_image(fake):
    bad = of(64, 48, step=192, data=7)
    fake.until_status("camera", lambda s: s.level == "ERROR", "rejected", lambda: fake.camera.publish(bad))
    good = rgb8(bands())
    fake.until_status("camera", lambda s: s.message == "active", "active", lambda: fake.camera.publish(good))


def test_the_size_may_change_from_image_to_image(fake):
    for width, height in [(64, 48), (640, 480), (63, 7), (480, 640), (4, 3), (64, 48)]:
        image = rgb8(bands(width, height))
        labels, anomaly = fake.answer(image, "labels", "anomaly")
        assert (labels.width, labels.height) == (anomaly.width, anomaly.height) == (width, height)
        assert labels.header == image.header
        if width >= 64:
            assert_bands(labels)


def test_broken_logits(start):
    """The fake's first cells, in reading order, are NaN: two rows of its 16x12, and the first of the third.

    A wide picture is letterboxed between the cells of rows 2.6 and 8.4, so that it shows but a corner of
    one broken cell, 12 of 1536 pixels; a picture of the input's proportions shows them all."""
    peer = start_fake(start, nan_share=33 / 192)
    wide, whole = rgb8(bands(64, 24)), rgb8(bands(64, 48))

    labels, anomaly, _ = peer.answer(wide, "labels", "anomaly", "frame_status")
    broken = np.isnan(pixels(anomaly))
    assert 0 < broken.mean() < 0.01 and (pixels(labels)[broken] == UNKNOWN).all()
    share = {v.key: v.value for v in peer.heard["frame_status"][0].status[0].values}["non_finite_share"]
    assert float(share) == pytest.approx(broken.mean(), abs=1e-6)

    failed = peer.until_status(
        "inference", lambda s: s.level == "ERROR", "failed", lambda: peer.camera.publish(whole)
    )
    assert failed.message.startswith("failed: ") and "NaN" in failed.message
    peer.until_status("camera", lambda s: int(s.values["frames_failed"]) > 0, "counting failed frames")
    assert all(m.header != whole.header for m in peer.heard["labels"])

    peer.until_status(
        "inference", lambda s: s.message == "running", "running again", lambda: peer.camera.publish(wide)
    )


def test_a_network_that_fails_now_and_then(start):
    """Every second run fails: half of the frames get no result, the others get theirs."""
    peer = start_fake(start, fail_every=2)
    for _ in range(4):
        check_good(peer)
    failed = lambda s: int(s.values["frames_failed"]) > 0
    counts = peer.until_status("camera", failed, "counting failures").values
    assert int(counts["frames_out"]) >= 4


def random_image(dice):
    """Nothing in it has to do with the rest, but often nearly."""
    encodings = ["rgb8", "bgr8", "mono8", "uyvy", "yuyv", "nv12", "bayer_rggb8", "32FC1", "", "é\n" * 50]
    sides = [0, 1, 2, 3, 8, 63, 64, 65, 1000, 2**15, 2**15 + 1, 2**31, 2**32 - 1]
    encoding = dice.choice(encodings)
    width, height = (dice.choice(sides) for _ in range(2))
    needed = width * {"rgb8": 3, "bgr8": 3, "uyvy": 2, "yuyv": 2}.get(encoding, 1)
    step = dice.choice([needed, needed + dice.randint(-2, 9), dice.choice(sides)])
    step = min(max(step, 0), 2**32 - 1)
    length = dice.choice([step * height, step * height + dice.randint(-1, 1), dice.randint(0, 4096)])
    data = np.frombuffer(dice.randbytes(min(max(length, 0), 50_000)), np.uint8)
    stamped = Header(frame_id=dice.choice(["", "camera", "x" * 1000]))
    stamped.stamp.sec = dice.choice([-(2**31), -1, 0, 2**31 - 1])
    stamped.stamp.nanosec = dice.choice([0, 999_999_999, 2**32 - 1])
    return message(
        data[None], width, height, encoding, header=stamped, step=step, is_bigendian=dice.choice([0, 1, 255])
    )


def test_no_image_ends_the_node(fake):
    dice = random.Random(20)
    every_output = ["labels/compressed", "labels/color", "anomaly", "anomaly/heatmap", "overlay", "frame_status"]
    fake.until_connected("labels", *every_output)
    check_good(fake)
    before = int(fake.until_status("camera", lambda s: True, "told").values["frames_in"])
    for sent in range(200):
        fake.camera.publish(random_image(dice))
        # In fives, so that none is lost before the node and few are replaced in it.
        if sent % 5 == 4:
            for _ in range(5):
                fake.spin()
    came = lambda s: int(s.values["frames_in"]) >= before + 100
    counts = fake.until_status("camera", came, "counting them").values
    assert int(counts["frames_rejected"]) > 20
    check_good(fake)


def test_no_bytes_end_the_node(fake):
    """What arrives need not even be a message: the image's serialised form, with some bytes changed, and with
    names that are no UTF-8."""
    dice = random.Random(21)
    good = serialize_message(rgb8(bands(), header=Header(frame_id="camera")))
    fake.until_connected("labels", "frame_status")
    fake.camera.publish(good.replace(b"camera", b"\xff\xfe\xc0\x80\xf0a"))
    fake.camera.publish(good.replace(b"rgb8", b"\xff\xfe\xc0\x80"))
    for _ in range(100):
        broken = bytearray(good)
        # The header's fields lie in the first bytes after the encapsulation's four.
        for _ in range(dice.randint(1, 4)):
            broken[dice.randrange(4, 60)] = dice.randrange(256)
        fake.camera.publish(bytes(broken[: dice.choice([len(broken), dice.randrange(4, 80)])]))
        fake.spin()
    check_good(fake)
