"""`open-set evaluate` and `calibrate` from outside, held against scikit-learn and NumPy on the same scores."""

import datetime
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from tiny import BIN, HEIGHT, IGNORE, RUNTIME, UNKNOWN, WIDTH, make_model

MODELS = Path(__file__).parents[2] / "models"
FRAMES = ["a_0", "a_1", "b_0", "b_1", "b_2"]


@pytest.fixture
def model(tmp_path):
    return make_model(tmp_path)


@pytest.fixture
def dataset(tmp_path):
    """Noise around red and green, unknown squares that are more or less blue, and a strip nobody annotated."""
    random = np.random.default_rng(7)
    for folder in ["images", "labels", "ood"]:
        (tmp_path / "set" / folder).mkdir(parents=True)
    for i, name in enumerate(FRAMES):
        truth = np.zeros((HEIGHT, WIDTH), np.uint8)
        truth[:, 32:] = 1
        truth[8 : 20 + i, 20:40] = UNKNOWN
        truth[:3] = IGNORE
        color = np.array([[130, 110, 100], [110, 130, 100], [0, 0, 0], [118, 118, 124]])[np.minimum(truth, 3)]
        pixels = np.clip(color + random.normal(0, 9, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "set/images" / f"{name}.png")
        Image.fromarray(truth).save(tmp_path / "set/labels" / f"{name}.png")
        ood = np.where(truth == IGNORE, IGNORE, truth == UNKNOWN).astype(np.uint8)
        Image.fromarray(ood).save(tmp_path / "set/ood" / f"{name}.png")
    return tmp_path / "set"


def run(command, model, dataset, *arguments):
    line = [BIN / "open-set", command, "--model", model, "--dataset", "folder", "--root", dataset]
    line += ["--onnxruntime", RUNTIME, *arguments]
    return subprocess.run([str(word) for word in line], capture_output=True, text=True)


def said(done, code=0):
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def pixels(model, dataset, out, score="hybrid"):
    """Every frame's scores and closed-set labels by `segment`, and its truth."""
    line = [BIN / "open-set", "segment", "--model", model, "--out", out, "--onnxruntime", RUNTIME, "--score", score]
    line += ["--threshold", 1e30, dataset / "images"]
    subprocess.run([str(word) for word in line], check=True, capture_output=True)
    frames = {}
    for name in FRAMES:
        truth = np.asarray(Image.open(dataset / "labels" / f"{name}.png"))
        labels = np.asarray(Image.open(out / f"{name}.labels.png"))
        frames[name] = (np.load(out / f"{name}.anomaly.npy"), labels, truth)
    return frames


def pooled(frames, names=FRAMES):
    chosen = [frames[name] for name in names]
    scores, labels, truth = (np.concatenate([f[i].ravel() for f in chosen]) for i in range(3))
    kept = truth != IGNORE
    return scores[kept], labels[kept], truth[kept]


def ious(truth, predicted, classes):
    """TP / (TP + FP + FN) over whatever pixels are given."""
    both = [((truth == k) & (predicted == k)).sum() for k in classes]
    either = [((truth == k) | (predicted == k)).sum() for k in classes]
    return [b / e if e else None for b, e in zip(both, either)]


def mean(values):
    return np.mean([v for v in values if v is not None])


def ranked(scores, truth):
    anomalous = truth == UNKNOWN
    fpr, tpr, thresholds = roc_curve(anomalous, scores, drop_intermediate=False)
    at = np.argmax(tpr >= 0.95)
    strict = np.nextafter(np.float32(thresholds[at]), np.float32(-np.inf))
    return average_precision_score(anomalous, scores), roc_auc_score(anomalous, scores), fpr[at], float(strict)


def opened(scores, labels, truth, threshold):
    predicted = np.where(scores > np.float32(threshold), UNKNOWN, labels)
    iou = ious(truth, predicted, range(4))
    dice = [2 * v / (1 + v) for v in iou[:3] if v is not None]
    return mean(iou[:3]), np.mean(dice), mean(iou)


def test_figures_are_scikit_learns(model, dataset, tmp_path):
    got = said(run("evaluate", model, dataset, "--json"))
    scores, labels, truth = pooled(pixels(model, dataset, tmp_path / "out"))
    ap, auroc, fpr95, threshold = ranked(scores, truth)
    assert got["frames"] == 5 and got["pixels"] == len(truth) and got["anomalous"] == (truth == UNKNOWN).sum()
    assert got["ignored"] == 5 * 3 * WIDTH
    assert [got["ap"], got["auroc"], got["fpr95"]] == pytest.approx([ap, auroc, fpr95], abs=1e-9)
    assert 0.1 < ap < 0.999, "a set so easy or so hard would show nothing"
    # Nothing is calibrated: the threshold is this set's own, and the report says so.
    assert got["threshold"] == pytest.approx(threshold, abs=1e-6) and got["in_sample"]
    known = truth != UNKNOWN
    closed = ious(truth[known], labels[known], range(3))
    assert got["iou"] == pytest.approx(closed) and got["miou"] == pytest.approx(mean(closed))
    open_miou, f1, iou_open = opened(scores, labels, truth, got["threshold"])
    assert [got["open_miou"], got["f1"], got["iou_open"]] == pytest.approx([open_miou, f1, iou_open])
    assert got["gap"] == pytest.approx(got["miou"] - got["open_miou"])
    assert got["classes"] == ["red", "green", "blue"]
    assert 0 < got["latency_ms"]["p50"] and 0 < got["network_share"] < 1


def test_a_threshold_of_ones_own(model, dataset, tmp_path):
    got = said(run("evaluate", model, dataset, "--json", "--threshold", "-1.5"))
    scores, labels, truth = pooled(pixels(model, dataset, tmp_path / "out"))
    assert got["threshold"] == -1.5 and got["in_sample"] is False
    assert got["tpr"] == pytest.approx((scores[truth == UNKNOWN] > -1.5).mean())
    assert got["fpr"] == pytest.approx((scores[truth != UNKNOWN] > -1.5).mean())
    assert got["open_miou"] == pytest.approx(opened(scores, labels, truth, -1.5)[0])
    frames = pixels(model, dataset, tmp_path / "again").values()
    assert got["miss_rate"] == pytest.approx(np.mean([(s[t == UNKNOWN] <= -1.5).mean() for s, _, t in frames]))


def test_folds_take_the_threshold_from_each_other(model, dataset, tmp_path):
    got = said(run("evaluate", model, dataset, "--json", "--folds", "by-prefix"))
    frames = pixels(model, dataset, tmp_path / "out")
    a, b = FRAMES[:2], FRAMES[2:]
    want = []
    for own, other in [(a, b), (b, a)]:
        scores, _, truth = pooled(frames, other)
        threshold = ranked(scores, truth)[3]
        want.append((threshold, opened(*pooled(frames, own), threshold)[0]))
    assert [f["fold"] for f in got["folds"]] == ["a", "b"] and [f["frames"] for f in got["folds"]] == [2, 3]
    for fold, (threshold, open_miou) in zip(got["folds"], want):
        assert fold["threshold"] == pytest.approx(threshold, abs=1e-6)
        assert fold["open_miou"] == pytest.approx(open_miou, abs=1e-9)
    weighted = sum(f["frames"] * f["open_miou"] for f in got["folds"]) / 5
    assert got["open_miou"] == pytest.approx(weighted) and got["threshold"] is None
    assert got["undefined"]["threshold"] == "each fold has its own"


def test_a_fold_without_anomalies_says_what_it_lacks(model, dataset):
    for name in FRAMES[:2]:
        for folder, value in [("labels", 0), ("ood", 0)]:
            path = dataset / folder / f"{name}.png"
            truth = np.asarray(Image.open(path)).copy()
            truth[truth == (UNKNOWN if folder == "labels" else 1)] = value
            Image.fromarray(truth).save(path)
    got = said(run("evaluate", model, dataset, "--json", "--folds", "by-prefix"))
    clean, other = got["folds"]
    assert clean["tpr"] is None and clean["undefined"]["tpr"] == "no judged pixel is an anomaly"
    assert other["threshold"] is None and "no judged pixel is an anomaly" in other["undefined"]["threshold"]
    assert got["open_miou"] is None and "every fold" in got["undefined"]["open_miou"]


def test_many_scores_of_one_run(model, dataset, tmp_path):
    got = said(run("evaluate", model, dataset, "--json", "--score", "hybrid,generative,max-logit"))
    assert [s["score"] for s in got["scores"]] == ["generative", "max-logit"]
    for score in got["scores"]:
        scores, _, truth = pooled(pixels(model, dataset, tmp_path / score["score"], score["score"]))
        assert [score["ap"], score["auroc"]] == pytest.approx(ranked(scores, truth)[:2], abs=1e-9)


def test_per_image_and_reliability(model, dataset, tmp_path):
    got = said(run("evaluate", model, dataset, "--json", "--per-image"))
    frames = pixels(model, dataset, tmp_path / "out")
    aps = [ranked(scores, truth)[0] for scores, _, truth in (pooled(frames, [name]) for name in FRAMES)]
    assert got["per_image"]["ap"] == pytest.approx(np.mean(aps), abs=1e-9)
    assert got["per_image"]["images"] == 5
    p = np.concatenate([np.exp(f[0].ravel()) for f in pixels(model, dataset, tmp_path / "d", "discriminative").values()])
    truth = np.concatenate([f[2].ravel() for f in frames.values()])
    p, outlier = p[truth != IGNORE], (truth == UNKNOWN)[truth != IGNORE]
    bins = np.minimum((p * 15).astype(int), 14)
    ece = sum(abs(p[bins == b].sum() - outlier[bins == b].sum()) for b in range(15)) / len(p)
    assert got["ece"] == pytest.approx(ece, abs=1e-4)


def test_a_histogram_bounds_what_is_exact(model, dataset):
    exact = said(run("evaluate", model, dataset, "--json"))
    rough = said(run("evaluate", model, dataset, "--json", "--histogram", "4096"))
    assert rough["histogram"]["ap"][0] < rough["histogram"]["ap"][1], "bins so fine would show nothing"
    # A threshold is judged at the edge of its bin, and the report names that edge.
    edge = said(run("evaluate", model, dataset, "--json", "--histogram", "64", "--threshold", "-1.9"))
    assert edge["threshold"] != -1.9 and edge["miss_rate"] is None and "images" in edge["undefined"]["miss_rate"]
    there = said(run("evaluate", model, dataset, "--json", "--threshold", edge["threshold"]))
    for figure in ["tpr", "fpr", "open_miou", "f1"]:
        assert edge[figure] == pytest.approx(there[figure])
    for figure in ["ap", "auroc", "fpr95", "best_f1"]:
        low, high = rough["histogram"][figure]
        assert low <= exact[figure] <= high and low <= rough[figure] <= high
    assert "in 64 bins; exactly: AP" in run("evaluate", model, dataset, "--histogram", "64").stdout
    assert run("evaluate", model, dataset, "--histogram", "1").returncode == 2


def test_by_distance(model, dataset, tmp_path):
    done = run("evaluate", model, dataset, "--depth", "--max-failures", "9")
    assert done.returncode == 1 and "knows no distances of a_0" in done.stderr
    (dataset / "depth").mkdir()
    metres = np.linspace(2, 60, WIDTH)[None].repeat(HEIGHT, 0)
    metres[:, ::7] = 0  # not known
    for name in FRAMES:
        Image.fromarray((metres * 256).astype(np.uint16)).save(dataset / "depth" / f"{name}.png")
    got = said(run("evaluate", model, dataset, "--depth", "--json"))["by_distance"]
    assert [(b["from_m"], b["to_m"]) for b in got] == [(m, m + 5) for m in range(5, 50, 5)]
    frames = pixels(model, dataset, tmp_path / "out").values()
    stored = (metres * 256).astype(np.uint16) / 256
    for bin in got:
        inside = (stored >= bin["from_m"]) & (stored < bin["to_m"])
        scores, truth = (np.concatenate([f[i][inside & (f[2] != IGNORE)] for f in frames]) for i in [0, 2])
        assert bin["positives"] + bin["negatives"] == len(truth)
        if (truth == UNKNOWN).any():
            ap, _, fpr95, _ = ranked(scores, truth)
            assert [bin["ap"], bin["fpr95"]] == pytest.approx([ap, fpr95], abs=1e-9)
        else:
            assert bin["ap"] is None


def test_a_table_for_people(model, dataset, tmp_path):
    done = run("evaluate", model, dataset, "--json", tmp_path / "report.json")
    assert done.returncode == 0 and "open-mIoU" in done.stdout and "very pixels" in done.stdout
    assert json.loads((tmp_path / "report.json").read_text())["frames"] == 5


def test_calibrate_writes_a_block_the_node_can_use(model, dataset, tmp_path):
    before = model.read_text()
    model.write_text("# a comment to keep\n" + before)
    got = said(run("calibrate", model, dataset, "--json", "--write"))["calibration"]
    scores, _, truth = pooled(pixels(model, dataset, tmp_path / "out"))
    assert got["threshold"] == pytest.approx(ranked(scores, truth)[3], abs=1e-6)
    assert got["tpr"] >= 0.95 and got["frames"] == 5 and got["method"] == "empirical" and got["level"] == 0.95
    assert got["date"] == str(datetime.datetime.now(datetime.timezone.utc).date())
    assert sum(got["histogram"]["shares"]) == pytest.approx(1, abs=1e-4)
    # The set's hash is what sha256sum makes of its files.
    lines = ""
    for name in FRAMES:
        for folder in ["images", "labels", "ood"]:
            path = f"{folder}/{name}.png"
            lines += f"{hashlib.sha256((dataset / path).read_bytes()).hexdigest()}  {path}\n"
    assert got["set_sha256"] == hashlib.sha256(lines.encode()).hexdigest()

    assert model.read_text().startswith("# a comment to keep\n" + before)
    assert said(run("calibrate", model, dataset, "--json", "--write"))["calibration"] == got, "replaced, not doubled"
    report = said(run("evaluate", model, dataset, "--json"))
    assert report["threshold"] == pytest.approx(got["threshold"]) and report["tpr"] == pytest.approx(got["tpr"])
    assert report["in_sample"], "the hash tells that it is judged where it was chosen"
    part = said(run("evaluate", model, dataset, "--json", "--only", "a_"))
    assert part["threshold"] == report["threshold"] and part["in_sample"] is None, "some of them, or others?"

    # A second score leaves the first where it is.
    said(run("calibrate", model, dataset, "--json", "--write", "--score", "msp"))
    assert model.read_text().count("model_sha256") == 2
    for words, options in [("none of the manifest's input_sizes", ["--input-size", "32x24"]), ("whole pictures", ["--region", "0,0,32,32"])]:
        done = run("calibrate", model, dataset, "--write", *options)
        assert done.returncode == 2 and words in done.stderr, done.stderr

    # Another file under the manifest: refused by all but the one who can mend it.
    onnx = tmp_path / "tiny.onnx"
    onnx.write_bytes(onnx.read_bytes() + b"\x62\x00")  # an empty doc string: the same network
    old = got["model_sha256"]
    new = hashlib.sha256(onnx.read_bytes()).hexdigest()
    model.write_text(model.read_text().replace(f"\nsha256: {old}", f"\nsha256: {new}"))
    done = run("evaluate", model, dataset)
    assert done.returncode == 2 and "calibrate again" in done.stderr
    done = run("calibrate", model, dataset, "--json", "--write")
    assert "was made with" in done.stderr and said(done)["calibration"]["model_sha256"] == new
    assert run("evaluate", model, dataset).returncode == 0


def test_conformal(model, dataset):
    done = run("calibrate", model, dataset, "--json", "--method", "conformal", "--alpha", "0.4")
    got = said(done)
    assert got["calibration"]["method"] == "conformal" and got["calibration"]["level"] == pytest.approx(0.6)
    # (sum of losses + 1) / (5 + 1) is at most 0.4.
    assert got["miss_rate"] * 5 <= 0.4 * 6 - 1 + 1e-9 and got["images_with_anomalies"] == 5
    assert "exchangeable" in got["assumptions"]
    done = run("calibrate", model, dataset, "--method", "conformal", "--alpha", "0.05")
    assert done.returncode == 2 and "at least 19 are needed" in done.stderr
    # 1 - 0.8 is a little less than 0.2, for which 4 images are enough.
    done = run("calibrate", model, dataset, "--json", "--method", "conformal", "--tpr", "0.8", "--only", "b")
    assert done.returncode == 2 and "at least 4 are needed" in done.stderr
    done = run("calibrate", model, dataset, "--alpha", "0.05")
    assert done.returncode == 2 and "--method conformal" in done.stderr
    shown = subprocess.run([BIN / "open-set", "calibrate", "--help"], capture_output=True, text=True).stdout
    assert "exchangeable" in shown and "another drive" in " ".join(shown.split())


def test_what_is_wrong_with_the_set(model, dataset):
    def refused(words, *arguments, code=2):
        done = run("evaluate", model, dataset, *arguments)
        assert done.returncode == code and words in done.stderr, done.stderr

    refused("above 0, at most 1", "--tpr", "1.5")
    refused("no frame of", "--only", "c_")
    refused("choose one of", "--score", "guess")
    refused("fit", "--score", "all", "--fit", "guess")
    refused("temperature", "--score", "all", "--temperature", "0")
    refused("a finite number", "--threshold", "nan")
    refused("make it first", "--json", dataset / "no/such/report.json")
    (dataset / "images/b_1.png").write_bytes(b"no picture")
    done = run("evaluate", model, dataset, "--json")
    got = said(done, code=1)
    assert got["frames"] == 4 and got["set_sha256"] is None and "b_1.png" in done.stderr
    refused("frames failed, 0 may", "--max-failures", "0", code=1)
    done = run("calibrate", model, dataset, "--write")
    assert done.returncode == 1 and "manifest stays as it is" in done.stderr
    (dataset / "images/b_1.png").unlink()
    refused("b_1")


def test_no_anomalies_leaves_figures_undefined(model, dataset):
    for name in FRAMES:
        path = dataset / "labels" / f"{name}.png"
        truth = np.asarray(Image.open(path)).copy()
        truth[truth == UNKNOWN] = IGNORE
        Image.fromarray(truth).save(path)
        (dataset / "ood" / f"{name}.png").unlink()
    (dataset / "ood").rmdir()
    got = said(run("evaluate", model, dataset, "--json"))
    assert got["ap"] is None and "no judged pixel is an anomaly" in got["undefined"]["ap"]
    assert got["miou"] > 0.5 and got["threshold"] is None and got["open_miou"] is None
    done = run("calibrate", model, dataset)
    assert done.returncode == 2 and "no anomalous" in done.stderr


def driving_frames():
    data = os.environ.get("OPEN_SET_DATA")
    if not data:
        pytest.skip("skipped: OPEN_SET_DATA does not name the folder of driving frames")
    return Path(data)


def test_a_model_that_scikit_learn_has_judged(tmp_path):
    """Its figures were made by scikit-learn of what a Python program scored; its name and card lie beside the data."""
    data = driving_frames()
    card = data.parent / "models/camvid-lite0-reference.json"
    if not card.exists():
        pytest.skip(f"skipped: {card} is not there")
    card = json.loads(card.read_text())
    manifest = yaml.safe_load((MODELS / "camvid-lite0.yaml").read_text())
    manifest |= {"file": card["file"], "sha256": card["sha256"], "calibrations": []}
    manifest.pop("statistics", None)
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(manifest))
    shutil.copy(data.parent / "models" / card["file"], tmp_path)
    threshold = card["calibration"]["threshold"]
    done = run("evaluate", tmp_path / "model.yaml", data / "camvid-static", "--json", "--score", "hybrid,msp",
               "--threshold", threshold)
    got, expected = said(done), card["measured"]["after"]["camvid-static"]
    assert (got["frames"], got["pixels"]) == (card["calibration"]["frames"], expected["pixels"])
    assert got["miou"] * 100 == pytest.approx(expected["miou"], abs=0.01)
    assert got["open_miou"] * 100 == pytest.approx(expected["hybrid"]["open_miou_at_tpr95"], abs=0.01)
    for judged, name in [(got, "hybrid"), (got["scores"][0], "msp")]:
        for figure in ["ap", "fpr95", "auroc"]:
            assert judged[figure] * 100 == pytest.approx(expected[name][figure], abs=0.01), (name, figure)


def test_the_shipped_model_is_what_its_card_says():
    data = driving_frames()
    card = (MODELS / "README.md").read_text()
    section = card.split("### camvid-static, ")[1].split("###")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("| ")]
    told = {row[0]: [float(cell) for cell in row[1:4]] for row in rows[1:]}
    got = said(run("evaluate", MODELS / "camvid-lite0.yaml", data / "camvid-static", "--json", "--score", "all"))
    assert f"mIoU {got['miou'] * 100:.2f}" in section
    for judged in [got, *got["scores"]]:
        figures = [judged[figure] * 100 for figure in ["ap", "auroc", "fpr95"]]
        assert figures == pytest.approx(told[judged["score"]], abs=0.01), judged["score"]
