"""`open-set segment` on pictures, against the method written independently in tests/golden/reference.py."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "golden"))

from pictures import street
from reference import Reference, assert_agree

PROGRAMS = Path(os.environ.get("OPEN_SET_BIN_DIR", ROOT / "target" / "release"))
MODEL = ROOT / "models" / "camvid-lite0.yaml"


@pytest.fixture(scope="module")
def reference():
    return Reference(MODEL)


def check(reference, pictures, out):
    """Runs the tool on the files and compares each with the reference."""
    command = [PROGRAMS / "open-set", "segment", *pictures, "--model", MODEL, "--out", out]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for path in pictures:
        labels = np.array(Image.open(out / f"{path.stem}.labels.png"))
        anomaly = np.load(out / f"{path.stem}.anomaly.npy")
        # Pillow and OpenCV decode baseline JPEG with the same library, bit for bit.
        rgb = np.array(Image.open(path).convert("RGB"))
        assert_agree(labels, anomaly, reference.segment(rgb), path.name)


@pytest.mark.parametrize(
    "size", [(480, 360), (640, 480), (641, 361), (90, 200)], ids=lambda s: f"{s[0]}x{s[1]}"
)
def test_a_drawn_street(reference, tmp_path, size):
    path = tmp_path / "street.png"
    Image.fromarray(street(*size)).save(path)
    check(reference, [path], tmp_path / "out")


def test_frames_of_a_drive(reference, tmp_path):
    data = os.environ.get("OPEN_SET_DATA")
    if not data:
        pytest.skip("OPEN_SET_DATA is not set: no folder with camvid-static/images")
    frames = sorted(Path(data, "camvid-static", "images").glob("*.jpg"))
    assert frames, f"no frames in {data}/camvid-static/images"
    check(reference, frames[:: len(frames) // 5], tmp_path / "out")
