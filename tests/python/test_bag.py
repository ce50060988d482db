"""`open-set bag from-video`: what it writes, read back by rosbags, which shares no code with it."""

import io
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from ruamel.yaml import YAML

BIN = Path(os.environ.get("OPEN_SET_BIN_DIR", Path(__file__).parents[2] / "target/release"))
START_NS = 1_700_000_000_000_000_000


def from_video(folder, out, *options):
    command = [BIN / "open-set", "bag", "from-video", folder, "--out", out, "--start-ns", str(START_NS), *options]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def frames(tmp_path):
    """Three pictures of different content, in a folder; as arrays, by name."""
    folder = tmp_path / "frames"
    folder.mkdir()
    rows, columns = np.mgrid[0:48, 0:64]
    pictures = [np.dstack([rows * 5, columns * 3, rows * 0 + 60 * i]).astype(np.uint8) for i in range(3)]
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{i}.png")
    return folder, pictures


def read(bag):
    with AnyReader([bag]) as reader:
        return [(c, stamp, reader.deserialize(raw, c.msgtype)) for c, stamp, raw in reader.messages()]


def stamp_ns(message):
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def test_images(frames, tmp_path):
    folder, pictures = frames
    done = from_video(folder, tmp_path / "bag", "--fps", "4", "--topic", "/front/image", "--frame-id", "front")
    assert done.returncode == 0, done.stderr
    assert "3 messages on /front/image, 0.5 s" in done.stdout

    messages = read(tmp_path / "bag")
    assert len(messages) == 3
    for i, (connection, stamp, message) in enumerate(messages):
        assert (connection.topic, connection.msgtype) == ("/front/image", "sensor_msgs/msg/Image")
        assert stamp == stamp_ns(message) == START_NS + i * 250_000_000
        assert (message.header.frame_id, message.encoding, message.is_bigendian) == ("front", "rgb8", 0)
        assert (message.width, message.height, message.step) == (64, 48, 192)
        assert np.array_equal(message.data.reshape(48, 64, 3), pictures[i])


@pytest.mark.parametrize("codec", ["jpeg", "png"])
def test_compressed(frames, tmp_path, codec):
    folder, pictures = frames
    done = from_video(folder, tmp_path / "bag", "--compressed", codec)
    assert done.returncode == 0, done.stderr
    messages = read(tmp_path / "bag")
    assert [stamp - START_NS for _, stamp, _ in messages] == [0, 100_000_000, 200_000_000]
    for (connection, _, message), picture in zip(messages, pictures, strict=True):
        assert connection.topic == "/camera/image_raw/compressed"
        assert message.format == f"rgb8; {codec} compressed bgr8"
        decoded = np.asarray(Image.open(io.BytesIO(message.data.tobytes())))
        worst = np.abs(decoded.astype(int) - picture).max()
        assert worst == 0 if codec == "png" else worst < 40


def test_metadata_is_that_of_jazzy(frames, tmp_path):
    assert from_video(frames[0], tmp_path / "bag").returncode == 0
    metadata = YAML(typ="safe").load(tmp_path / "bag/metadata.yaml")["rosbag2_bagfile_information"]
    topic = metadata["topics_with_message_count"][0]["topic_metadata"]
    assert metadata["version"] == 9
    assert metadata["storage_identifier"] == "mcap"
    assert metadata["relative_file_paths"] == ["bag_0.mcap"]
    assert metadata["starting_time"] == {"nanoseconds_since_epoch": START_NS}
    assert metadata["duration"] == {"nanoseconds": 200_000_000}
    assert metadata["message_count"] == metadata["files"][0]["message_count"] == 3
    assert metadata["ros_distro"] == "jazzy"
    assert isinstance(topic["offered_qos_profiles"], list)
    assert topic["offered_qos_profiles"][0]["reliability"] == "reliable"


@pytest.mark.parametrize("options", [[], ["--compressed", "png"]])
def test_the_schema_is_the_type_its_hash_names(frames, tmp_path, options):
    """REP 2016: the hash is computed from the definition in the file, and from rosbags' own of jazzy."""
    assert from_video(frames[0], tmp_path / "bag", *options).returncode == 0
    with Reader(tmp_path / "bag") as reader:
        (connection,) = reader.connections
    in_the_bag, of_jazzy = get_typestore(Stores.EMPTY), get_typestore(Stores.ROS2_JAZZY)
    in_the_bag.register(get_types_from_msg(connection.msgdef.data, connection.msgtype))
    assert connection.digest == in_the_bag.hash_rihs01(connection.msgtype)
    assert connection.digest == of_jazzy.hash_rihs01(connection.msgtype)


def test_an_unreadable_picture_is_named_and_leaves_a_gap(frames, tmp_path):
    (frames[0] / "1.png").write_bytes(b"no picture")
    done = from_video(frames[0], tmp_path / "bag")
    assert done.returncode == 1
    assert "1.png is no image" in done.stderr
    assert [stamp - START_NS for _, stamp, _ in read(tmp_path / "bag")] == [0, 200_000_000]


def test_what_cannot_be_asked_for(frames, tmp_path):
    folder, _ = frames
    assert from_video(folder, tmp_path / "bag").returncode == 0
    again = from_video(folder, tmp_path / "bag")
    assert again.returncode == 2 and "exists already" in again.stderr
    missing = from_video(tmp_path / "missing", tmp_path / "other")
    assert missing.returncode == 2 and "missing" in missing.stderr
    assert from_video(folder, tmp_path / "other", "--fps", "0").returncode == 2
    assert from_video(folder, tmp_path / "other", "--topic", "image").returncode == 2
    assert not (tmp_path / "other").exists()


def test_limit(frames, tmp_path):
    assert from_video(frames[0], tmp_path / "bag", "--limit", "2").returncode == 0
    assert len(read(tmp_path / "bag")) == 2
