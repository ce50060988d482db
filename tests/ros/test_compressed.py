"""Compressed images: decoded, then images like any other; and what does not decode is refused, and told."""

import io
import random

import numpy as np
import pytest
from PIL import Image as Pillow
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image

from fake import start_fake
from images import assert_bands, bands, fresh_header


def encoded(picture, codec, **options):
    data = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(picture)).save(data, codec, **options)
    return data.getvalue()


def compressed(data, said="jpeg", header=None):
    return CompressedImage(header=header or fresh_header(), format=said, data=data)


JPEG = encoded(bands(), "jpeg", quality=95)
PNG = encoded(bands(), "png")


@pytest.fixture(scope="module")
def peer(start_shared):
    peer = start_fake(start_shared, {"transport": "compressed"})
    topic = f"{peer.program.camera_topic}/compressed"
    peer.camera = peer.ros.create_publisher(CompressedImage, topic, qos_profile_sensor_data)
    return peer


def check_good(peer, data=PNG, said="png"):
    (labels,) = peer.answer(compressed(data, said), "labels")
    assert_bands(labels)
    return labels


@pytest.mark.parametrize(
    "data, said",
    [
        (JPEG, "jpeg"),
        (JPEG, "rgb8; jpeg compressed bgr8"),
        (PNG, "png"),
        (PNG, "bgr8; png compressed bgr8"),
        (encoded(bands()[..., 0], "png"), "mono8; png compressed "),
        (JPEG + bytes(100), "jpeg"),
    ],
)
def test_decoded_it_is_labelled(peer, data, said):
    labels = check_good(peer, data, said)
    assert (labels.width, labels.height) == (64, 48)


def test_diagnostics_know_what_is_subscribed_to(peer):
    check_good(peer)
    send = lambda: peer.camera.publish(compressed(PNG, "png"))
    # Publishers are counted once a second.
    known = lambda s: s.message == "active" and s.values["publishers"] == "1"
    told = peer.until_status("camera", known, "active, of one publisher", send).values
    assert told["topic"] == f"{peer.program.camera_topic}/compressed"
    assert (told["encoding"], told["image_size"]) == ("rgb8", "64x48")


DEEP = encoded(np.full((48, 64), 40_000, np.uint16), "png")


@pytest.mark.parametrize(
    "data, words",
    [
        (JPEG[: len(JPEG) // 2], ["jpeg without its end"]),
        (PNG[: len(PNG) // 2], ["no image that can be decoded"]),
        (b"", ["no image", "0 bytes"]),
        (b"hello", ["no image", "5 bytes"]),
        (encoded(bands(), "gif"), ["no image that can be decoded"]),
        (DEEP, ["16 bits", "8 bits"]),
        (PNG[:16] + b"\0\0\x40\0\0\0\x40\x01" + PNG[24:], ["16384x16385", "damaged"]),
    ],
)
def test_refused_with_a_reason(peer, data, words):
    check_good(peer)
    status = peer.until_status(
        "camera",
        lambda s: s.level == "ERROR" and all(w in s.message for w in words),
        f"an error that says {words}",
        lambda: peer.camera.publish(compressed(data)),
    )
    assert status.message.startswith("rejected: ") and int(status.values["frames_rejected"]) > 0
    check_good(peer)


def test_no_bytes_end_the_node(peer):
    dice = random.Random(22)
    check_good(peer)
    for _ in range(100):
        data = bytearray(dice.choice([JPEG, PNG]))
        for _ in range(dice.randint(1, 8)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        peer.camera.publish(compressed(bytes(data[: dice.choice([len(data), dice.randrange(len(data))])])))
        for _ in range(2):
            peer.spin()
    check_good(peer)


def test_one_in_a_hundred_is_corrupt(peer):
    """The others are labelled, each with its own header."""
    check_good(peer)
    before = peer.until_status("camera", lambda s: True, "told").values
    for i in range(200):
        good = i % 100 != 50
        image = compressed(PNG if good else PNG[:60], "png")
        if good:
            (labels,) = peer.answer(image, "labels")
            assert labels.header == image.header
        else:
            rejected = lambda s: int(s.values["frames_rejected"]) > int(before["frames_rejected"])
            peer.until_status("camera", rejected, "rejecting it", lambda: peer.camera.publish(image))
    assert peer.program.is_running()


def test_raw_images_on_the_topic_are_not_what_is_heard(start):
    """Who sends raw where compressed is wanted is told so."""
    peer = start_fake(start, {"transport": "compressed"})
    topic = f"{peer.program.camera_topic}/compressed"
    peer.ros.create_publisher(Image, topic, qos_profile_sensor_data)
    other = lambda s: s.values["state"] == "waiting" and "sensor_msgs/msg/Image" in s.message
    assert peer.until_status("camera", other, "naming the other type").level == "WARN"
