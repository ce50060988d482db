#!/usr/bin/env python3
"""Component metrics of one frame of 2 megapixels: this crate beside scipy.ndimage, in one run, on one frame.

    cargo build --release --no-default-features --features desk --example components
    .prefix/bin/python benches/components.py
"""

import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

CHECKOUT = Path(__file__).resolve().parent.parent
PROGRAM = Path(os.environ.get("OPEN_SET_BIN_DIR", CHECKOUT / "target/release")) / "examples/components"
WIDTH, HEIGHT, THRESHOLD = 1920, 1080, 1.0
SMALLEST_PREDICTION, SMALLEST_OBJECT = 500, 100  # AnomalyTrack
ROUNDS = 15


def frame():
    """Objects of all sizes, scores that find most of them, false alarms, and speckle as networks have it."""
    random = np.random.default_rng(7)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    truth = np.zeros((HEIGHT, WIDTH), np.uint8)
    scores = ndimage.gaussian_filter(random.normal(size=truth.shape), 6).astype(np.float32)
    scores *= 0.45 / scores.std()
    for i in range(40):
        cx, cy, r = random.uniform(0, WIDTH), random.uniform(0, HEIGHT), random.uniform(3, 90)
        shape = ((x - cx) / 1.4) ** 2 + (y - cy) ** 2 < r * r
        if i % 8:
            truth[shape] = 1
        scores[np.roll(shape, (5, 9), (0, 1))] += random.uniform(0.4, 2)
    scores += random.normal(scale=0.15, size=truth.shape).astype(np.float32)
    truth[-140:] = 255  # the ego vehicle
    return scores, truth


def of_scipy(scores, truth):
    """The same figures of whole arrays at once; no loop over pixels or components."""
    corners = np.ones((3, 3))
    predictions, _ = ndimage.label((scores > THRESHOLD) & (truth != 255), corners)
    objects, _ = ndimage.label(truth == 1, corners)
    dropped = np.bincount(predictions.ravel()) < SMALLEST_PREDICTION
    areas = np.bincount(objects.ravel())
    small = areas < SMALLEST_OBJECT
    predictions[dropped[predictions] | small[objects]] = 0
    inside = predictions > 0
    pairs = predictions[inside].astype(np.int64) * len(areas) + objects[inside]
    pairs, pixels = np.unique(pairs, return_counts=True)
    p, k = np.divmod(pairs, len(areas))
    on, whole = np.zeros(p.max(initial=0) + 1), np.zeros(p.max(initial=0) + 1)
    np.add.at(whole, p, pixels)
    np.add.at(on, p[k > 0], pixels[k > 0])
    covered, beside = np.zeros(len(areas)), np.zeros(len(areas))
    np.add.at(covered, k, pixels)
    np.add.at(beside, k, (whole - on)[p])
    counts = ~small
    counts[0] = False
    siou = (covered / (areas + beside))[counts]
    ppv = (on / np.maximum(whole, 1))[whole > 0]
    f1 = [
        2 * (siou >= t).sum() / (len(siou) + (siou >= t).sum() + (ppv < t).sum())
        for t in np.arange(5, 16) / 20
    ]
    return {
        "objects": len(siou), "predictions": len(ppv),
        "siou_gt": siou.mean(), "ppv": ppv.mean(), "f1_star": np.mean(f1),
    }


def main():
    scores, truth = frame()
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "scores.npy"), Path(folder, "labels.png")
        np.save(files[0], scores)
        Image.fromarray(truth).save(files[1])
        command = [PROGRAM, *files, str(THRESHOLD), str(ROUNDS)]
        ours = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    ms = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        theirs = of_scipy(scores, truth)
        ms.append((time.perf_counter() - began) * 1e3)
    for key, value in theirs.items():
        assert abs(ours[key] - value) < 1e-9, (key, ours[key], value)
    print(f"component metrics, {WIDTH}x{HEIGHT}, {ours['objects']} objects, {ours['predictions']} predictions;"
          f" medians of {ROUNDS}, ms a frame (p90)")
    rows = {"open-set": ours["ms"], "scipy.ndimage": ms}
    for name, ms in rows.items():
        print(f"  {name:14}{statistics.median(ms):8.1f}  ({statistics.quantiles(ms, n=10)[-1]:.1f})")
    medians = [statistics.median(ms) for ms in rows.values()]
    print(f"  {medians[1] / medians[0]:.1f} times faster; F1* {ours['f1_star']:.4f} for both")


if __name__ == "__main__":
    main()
