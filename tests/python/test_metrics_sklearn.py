"""Rankings against scikit-learn, from outside."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

BIN = Path(os.environ.get("OPEN_SET_BIN_DIR", Path(__file__).parents[2] / "target/release"))
PROGRAM = BIN / "examples/ranking"


def scores(kind, random, labels):
    """Finite scores that know something of the labels."""
    noise = random.standard_normal(labels.size)
    match kind:
        case "random":
            return noise + labels
        case "tied":
            return np.round(2 * (noise + labels)) / 2
        case "few levels":
            return np.round(noise.clip(-1, 1) + labels)
        case "constant":
            return np.full(labels.size, -3.5)
        case "skewed":
            return -np.exp(3 * noise - labels)
        case "huge and tiny":
            return np.sign(noise) * np.exp(15 * noise) + 0.1 * labels
        case "reversed":
            return noise - 2 * labels


KINDS = ["random", "tied", "few levels", "constant", "skewed", "huge and tiny", "reversed"]


def ours(folder, scores, labels, *keys_in_memory):
    scores.astype("<f4").tofile(folder / "scores")
    labels.astype(np.uint8).tofile(folder / "labels")
    command = [PROGRAM, folder / "scores", folder / "labels", *map(str, keys_in_memory)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.5, 0.02])
@pytest.mark.parametrize("pixels", [20, 1000, 300_000])
def test_equal_to_scikit_learn(tmp_path, kind, share, pixels):
    random = np.random.default_rng([KINDS.index(kind), pixels])
    labels = (random.random(pixels) < share).astype(np.uint8)
    labels[:2] = 0, 1
    values = scores(kind, random, labels).astype(np.float32)
    fpr, tpr, _ = roc_curve(labels, values, drop_intermediate=False)
    precision, recall, _ = precision_recall_curve(labels, values)
    expected = {
        "ap": average_precision_score(labels, values),
        "auroc": roc_auc_score(labels, values),
        "fpr95": fpr[np.argmax(tpr >= 0.95)],
        "best_f1": np.max(2 * precision * recall / np.maximum(precision + recall, 1e-30)),
    }
    for found in (ours(tmp_path, values, labels), ours(tmp_path, values, labels, pixels // 3)):
        assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-9, rel=0)
        assert (found["positives"], found["nan"]) == (labels.sum(), 0)
        # The thresholds are strict, and do what is said of them.
        alarm = values > found["fpr95_threshold"]
        assert alarm[labels == 1].mean() >= 0.95 and alarm[labels == 0].mean() == found["fpr95"]
        alarm = values > found["best_f1_threshold"]
        assert 2 * (alarm & labels).sum() / (alarm.sum() + labels.sum()) == found["best_f1"]


def test_19_of_20_positives_are_95_percent(tmp_path):
    values = np.arange(40, dtype=np.float32)
    labels = np.repeat([0, 1], 20)
    values[20] = -1
    assert ours(tmp_path, values, labels)["fpr95"] == 0


def test_what_is_ignored_does_not_count_and_what_is_undefined_is_null(tmp_path):
    found = ours(tmp_path, np.array([1.0, np.nan, 3.0]), np.array([0, 255, 0]))
    assert (found["negatives"], found["nan"], found["ap"], found["auroc"], found["fpr95"]) == (2, 0, None, None, None)
