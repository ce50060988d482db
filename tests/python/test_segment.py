"""`open-set segment` from outside, with a network so small that what it says is known."""

import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tiny import BIN, HEIGHT, IGNORE, RUNTIME, UNKNOWN, WIDTH, make_model, picture

# Logits are 10 at most, so known pixels score about -16 and the blue ones -10.
THRESHOLD = -12.0


@pytest.fixture
def model(tmp_path):
    return make_model(tmp_path)


@pytest.fixture
def pictures(tmp_path):
    """The picture twice, in two folders under one name."""
    for side in ["left", "right"]:
        (tmp_path / side).mkdir()
        Image.fromarray(picture()).save(tmp_path / side / "1.png")
    return tmp_path / "left", tmp_path / "right"


def segment(model, out, *arguments):
    command = [BIN / "open-set", "segment", "--model", model, "--out", out, "--onnxruntime", RUNTIME, *arguments]
    return subprocess.run([str(c) for c in command], capture_output=True, text=True)


def summary(done, code=0):
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def labels(out, name="1"):
    picture = Image.open(out / f"{name}.labels.png")
    assert picture.mode == "L"
    return np.asarray(picture)


def test_labels_anomaly_and_overlay(model, pictures, tmp_path):
    out = tmp_path / "out"
    said = summary(segment(model, out, pictures[0], "--threshold", THRESHOLD, "--json"))
    assert said["frames"] == 1 and said["failed"] == []
    assert said["pixels"] == WIDTH * HEIGHT
    assert (said["score"], said["threshold"], said["input_size"]) == ("hybrid", THRESHOLD, f"{WIDTH}x{HEIGHT}")
    assert said["model"] == "tiny" and said["provider"].lower().startswith("cpu")
    assert said["model_sha256"] == hashlib.sha256((tmp_path / "tiny.onnx").read_bytes()).hexdigest()
    assert 0 < said["latency_ms"]["p50"] <= said["latency_ms"]["max"]

    found = labels(out)
    assert found.shape == (HEIGHT, WIDTH)
    assert (found[2, 2], found[2, -3], found[24, 32]) == (0, 1, UNKNOWN)
    assert said["unknown_share"] == pytest.approx((found == UNKNOWN).mean())

    anomaly = np.load(out / "1.anomaly.npy")
    assert (anomaly.dtype, anomaly.shape) == (np.float32, (HEIGHT, WIDTH))
    assert np.array_equal(anomaly > THRESHOLD, found == UNKNOWN)
    assert Image.open(out / "1.overlay.jpg").size == (WIDTH, HEIGHT)
    assert not list(out.rglob("*.part"))


def test_one_name_twice_overwrites_nothing(model, pictures, tmp_path):
    out = tmp_path / "out"
    assert summary(segment(model, out, *pictures, "--threshold", THRESHOLD, "--json"))["frames"] == 2
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*.png")) == [
        "left/1.labels.png",
        "right/1.labels.png",
    ]


def test_an_unreadable_input_is_named_and_the_rest_is_done(model, pictures, tmp_path):
    (pictures[0] / "0.jpg").write_bytes(b"no picture")
    done = segment(model, tmp_path / "out", pictures[0], "--threshold", THRESHOLD, "--json")
    said = summary(done, code=1)
    assert "0.jpg is no image" in done.stderr
    assert said["frames"] == 1
    assert [Path(f["input"]).name for f in said["failed"]] == ["0.jpg"]
    assert labels(tmp_path / "out").shape == (HEIGHT, WIDTH)


def test_region_and_mask_are_ignored(model, pictures, tmp_path):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[-8:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    options = ["--threshold", THRESHOLD, "--mask", tmp_path / "mask.png", "--region", "32,0,32,48", "--fit", "stretch"]
    said = summary(segment(model, tmp_path / "out", pictures[0], *options, "--json"))
    found = labels(tmp_path / "out")
    outside = (found == IGNORE)
    assert outside[:, :32].all() and outside[-8:].all() and not outside[:-8, 32:].any()
    assert np.isnan(np.load(tmp_path / "out/1.anomaly.npy")[outside]).all()
    assert said["pixels"] == 32 * 40


def test_sizes(model, pictures, tmp_path):
    big = tmp_path / "big.png"
    Image.open(pictures[0] / "1.png").resize((2 * WIDTH, 2 * HEIGHT), Image.Resampling.NEAREST).save(big)
    said = summary(segment(model, tmp_path / "a", big, "--threshold", THRESHOLD, "--json"))
    assert said["input_size"] == f"{WIDTH}x{HEIGHT}" and labels(tmp_path / "a", "big").shape == (96, 128)
    segment(model, tmp_path / "b", big, "--threshold", THRESHOLD, "--output-size", "network")
    assert labels(tmp_path / "b", "big").shape == (HEIGHT, WIDTH)
    said = summary(segment(model, tmp_path / "c", big, pictures[0], "--threshold", THRESHOLD, "--input-size", "native", "--json"))
    assert said["frames"] == 2 and labels(tmp_path / "c", "big").shape == (96, 128)


def test_what_cannot_be_asked_for(model, pictures, tmp_path):
    def refused(words, *arguments):
        done = segment(model, tmp_path / "out", *arguments)
        assert done.returncode == 2 and words in done.stderr, done.stderr
        assert not (tmp_path / "out").exists()

    refused("no calibration", pictures[0])
    refused("no calibration", pictures[0], "--input-size", "native")
    refused("choose one of", pictures[0], "--threshold", THRESHOLD, "--score", "guess")
    refused("missing", tmp_path / "missing", "--threshold", THRESHOLD)
    (tmp_path / "empty").mkdir()
    refused("no pictures in", tmp_path / "empty", "--threshold", THRESHOLD)
