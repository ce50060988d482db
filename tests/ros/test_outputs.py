"""What the node publishes for an image, topic by topic, with the shipped model."""

import io

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from PIL import Image as Pillow
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from images import encoded, header, pixels, rgb8, rgb_of_yuv, yuv
from peer import LATCHED, OUTPUTS, as_status
from pictures import flat, street
from program import MODEL
from reference import Reference, assert_agree

# The graph takes any size; a small one keeps the reference in Python quick. About half of the street's
# pixels score above this threshold.
INPUT = (64, 48)
THRESHOLD = 24.5
PARAMETERS = {"model": str(MODEL), "input_size": "64x48", "threshold_override": THRESHOLD}
UNKNOWN_COLOR = (0, 255, 255)

STREET = street(96, 64)


@pytest.fixture(scope="module")
def camvid(start_shared):
    return start_shared(PARAMETERS)


@pytest.fixture(scope="module")
def reference():
    return Reference(MODEL, INPUT)


def check(peer, reference, image, rgb):
    """The image is answered as the reference answers the rgb picture it shows."""
    labels, anomaly = peer.answer(image, "labels", "anomaly")
    assert (labels.encoding, labels.step) == ("mono8", image.width)
    assert (anomaly.encoding, anomaly.step) == ("32FC1", image.width * 4)
    for output in labels, anomaly:
        assert output.header == image.header
        assert (output.width, output.height) == (image.width, image.height)
        assert len(output.data) == output.step * output.height
    assert_agree(pixels(labels), pixels(anomaly), reference.segment(rgb, THRESHOLD), image.encoding)


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8"])
@pytest.mark.parametrize("padding", [0, 5])
def test_plain_encodings(camvid, reference, encoding, padding):
    check(camvid, reference, encoded(STREET, encoding, padding=padding), STREET)


def test_mono8_is_gray(camvid, reference):
    check(camvid, reference, encoded(STREET, "mono8"), np.repeat(STREET[..., :1], 3, axis=2))


@pytest.mark.parametrize("encoding", ["uyvy", "yuyv", "nv12", "yuv422", "yuv422_yuy2"])
@pytest.mark.parametrize("padding", [0, 8])
def test_yuv_encodings(camvid, reference, encoding, padding):
    # Three channels of some picture: their rgb is computed from them, not the other way round.
    y, u, v = STREET[..., 0], STREET[::2, ::2, 1] // 2 + 64, STREET[::2, ::2, 2] // 2 + 64
    check(camvid, reference, yuv(y, u, v, encoding, padding=padding), rgb_of_yuv(y, u, v))


@pytest.mark.parametrize("encoding", ["bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8"])
def test_bayer_encodings(camvid, reference, encoding):
    # Of one colour, because how edges are interpolated between mosaic cells is not part of the contract.
    orange = flat(96, 64, (220, 120, 40))
    check(camvid, reference, encoded(orange, encoding), orange)


def test_the_header_is_copied_whatever_it_says(camvid):
    before_epoch = Header(stamp=Time(sec=-(2**31), nanosec=2**32 - 1))
    for given in before_epoch, Header(), header(""), header("camera/front left"), header("カメラ"):
        for output in camvid.answer(rgb8(STREET, header=given), "labels", "anomaly", "frame_status"):
            assert output.header == given


def test_compressed_labels_are_the_labels(camvid):
    image = rgb8(STREET)
    labels, compressed = camvid.answer(image, "labels", "labels/compressed")
    assert (compressed.header, compressed.format) == (image.header, "png")
    decoded = Pillow.open(io.BytesIO(bytes(compressed.data)))
    assert (decoded.format, decoded.mode) == ("PNG", "L")
    assert (np.array(decoded) == pixels(labels)).all()


def test_colours_are_the_manifest_s(camvid, reference):
    image = rgb8(STREET)
    labels, color = camvid.answer(image, "labels", "labels/color")
    assert (color.header, color.encoding) == (image.header, "rgb8")
    palette = np.array([*reference.palette(), UNKNOWN_COLOR], np.uint8)
    assert (pixels(color) == palette[pixels(labels)]).all()


def test_pictures_for_people(camvid, reference):
    image = rgb8(STREET)
    labels, heatmap, overlay = camvid.answer(image, "labels", "anomaly/heatmap", "overlay")
    for picture in heatmap, overlay:
        assert (picture.header, picture.encoding) == (image.header, "bgr8")
        assert (picture.width, picture.height) == (image.width, image.height)
    unknown = pixels(labels) == reference.unknown
    assert 0.1 < unknown.mean() < 0.9, "the picture shows both"
    blue, _, red = np.moveaxis(pixels(heatmap).astype(int), 2, 0)
    assert ((red > blue) == unknown).all(), "warm colours are the unknown ones"
    outlined = (pixels(overlay) == UNKNOWN_COLOR[::-1]).all(axis=2)
    assert outlined.any() and unknown[outlined].all()


def test_frame_status_tells_how_the_frame_was_made(camvid, reference):
    image = rgb8(STREET)
    labels, array = camvid.answer(image, "labels", "frame_status")
    (status,) = map(as_status, array.status)
    assert (status.name, status.level) == (f"{camvid.program.name.strip('/')}: frame", "OK")
    told = status.values
    assert told["input_size"] == "64x48" and told["output_size"] == "96x64"
    assert told["score"] == "hybrid" and float(told["threshold"]) == THRESHOLD
    assert told["model"] == "camvid-lite0" and told["model_sha256"] == reference.manifest["sha256"]
    assert told["provider"].lower() == "cpu" and told["over_budget"] == "false"
    unknown_share = (pixels(labels) == reference.unknown).mean()
    assert float(told["unknown_share"]) == pytest.approx(unknown_share, abs=1e-3)
    assert float(told["non_finite_share"]) == 0
    for stage in "preprocess_ms", "inference_ms", "score_ms":
        assert float(told[stage]) >= 0
    # Stamped years ago; the age is against this machine's clock.
    assert float(told["age_ms"]) > 1e9


def test_another_score_and_its_temperature_are_told(start):
    peer = start(PARAMETERS | {"score": "react", "temperature": 2.0})
    anomaly, array = peer.answer(rgb8(STREET), "anomaly", "frame_status")
    assert as_status(array.status[0]).values["score"] == "react (temperature 2)"
    assert np.isfinite(pixels(anomaly)).all()


def test_label_info_waits_for_late_listeners(camvid, reference):
    camvid.answer(rgb8(STREET), "labels")  # running for a while, then
    (info,) = camvid.until(lambda h=camvid.hear("label_info", qos=LATCHED): h, "offering label_info")
    classes = [c["name"] for c in reference.manifest["classes"]]
    assert [(c.class_id, c.class_name) for c in info.class_map] == list(enumerate([*classes, "unknown"]))
    assert info.threshold == THRESHOLD


def test_quality_of_service(camvid):
    """Reliable outputs reach subscribers of either kind; a best-effort camera is heard like a reliable one."""
    camvid.until_connected("labels")
    for topic in OUTPUTS.keys() - {"camera_info"}:
        (offered,) = camvid.ros.get_publishers_info_by_topic(f"{camvid.program.name}/{topic}")
        durability = DurabilityPolicy.TRANSIENT_LOCAL if topic == "label_info" else DurabilityPolicy.VOLATILE
        assert offered.qos_profile.reliability == ReliabilityPolicy.RELIABLE, topic
        assert offered.qos_profile.durability == durability, topic
    (wanted,) = camvid.ros.get_subscriptions_info_by_topic(camvid.program.camera_topic)
    assert wanted.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT


def test_debug_values_can_be_plotted(camvid):
    topics = "debug/latency_ms", "debug/inference_ms"
    camvid.until_connected(*topics)
    heard = [camvid.hear(t) for t in topics]
    camvid.until(lambda: all(heard), "plotted", lambda: camvid.camera.publish(rgb8(STREET)))
    assert heard[1][-1].data > 0


def test_network_size_with_its_camera_info(start, reference):
    peer = start(PARAMETERS | {"output_size": "network"})
    topic = peer.program.camera_topic.replace("image_raw", "camera_info")
    infos = peer.ros.create_publisher(CameraInfo, topic, 5)
    image = rgb8(STREET)
    given = CameraInfo(header=image.header, width=96, height=64, distortion_model="plumb_bob", d=[0.1, 0, 0, 0, 0])
    given.k = [90.0, 0, 47.5, 0, 80.0, 31.5, 0, 0, 1]
    given.p = [90.0, 0, 47.5, -9, 0, 80.0, 31.5, 0, 0, 0, 1, 0]
    peer.until(lambda: infos.get_subscription_count(), "subscribed to camera_info", lambda: infos.publish(given))
    peer.hear("camera_info")
    peer.until_connected("camera_info", "labels", "anomaly")
    peer.until(
        lambda: any(i.header.stamp == image.header.stamp for i in peer.heard["camera_info"])
        and any(m.header.stamp == image.header.stamp for m in peer.heard["anomaly"]),
        "answered with camera_info",
        lambda: (infos.publish(given), peer.camera.publish(image)),
    )
    labels, anomaly, info = (
        next(m for m in peer.heard[t] if m.header.stamp == image.header.stamp)
        for t in ("labels", "anomaly", "camera_info")
    )
    # 3:2 on 4:3: the rows of the letterbox' padding are 255 in the labels and NaN in the scores.
    left, top, width, height = reference.letterbox(STREET)
    inside = np.zeros(INPUT[::-1], bool)
    inside[top : top + height, left : left + width] = True
    assert (pixels(labels).shape, pixels(anomaly).shape) == (inside.shape, inside.shape)
    assert ((pixels(labels) != 255) == inside).all()
    assert (~np.isnan(pixels(anomaly)) == inside).all()
    # A point on the image plane lands where the letterbox put its pixel.
    assert info.header == image.header and (info.width, info.height) == INPUT
    assert (info.distortion_model, list(info.d)) == (given.distortion_model, list(given.d))
    sx, sy = width / 96, height / 64
    for matrix, fx, cx, fy, cy in (info.k, 0, 2, 4, 5), (info.p, 0, 2, 5, 6):
        assert (matrix[fx], matrix[fy]) == pytest.approx((90 * sx, 80 * sy))
        # A pixel's centre is at a whole number in camera models: its left edge half a pixel before.
        centre = ((47.5 + 0.5) * sx + left - 0.5, (31.5 + 0.5) * sy + top - 0.5)
        assert (matrix[cx], matrix[cy]) == pytest.approx(centre, abs=1e-6)
    assert info.p[3] == pytest.approx(-9 * sx), "the stereo baseline is in pixels as well"


def test_region_and_mask_are_never_labelled(start, tmp_path):
    mask = np.zeros((64, 96), np.uint8)
    mask[50:, 20:70] = 255
    path = tmp_path / "ego.png"
    Pillow.fromarray(mask).save(path)
    peer = start(PARAMETERS | {"region": "10,16,80,48", "mask": str(path)})
    labels, anomaly = peer.answer(rgb8(STREET), "labels", "anomaly")
    looked_at = np.zeros((64, 96), bool)
    looked_at[16:64, 10:90] = True
    looked_at &= mask == 0
    assert ((pixels(labels) != 255) == looked_at).all()
    assert (~np.isnan(pixels(anomaly)) == looked_at).all()

    # Both were made for a camera of 96x64.
    for picture, words in (street(64, 48), ["region", "64x48"]), (street(128, 96), ["mask is 96x64", "128x96"]):
        peer.until_status(
            "camera",
            lambda s: s.level == "ERROR" and all(w in s.message for w in words),
            f"rejected with {words}",
            lambda: peer.camera.publish(rgb8(picture)),
        )


def test_outputs_switched_off_do_not_exist(start):
    off = ["labels_compressed", "labels_color", "anomaly", "heatmap", "overlay", "frame_status"]
    topics = ["labels/compressed", "labels/color", "anomaly", "anomaly/heatmap", "overlay", "frame_status"]
    peer = start(PARAMETERS | {f"publish.{name}": False for name in off})
    peer.answer(rgb8(STREET), "labels")
    for topic in topics:
        assert peer.ros.count_publishers(f"{peer.program.name}/{topic}") == 0, topic


def test_the_preferred_size_with_its_calibration(start):
    """As shipped: nothing set but the model."""
    peer = start({"model": str(MODEL)})
    whole, picture = Reference(MODEL), street(640, 480)
    image = rgb8(picture)
    labels, anomaly, array = peer.answer(image, "labels", "anomaly", "frame_status")
    assert_agree(pixels(labels), pixels(anomaly), whole.segment(picture))
    told = as_status(array.status[0]).values
    assert told["input_size"] == "480x360"
    assert float(told["threshold"]) == pytest.approx(whole.threshold(), rel=1e-6)
