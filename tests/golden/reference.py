"""The walk of a frame written a second time, from the paper's formulas and in float64: what the programs
are held against. It shares nothing with them but the ONNX file and its manifest.

Shapes: an image is u8 [H,W,3] rgb, the network's input f32 [1,3,h,w], labels u8 [H,W], anomaly f64 [H,W].
"""

from pathlib import Path

import numpy as np
import onnxruntime
import yaml


def upsampling(count, start, length, cells):
    """Where `count` pixels look among `cells` values, if together they cover `length` of them from
    `start` on: two neighbours and the share of the second. Half-pixel centres, clamped at the borders."""
    centres = start + (np.arange(count) + 0.5) * length / count - 0.5
    centres = np.clip(centres, 0, cells - 1)
    first = np.floor(centres).astype(int)
    return first, np.minimum(first + 1, cells - 1), centres - first


def bilinear(planes, rows, columns):
    """[C,h,w] at the given rows and columns, in float64."""
    planes = np.asarray(planes, np.float64)
    upper, lower, share = rows
    planes = planes[:, upper] * (1 - share)[:, None] + planes[:, lower] * share[:, None]
    left, right, share = columns
    return planes[:, :, left] * (1 - share) + planes[:, :, right] * share


def log_sum_exp(logits):
    """ln p(x) up to its constant, eq. (6)."""
    top = logits.max(axis=0)
    return top + np.log(np.exp(logits - top).sum(axis=0))


def hybrid_score(logits, dataset_logits):
    """s_H = ln P(d_out|x) - ln p(x), eq. (9), from [K,...] and [1|2,...]; higher is more anomalous."""
    outlier = dataset_logits[0] if len(dataset_logits) == 1 else dataset_logits[1] - dataset_logits[0]
    return -np.logaddexp(0, -outlier) - log_sum_exp(logits)


class Reference:
    """A model of the contract, on the CPU. `size` is the network input's (width, height)."""

    def __init__(self, manifest_path, size=None):
        path = Path(manifest_path)
        self.manifest = yaml.safe_load(path.read_text())
        preferred = self.manifest["input_sizes"][0]
        self.width, self.height = size or (preferred["width"], preferred["height"])
        self.session = onnxruntime.InferenceSession(
            path.parent / self.manifest["file"], providers=["CPUExecutionProvider"]
        )

    @property
    def unknown(self):
        """K."""
        return len(self.manifest["classes"])

    def palette(self):
        """The colour of each known class."""
        return [tuple(c["color"]) for c in self.manifest["classes"]]

    def threshold(self):
        """The one calibrated for the hybrid score at this size."""
        wanted = ("hybrid", f"{self.width}x{self.height}")
        return next(
            c["threshold"]
            for c in self.manifest["calibrations"]
            if (c["score"], c["input_size"]) == wanted
        )

    def letterbox(self, rgb):
        """Where the image lands on the input: left, top, width, height. Proportions stay, halves of
        pixels round up, an odd margin is smaller on the left and above."""
        height, width = rgb.shape[:2]
        scale = min(self.width / width, self.height / height)
        w, h = (max(1, int(side * scale + 0.5)) for side in (width, height))
        return (self.width - w) // 2, (self.height - h) // 2, w, h

    def input(self, rgb):
        """(x/255 - mean)/std, laid out by the letterbox; around it 0, the mean colour."""
        left, top, w, h = self.letterbox(rgb)
        rows = upsampling(h, 0, rgb.shape[0], rgb.shape[0])
        columns = upsampling(w, 0, rgb.shape[1], rgb.shape[1])
        planes = bilinear(rgb.transpose(2, 0, 1), rows, columns)
        mean, std = (
            np.array(self.manifest["input"][key])[:, None, None] for key in ("mean", "std")
        )
        image = np.zeros((1, 3, self.height, self.width), np.float32)
        image[0, :, top : top + h, left : left + w] = (planes / 255 - mean) / std
        return image

    def anomaly(self, rgb):
        """Class logits [K,H,W] and the hybrid score [H,W], both at the image's size: upsampled first,
        scored after."""
        names = [self.manifest["outputs"][key] for key in ("logits", "dataset_logits")]
        logits, dataset_logits = self.session.run(
            names, {self.manifest["input"]["name"]: self.input(rgb)}
        )
        left, top, w, h = self.letterbox(rgb)

        def at_camera_size(planes):
            cells_y, cells_x = planes.shape[1:]
            per_row, per_column = cells_y / self.height, cells_x / self.width
            rows = upsampling(rgb.shape[0], top * per_row, h * per_row, cells_y)
            columns = upsampling(rgb.shape[1], left * per_column, w * per_column, cells_x)
            return bilinear(planes, rows, columns)

        logits = at_camera_size(logits[0])
        return logits, hybrid_score(logits, at_camera_size(dataset_logits[0]))

    def segment(self, rgb, threshold=None):
        """Labels u8 [H,W] (K where the score is above the threshold, strictly) and anomaly f64 [H,W]."""
        threshold = self.threshold() if threshold is None else threshold
        logits, anomaly = self.anomaly(rgb)
        labels = np.where(anomaly > threshold, self.unknown, logits.argmax(axis=0))
        return labels.astype(np.uint8), anomaly


# Both sides run the same graph in f32 and differ in the order of sums: 5e-5 at most on scores of a few
# nats. A wrong pixel centre, colour order or norm moves them by 0.1 and more.
ANOMALY_TOLERANCE = 1e-3
# Pixels whose two best logits, or whose score and threshold, lie closer together than that may go
# either way; on pictures they are a handful in a hundred thousand.
LABEL_AGREEMENT = 0.999


def assert_agree(labels, anomaly, expected, what=""):
    """Holds what a program made of a frame against `Reference.segment`."""
    expected_labels, expected_anomaly = expected
    assert labels.shape == expected_labels.shape, what
    difference = np.abs(anomaly - expected_anomaly).max()
    agreement = (labels == expected_labels).mean()
    assert difference < ANOMALY_TOLERANCE, f"{what}: anomaly differs by up to {difference}"
    assert agreement >= LABEL_AGREEMENT, f"{what}: labels agree on {agreement:.3%}"
