"""`open-set fit` from outside, against NumPy on the outputs of ONNX Runtime."""

import datetime
import subprocess

import numpy as np
import pytest
import yaml
from PIL import Image

from headed import CLIP, SIZE, make_model, outputs
from tiny import BIN, RUNTIME

FRAMES = ["a", "b", "c"]
IGNORE, UNKNOWN = 255, 3


@pytest.fixture
def dataset(tmp_path):
    """Noise; a stripe nobody annotated and a square of something unknown."""
    random = np.random.default_rng(11)
    for folder in ["images", "labels"]:
        (tmp_path / "set" / folder).mkdir(parents=True)
    for i, name in enumerate(FRAMES):
        pixels = random.integers(0, 256, (SIZE, SIZE, 3), np.uint8)
        truth = random.integers(0, 3, (SIZE, SIZE), np.uint8)
        truth[:3] = IGNORE
        truth[10 : 20 + i, 5:15] = UNKNOWN
        Image.fromarray(pixels).save(tmp_path / "set/images" / f"{name}.png")
        Image.fromarray(truth).save(tmp_path / "set/labels" / f"{name}.png")
    return tmp_path / "set"


def fit(manifest, dataset, score, *arguments):
    command = [BIN / "open-set", "fit", "--model", manifest, "--dataset", "folder", "--root", dataset, "--score", score]
    command += ["--onnxruntime", RUNTIME, *arguments]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


def known(manifest, dataset):
    """Pre-logits and logits of the known pixels, [C,N] and [K,N]."""
    pre_logits, logits = [], []
    for name in FRAMES:
        truth = np.asarray(Image.open(dataset / "labels" / f"{name}.png"))
        pre, s, _ = outputs(manifest, dataset / "images" / f"{name}.png")
        pre_logits.append(pre[:, truth < UNKNOWN])
        logits.append(s[:, truth < UNKNOWN])
    return np.concatenate(pre_logits, axis=1), np.concatenate(logits, axis=1)


def check_made_on(entry, manifest):
    made = entry["fit"]
    assert (made["frames"], made["input_size"], made["precision"]) == (len(FRAMES), f"{SIZE}x{SIZE}", "f32")
    assert made["model_sha256"] == yaml.safe_load(manifest.read_text())["sha256"]
    assert len(made["set_sha256"]) == 64
    today = datetime.datetime.now(datetime.timezone.utc).date()
    assert abs(datetime.date.fromisoformat(str(made["date"])) - today) <= datetime.timedelta(days=1)


def test_sml(tmp_path, dataset):
    manifest = make_model(tmp_path, statistics=False)
    done = fit(manifest, dataset, "sml")
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load(done.stdout)["statistics"]["sml"]
    _, logits = known(manifest, dataset)
    best, top = logits.argmax(axis=0), logits.max(axis=0)
    for k in range(3):
        assert found["mean"][k] == pytest.approx(top[best == k].mean(), abs=1e-4)
        assert found["deviation"][k] == pytest.approx(top[best == k].std(), rel=1e-3)
    assert "pooled" not in found
    check_made_on(found, manifest)


@pytest.mark.parametrize("quantile", [0.5, 0.99])
def test_react(tmp_path, dataset, quantile):
    manifest = make_model(tmp_path, statistics=False)
    done = fit(manifest, dataset, "react", "--quantile", quantile)
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load(done.stdout)["statistics"]["react"]
    pre_logits, _ = known(manifest, dataset)
    # Exact: the smallest value with so large a share at or below it.
    exact = np.quantile(pre_logits, quantile, method="inverted_cdf")
    assert found["clip"] == pytest.approx(exact, abs=1e-5)
    assert found["quantile"] == quantile
    check_made_on(found, manifest)


def test_cells_of_the_padding_do_not_count(tmp_path, dataset):
    """Pictures twice as wide as high leave half of the input empty, where the pre-logits are one constant."""
    for image in [*dataset.glob("images/*"), *dataset.glob("labels/*")]:
        picture = Image.open(image)
        picture.resize((2 * SIZE, SIZE), Image.Resampling.NEAREST).save(image)
    manifest = make_model(tmp_path, statistics=False)
    clips = [
        yaml.safe_load(fit(manifest, dataset, "react", "--quantile", 0.5, "--fit", how).stdout)["statistics"]["react"]["clip"]
        for how in ["letterbox", "stretch"]
    ]
    # Of the same pixels, seen at half their height: near, and not the constant of the mean colour, 0.
    assert clips[0] == pytest.approx(clips[1], abs=0.1)
    assert all(abs(clip) > 1e-3 for clip in clips)


def test_a_class_that_is_never_predicted_is_said(tmp_path, dataset):
    manifest = make_model(tmp_path, statistics=False, bias=[0, 0, -1e3])
    done = fit(manifest, dataset, "sml")
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load(done.stdout)["statistics"]["sml"]
    top = known(manifest, dataset)[1].max(axis=0)
    assert found["pooled"] == ["c"] and "too rarely for a deviation of their own: c" in done.stderr
    assert found["mean"][2] == pytest.approx(top.mean(), abs=1e-4)
    assert found["deviation"][2] == pytest.approx(top.std(), rel=1e-3)


def test_what_is_written_is_used_and_nothing_else_is_touched(tmp_path, dataset):
    manifest = make_model(tmp_path, statistics=False)
    before = "# By hand.\n" + manifest.read_text() + "# The end.\n"
    manifest.write_text(before)
    for score in ["sml", "react"]:
        done = fit(manifest, dataset, score, "--write")
        assert done.returncode == 0 and f"written to {manifest}" in done.stderr, done.stderr
    after = manifest.read_text()
    assert after.startswith(before)
    statistics = yaml.safe_load(after)["statistics"]
    assert sorted(statistics) == ["react", "sml"]
    assert not list(tmp_path.glob("*.part"))

    picture = dataset / "images/a.png"
    command = [BIN / "open-set", "segment", "--model", manifest, "--onnxruntime", RUNTIME, "--score", "sml"]
    command += ["--threshold", 1e30, "--out", tmp_path / "out", picture]
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    _, logits, _ = outputs(manifest, picture)
    best, sml = logits.argmax(axis=0), statistics["sml"]
    want = -(logits.max(axis=0) - np.array(sml["mean"])[best]) / np.array(sml["deviation"])[best]
    assert np.median(np.abs(np.load(tmp_path / "out/a.anomaly.npy") - want)) < 1e-4

    # Once more: the same, but for a change of day.
    assert fit(manifest, dataset, "react", "--write").returncode == 0
    assert yaml.safe_load(manifest.read_text())["statistics"]["react"]["clip"] == statistics["react"]["clip"]


def test_a_frame_that_fails_keeps_the_manifest_as_it_is(tmp_path, dataset):
    manifest = make_model(tmp_path, statistics=False)
    before = manifest.read_bytes()
    (dataset / "images/b.png").write_bytes(b"no picture")
    done = fit(manifest, dataset, "sml", "--write")
    assert done.returncode == 1 and "b.png" in done.stderr and "stays as it is" in done.stderr
    assert manifest.read_bytes() == before
    assert yaml.safe_load(done.stdout)["statistics"]["sml"]["fit"]["frames"] == len(FRAMES) - 1


def test_what_cannot_be_fitted_is_said(tmp_path, dataset):
    def refused(words, *arguments):
        before = manifest.read_bytes()
        done = fit(manifest, dataset, *arguments)
        assert done.returncode == 2 and words in done.stderr, done.stderr
        assert manifest.read_bytes() == before

    manifest = make_model(tmp_path)
    refused("--quantile 1: between 0 and 1", "react", "--quantile", 1)
    refused("--input-size native", "sml", "--input-size", "native")
    refused("16x16 is none of the manifest's input_sizes", "sml", "--input-size", "16x16", "--write")
    refused('no split "train"', "sml", "--split", "train")
    text = manifest.read_text()
    digest = yaml.safe_load(text)["sha256"]
    manifest.write_text(text + f"""calibrations:
- {{score: sml, input_size: {SIZE}x{SIZE}, precision: f32, threshold: 0, tpr: 1, set: s, frames: 1, model_sha256: {digest}}}
""")
    refused(f"has a threshold of sml at {SIZE}x{SIZE}", "sml", "--write")
    manifest.write_text(text.replace("  pre_logits: pre\n", ""))
    refused("score react needs pre_logits", "react")
    for labels in dataset.glob("labels/*"):
        Image.fromarray(np.full((SIZE, SIZE), IGNORE, np.uint8)).save(labels)
    refused("no known pixel", "sml")
    manifest.write_text(text)
    refused("no known pixel", "react")
    assert yaml.safe_load(text)["statistics"]["react"]["clip"] == CLIP
