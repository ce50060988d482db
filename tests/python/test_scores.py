"""Every score by name, with temperature and statistics, against NumPy on the outputs of ONNX Runtime."""

import json
import subprocess

import numpy as np
import onnx
import pytest
from PIL import Image

from headed import CLIP, DEVIATION, MEAN, SIZE, make_model, outputs
from tiny import BIN, RUNTIME


def log_sum_exp(s):
    top = s.max(axis=0)
    return top + np.log(np.exp(s - top).sum(axis=0))


def log_posterior(s):
    return s - log_sum_exp(s)


def log_sigmoid(v):
    return -np.logaddexp(0, -v)


def entropy(s):
    return -(np.exp(log_posterior(s)) * log_posterior(s)).sum(axis=0)


# Class logits s [K,...] and the outlier's logit d, both divided by the temperature.
FORMULAS = {
    "hybrid": lambda s, d: log_sigmoid(d) - log_sum_exp(s),
    "generative": lambda s, d: -log_sum_exp(s),
    "energy": lambda s, d: -log_sum_exp(s),
    "discriminative": lambda s, d: log_sigmoid(d),
    "msp": lambda s, d: -np.exp(log_posterior(s).max(axis=0)),
    "max-logit": lambda s, d: -s.max(axis=0),
    "entropy": lambda s, d: entropy(s),
    "oh-msp": lambda s, d: -np.exp(log_sigmoid(-d) + log_posterior(s).max(axis=0)),
}


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(3).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    return tmp_path / "noise.png"


def class_head(manifest, pre):
    weights = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(manifest.with_name("headed.onnx")).graph.initializer}
    active = np.maximum(pre + 0.25, 0)
    return np.einsum("kc,chw->khw", weights["head"][:, :, 0, 0], active) + weights["bias"][:, None, None]


def segment(manifest, picture, *arguments):
    command = [BIN / "open-set", "segment", "--model", manifest, "--onnxruntime", RUNTIME, "--json", picture]
    command += ["--out", picture.parent / "out", *arguments]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


def scored(manifest, picture, score, *arguments):
    """The score map and the labels where nothing is unknown."""
    done = segment(manifest, picture, "--score", score, "--threshold", 1e30, *arguments)
    assert done.returncode == 0, done.stderr
    out = picture.parent / "out"
    labels = np.asarray(Image.open(out / "noise.labels.png"))
    return np.load(out / "noise.anomaly.npy"), labels, json.loads(done.stdout)


@pytest.mark.parametrize("temperature", [1, 0.5, 4])
@pytest.mark.parametrize("name", FORMULAS)
def test_scores(tmp_path, picture, name, temperature):
    manifest = make_model(tmp_path, statistics=False)
    _, logits, outlier = outputs(manifest, picture)
    got, labels, said = scored(manifest, picture, name, "--temperature", temperature)
    assert np.abs(got - FORMULAS[name](logits / temperature, outlier / temperature)).max() < 1e-4
    assert (labels == logits.argmax(axis=0)).mean() > 0.999
    assert (said["score"], said["temperature"]) == ("generative" if name == "energy" else name, temperature)


def test_sml_standardises_by_the_manifests_statistics(tmp_path, picture):
    manifest = make_model(tmp_path)
    _, logits, _ = outputs(manifest, picture)
    best = logits.argmax(axis=0)
    want = -(logits.max(axis=0) - np.array(MEAN)[best]) / np.array(DEVIATION)[best]
    got, labels, _ = scored(manifest, picture, "sml")
    agree = labels == best
    assert agree.mean() > 0.999 and np.abs(got - want)[agree].max() < 1e-4


@pytest.mark.parametrize("temperature", [1, 2])
def test_react_scores_and_labels_rectified_logits(tmp_path, picture, temperature):
    manifest = make_model(tmp_path)
    pre, logits, _ = outputs(manifest, picture)
    assert np.abs(class_head(manifest, pre) - logits).max() < 1e-5, "the head here is not the graph's"
    rectified = class_head(manifest, np.minimum(pre, CLIP))
    got, labels, _ = scored(manifest, picture, "react", "--temperature", temperature)
    assert np.abs(got + log_sum_exp(rectified / temperature)).max() < 1e-4
    assert (labels == rectified.argmax(axis=0)).mean() > 0.999
    assert (logits.argmax(axis=0) != rectified.argmax(axis=0)).mean() > 0.05, "clipping changed nothing"


def test_what_a_score_lacks_is_said(tmp_path, picture):
    def refused(manifest, words, *arguments):
        done = segment(manifest, picture, *arguments)
        assert done.returncode == 2 and words in done.stderr, done.stderr

    bare = make_model(tmp_path, statistics=False)
    refused(bare, "run open-set fit --score sml --write", "--score", "sml", "--threshold", 0)
    refused(bare, "run open-set fit --score react --write", "--score", "react", "--threshold", 0)
    refused(bare, "temperature is 0", "--temperature", 0, "--threshold", 0)
    refused(bare, "no calibration of score msp (temperature 2)", "--score", "msp", "--temperature", 2)
    fitted = make_model(tmp_path)
    refused(fitted, "statistics are of temperature 1", "--score", "sml", "--temperature", 2, "--threshold", 0)
    around = make_model(tmp_path, around=True)
    refused(around, 'depends on "image" by a way around "pre"', "--score", "react", "--threshold", 0)
    text = fitted.read_text()
    fitted.write_text(text.replace("  pre_logits: pre\n", ""))
    refused(fitted, "score react needs pre_logits", "--score", "react", "--threshold", 0)
    fitted.write_text(text.replace("    model_sha256: ", "    model_sha256: 00"))
    refused(fitted, "fit again, or remove the block", "--score", "hybrid", "--threshold", 0)
