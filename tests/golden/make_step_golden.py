#!/usr/bin/env python3
"""Makes step_image.rgb (u8 [64,96,3]), step_labels.u8 (u8 [64,96]) and step_anomaly.f32 (little-endian
[64,96]), which tests/step_golden.rs reads: a picture, and what reference.py makes of it with the shipped
model at an input of 64x48. Run it again only when the model is replaced."""

from pathlib import Path

from pictures import street
from reference import Reference

HERE = Path(__file__).parent
# 3:2 on an input of 4:3, and larger than it: the letterbox pads and resampling is not a copy.
WIDTH, HEIGHT = 96, 64
# About half of this picture's pixels score above it. tests/step_golden.rs repeats it.
THRESHOLD = 24.5

image = street(WIDTH, HEIGHT)
model = Reference(HERE.parents[1] / "models" / "camvid-lite0.yaml", size=(64, 48))
labels, anomaly = model.segment(image, THRESHOLD)
image.tofile(HERE / "step_image.rgb")
labels.tofile(HERE / "step_labels.u8")
anomaly.astype("<f4").tofile(HERE / "step_anomaly.f32")
