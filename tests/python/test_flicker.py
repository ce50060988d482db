"""`open-set flicker` from outside: a thing whose score wavers about the threshold, and one that moves."""

import json
import subprocess

import numpy as np
import pytest
from PIL import Image

from tiny import BIN, HEIGHT, RUNTIME, UNKNOWN, WIDTH, make_model, picture

# A square of blue 250 scores -9.6 and is unknown, one of blue 255 scores -10 and is not; all else about -16.
THRESHOLD = -9.8
SQUARE = 16 * 16


@pytest.fixture
def model(tmp_path):
    return make_model(tmp_path)


def write(folder, pictures):
    folder.mkdir()
    for i, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def drive(folder, blues, left=8, move=0):
    """The square, frame by frame of another blue, and so many pixels further to the right."""
    frames = []
    for i, blue in enumerate(blues):
        pixels = picture()
        pixels[16:32, 24:40] = [0, 200, 0]
        pixels[16:32, left + move * i : left + move * i + 16] = [0, 0, blue]
        frames.append(pixels)
    return write(folder, frames)


def truth(folder, frames):
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[:, 32:] = 1
    labels[16:32, 24:40] = 1
    labels[16:32, 8:24] = UNKNOWN
    return write(folder, [labels] * frames)


def flicker(model, *arguments, code=0):
    command = [BIN / "open-set", "flicker", "--model", model, "--onnxruntime", RUNTIME, "--threshold", THRESHOLD]
    done = subprocess.run([str(c) for c in (*command, "--json", *arguments)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if code == 0 else done.stderr


def test_what_wavers_is_held(model, tmp_path):
    frames = drive(tmp_path / "wavering", [250, 255, 250, 255])
    said = flicker(model, frames, "--truth", truth(tmp_path / "truth", 4))
    plain, held = said["plain"], said["held"]
    assert (said["frames"], said["delta"], said["hysteresis_frames"]) == (4, 0.5, 1)
    assert plain["flicker"] == pytest.approx(SQUARE / (WIDTH * HEIGHT)) and held["flicker"] == 0
    assert (plain["tpr"], held["tpr"]) == (0.5, 1.0) and plain["fpr"] == held["fpr"] == 0
    assert said["ap"] == 1.0 and held["open_miou"] > plain["open_miou"]


def test_what_moves_leaves_nothing_behind(model, tmp_path):
    # So large a delta that no score releases it: on green, which is brighter, its picture does.
    moving = drive(tmp_path / "moving", [250] * 6, left=32, move=3)
    said = flicker(model, moving, "--delta", 8, "--frames", 5)
    assert said["plain"]["unknown_share"] == pytest.approx(SQUARE / (WIDTH * HEIGHT))
    assert said["held"] == said["plain"]


def test_each_folder_is_a_sequence_of_its_own(model, tmp_path):
    first, second = drive(tmp_path / "a", [250]), drive(tmp_path / "b", [255])
    said = flicker(model, first, second)
    assert said["plain"]["flicker"] is None
    assert said["held"]["unknown_share"] == said["plain"]["unknown_share"]


def test_nothing_to_compare_is_refused(model, tmp_path):
    frames = drive(tmp_path / "frames", [250])
    assert "is no hysteresis" in flicker(model, frames, "--delta", 0, "--frames", 1, code=2)
    assert "hysteresis.frames" in flicker(model, frames, "--frames", 500, code=2)


def test_a_bag_is_a_sequence(model, tmp_path):
    frames, bag = drive(tmp_path / "frames", [250, 255, 250, 255]), tmp_path / "bag"
    command = [BIN / "open-set", "bag", "from-video", frames, "--out", bag]
    subprocess.run([str(c) for c in command], check=True, capture_output=True)
    of_frames = flicker(model, frames)
    for path in bag, bag / "bag_0.mcap":
        said = flicker(model, path)
        assert (said["plain"], said["held"]) == (of_frames["plain"], of_frames["held"])


def test_a_bag_that_cannot_be_read_is_named(model, tmp_path):
    broken = tmp_path / "broken.mcap"
    broken.write_text("nothing")
    assert "broken.mcap" in flicker(model, broken, code=2)
