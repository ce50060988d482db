"""`open-set metrics` from outside: against scikit-learn, and against the component metrics written here in NumPy."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

BIN = Path(os.environ.get("OPEN_SET_BIN_DIR", Path(__file__).parents[2] / "target/release"))
WIDTH, HEIGHT = 120, 80
LIMITS = {"anomaly-track": (500, 100), "obstacle-track": (50, 10)}  # pixels of a prediction, of an object
DEPTH_BINS = [(m, m + 5) for m in range(5, 50, 5)]


def run(*arguments):
    return subprocess.run([str(a) for a in (BIN / "open-set", "metrics", *arguments)], capture_output=True, text=True)


def measure(root, *options, code=0):
    done = run("--scores", root / "scores", "--labels", root / "labels", "--json", *options)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def refused(words, *arguments, code=2):
    done = run(*arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr, done.stderr
    return done.stderr


def save_png(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def save_hdf5(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset("value", data=array, **options)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def scene(seed):
    """Objects and scores that find some of them: (scores, truth)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    truth = np.zeros((HEIGHT, WIDTH), np.uint8)
    scores = random.normal(scale=0.3, size=truth.shape)
    for _ in range(5):
        cx, cy, r = random.uniform(0, WIDTH), random.uniform(0, HEIGHT), random.uniform(1, 16)
        shape = (x - cx) ** 2 + (y - cy) ** 2 < r * r
        truth[shape] = 1
        scores[np.roll(shape, random.integers(-4, 5, 2), (0, 1))] += random.uniform(0.5, 3)
    truth[-6:] = 255
    # Few distinct values: ties.
    return (np.round(scores * 16) / 16).astype(np.float32), truth


@pytest.fixture
def frames(tmp_path):
    """Six frames as .npy; the folder, and the arrays by name."""
    arrays = {f"frame_{i}": scene(i) for i in range(6)}
    (tmp_path / "scores").mkdir()
    for name, (scores, truth) in arrays.items():
        np.save(tmp_path / f"scores/{name}.npy", scores)
        save_png(tmp_path / f"labels/{name}.png", truth)
    return tmp_path, arrays


def pooled(arrays):
    scores = np.concatenate([s[t != 255] for s, t in arrays.values()])
    truth = np.concatenate([t[t != 255] for _, t in arrays.values()])
    return scores, truth


def fpr_at(tpr_wanted, truth, scores):
    fpr, tpr, thresholds = roc_curve(truth, scores, drop_intermediate=False)
    i = np.argmax(tpr >= tpr_wanted)
    return fpr[i], thresholds[i]


def below(threshold):
    """Thresholds are strict: just under scikit-learn's."""
    return float(np.nextafter(np.float32(threshold), np.float32(-np.inf)))


def check_pixels(said, scores, truth):
    near = lambda value: pytest.approx(value, abs=1e-9)
    assert said["ap"] == near(average_precision_score(truth, scores))
    assert said["auroc"] == near(roc_auc_score(truth, scores))
    fpr, threshold = fpr_at(0.95, truth, scores)
    assert said["fpr95"] == near(fpr)
    assert np.float32(said["fpr95_threshold"]) == below(threshold)
    precision, recall, thresholds = precision_recall_curve(truth, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    assert said["best_f1"] == near(f1.max())
    above = scores > said["best_f1_threshold"]
    assert 2 * (above & (truth == 1)).sum() / (above.sum() + (truth == 1).sum()) == near(f1.max())
    assert (said["positives"], said["negatives"]) == ((truth == 1).sum(), (truth == 0).sum())
    assert said["pixels"] == len(truth)


def components_of(mask):
    """Lists of pixels that touch by side or corner, by flooding."""
    left, found = set(zip(*np.nonzero(mask))), []
    while left:
        open_, component = [left.pop()], set()
        while open_:
            y, x = open_.pop()
            component.add((y, x))
            for at in [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]:
                if at in left:
                    left.remove(at)
                    open_.append(at)
        found.append(component)
    return found


def component_figures(arrays, threshold, track):
    """The definitions, over sets of pixels."""
    smallest_prediction, smallest_object = LIMITS[track]
    siou, ppv = [], []
    for scores, truth in arrays.values():
        predictions = components_of(((scores > threshold) | np.isnan(scores)) & (truth != 255))
        predictions = [p for p in predictions if len(p) >= smallest_prediction]
        objects = components_of(truth == 1)
        small = set().union(*[k for k in objects if len(k) < smallest_object])
        objects = [k for k in objects if len(k) >= smallest_object]
        predictions = [p - small for p in predictions if p - small]
        any_object = set().union(*objects)
        for k in objects:
            union = set().union(*[p for p in predictions if p & k])
            siou.append(len(k & union) / (len(k | union) - len(union & (any_object - k))))
        ppv += [len(p & any_object) / len(p) for p in predictions]
    siou, ppv = np.array(siou), np.array(ppv)
    counts = np.array([[(siou >= t).sum(), (siou < t).sum(), (ppv < t).sum()] for t in np.arange(5, 16) / 20])
    tp, fn, fp = counts.T
    return {
        "objects": len(siou), "predictions": len(ppv), "siou_gt": siou.mean(), "ppv": ppv.mean(),
        "f1_star": (2 * tp / (2 * tp + fn + fp)).mean(), "tp": tp.mean(), "fn": fn.mean(), "fp": fp.mean(),
    }


def test_pixels(frames):
    root, arrays = frames
    said = measure(root)
    check_pixels(said, *pooled(arrays))
    assert (said["frames"], said["failed"], said["nan"], said["undefined"]) == (6, [], 0, {})
    assert said["ignored"] == 6 * 6 * WIDTH
    assert "fpr_at_tpr" not in said and "siou_gt" not in said and "per_image" not in said


@pytest.mark.parametrize("track", LIMITS)
@pytest.mark.parametrize("threshold", [None, 0.8125])
def test_components(frames, track, threshold):
    root, arrays = frames
    options = [] if threshold is None else ["--threshold", threshold]
    said = measure(root, "--components", track, *options)
    used = said["best_f1_threshold"] if threshold is None else threshold
    assert (said["threshold"], said["track"]) == (used, track)
    expected = component_figures(arrays, used, track)
    assert expected["objects"] > 5
    assert {key: said[key] for key in expected} == pytest.approx(expected, abs=1e-12)
    check_pixels(said, *pooled(arrays))


def test_another_tpr(frames):
    root, arrays = frames
    said = measure(root, "--tpr", 0.8)
    scores, truth = pooled(arrays)
    fpr, threshold = fpr_at(0.8, truth, scores)
    assert said["fpr_at_tpr"] == pytest.approx({"tpr": 0.8, "fpr": fpr, "threshold": below(threshold)})
    check_pixels(said, scores, truth)


def test_per_image(frames):
    root, arrays = frames
    save_png(root / "labels/empty.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    np.save(root / "scores/empty.npy", np.zeros((HEIGHT, WIDTH), np.float32))
    each = [pooled({name: frame}) for name, frame in arrays.items()]
    assert measure(root, "--per-image")["per_image"] == pytest.approx({
        "images": 6,
        "undefined_images": 1,
        "ap": np.mean([average_precision_score(t, s) for s, t in each]),
        "auroc": np.mean([roc_auc_score(t, s) for s, t in each]),
        "fpr95": np.mean([fpr_at(0.95, t, s)[0] for s, t in each]),
    }, abs=1e-12)


def test_by_distance(frames):
    root, arrays = frames
    metres = np.linspace(0, 51, WIDTH)[None].repeat(HEIGHT, 0)
    stored = np.round(metres * 256).astype(np.uint16)
    for name in arrays:
        save_png(root / f"depth/{name}.png", stored)
    said = measure(root, "--depth", root / "depth")
    check_pixels(said, *pooled(arrays))
    assert [(at["from_m"], at["to_m"]) for at in said["by_distance"]] == DEPTH_BINS
    for at, (low, high) in zip(said["by_distance"], DEPTH_BINS):
        inside = (stored >= low * 256) & (stored < high * 256)
        scores, truth = pooled({n: (s, np.where(inside, t, 255)) for n, (s, t) in arrays.items()})
        assert (at["positives"], at["negatives"]) == ((truth == 1).sum(), (truth == 0).sum())
        assert at["ap"] == pytest.approx(average_precision_score(truth, scores), abs=1e-9)
        assert at["fpr95"] == pytest.approx(fpr_at(0.95, truth, scores)[0], abs=1e-9)

    save_png(root / f"depth/frame_0.png", stored.astype(np.uint8))
    said = measure(root, "--depth", root / "depth", code=1)
    assert "frame_0.png has 8 bits a pixel, but a depth map has 16" in said["failed"][0]["error"]


WRITERS = {
    "npy": lambda path, a: np.save(path.with_suffix(".npy"), a),
    "npy, f16": lambda path, a: np.save(path.with_suffix(".npy"), a.astype("f2")),
    "npy, f64, big-endian": lambda path, a: np.save(path.with_suffix(".npy"), a.astype(">f8")),
    "npy, by columns": lambda path, a: np.save(path.with_suffix(".npy"), np.asfortranarray(a)),
    "npy, [1, h, w]": lambda path, a: np.save(path.with_suffix(".npy"), a[None]),
    "npy, [h, w, 1], by columns": lambda path, a: np.save(path.with_suffix(".npy"), np.asfortranarray(a[..., None])),
    "hdf5": lambda path, a: save_hdf5(path.with_suffix(".hdf5"), a),
    "hdf5, f16": lambda path, a: save_hdf5(path.with_suffix(".hdf5"), a.astype("f2")),
    "hdf5, f16, chunked and compressed": lambda path, a: save_hdf5(
        path.with_suffix(".h5"), a.astype("f2"), chunks=(7, 50), compression="gzip", shuffle=True
    ),
    "hdf5, f64, big-endian": lambda path, a: save_hdf5(path.with_suffix(".h5"), a.astype(">f8")),
    "hdf5, f16, big-endian, [1, h, w]": lambda path, a: save_hdf5(path.with_suffix(".h5"), a.astype(">f2")[None]),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_says_the_same(frames, tmp_path, kind):
    root, arrays = frames
    expected = measure(root, "--components", "obstacle-track")
    other = tmp_path / "other"
    (other / "scores").mkdir(parents=True)
    (other / "labels").symlink_to(root / "labels")
    for name, (scores, _) in arrays.items():
        WRITERS[kind](other / "scores" / name, scores)
    assert measure(other, "--components", "obstacle-track") == expected


def test_scores_as_pictures(frames, tmp_path):
    root, arrays = frames
    other = tmp_path / "other"
    (other / "labels").parent.mkdir()
    (other / "labels").symlink_to(root / "labels")
    levels = {}
    for i, (name, (scores, truth)) in enumerate(arrays.items()):
        kind = np.uint16 if i % 2 else np.uint8
        levels[name] = (np.clip((scores + 2) * 32, 0, 255).astype(kind), truth)
        save_png(other / f"scores/{name}.png", levels[name][0])
    check_pixels(measure(other), *pooled(levels))


def test_names_as_the_benchmarks_have_them(frames, tmp_path):
    root, arrays = frames
    other = tmp_path / "smiyc"
    for name, (scores, truth) in arrays.items():
        save_hdf5(other / f"scores/method/RoadAnomaly21-test/{name}.hdf5", scores.astype("f2"))
        save_png(other / f"labels/{name}_labels_semantic.png", truth)
        save_png(other / f"labels/{name}_labels_semantic_color.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert measure(other) == measure(root)


def test_nan_is_the_most_anomalous(frames):
    root, arrays = frames
    scores, truth = arrays["frame_0"]
    scores[10:14, 20:40] = np.nan
    np.save(root / "scores/frame_0.npy", scores)
    said = measure(root, "--components", "obstacle-track", "--threshold", 2.5)
    assert said["nan"] == (np.isnan(scores) & (truth != 255)).sum() > 0
    expected = component_figures(arrays, 2.5, "obstacle-track")
    assert {key: said[key] for key in expected} == pytest.approx(expected, abs=1e-12)
    scores[np.isnan(scores)] = 1e6
    check_pixels(said, *pooled(arrays))


def test_what_is_undefined_is_null_and_says_why(tmp_path):
    scores = np.linspace(0, 1, WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH)
    (tmp_path / "scores").mkdir()
    np.save(tmp_path / "scores/a.npy", scores)
    figures = ["ap", "auroc", "fpr95", "best_f1", "best_f1_threshold"]
    for value, reason in [(0, "is an anomaly"), (1, "is an inlier"), (255, "no pixel is judged")]:
        save_png(tmp_path / "labels/a.png", np.full((HEIGHT, WIDTH), value, np.uint8))
        said = measure(tmp_path)
        for key in figures:
            assert said[key] is None and reason in said["undefined"][key]
        said = measure(tmp_path, "--components", "anomaly-track")
        for key in ["threshold", "siou_gt", "ppv", "f1_star", "tp", "fn", "fp"]:
            assert said[key] is None and said["undefined"][key]
    save_png(tmp_path / "labels/a.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    said = measure(tmp_path, "--components", "anomaly-track", "--threshold", 0.5)
    assert (said["siou_gt"], said["f1_star"], said["ppv"]) == (None, None, 0)
    assert (said["tp"], said["fn"], said["fp"]) == (0, 0, 1)
    assert "no object" in said["undefined"]["f1_star"] and "ppv" not in said["undefined"]
    said = measure(tmp_path, "--components", "anomaly-track", "--threshold", 5)
    assert said["ppv"] is None and "no prediction" in said["undefined"]["ppv"]
    done = run("--scores", tmp_path / "scores", "--labels", tmp_path / "labels")
    assert done.returncode == 0
    assert "undefined, as no judged pixel is an anomaly: ap, auroc, best_f1" in done.stdout


def test_the_table(frames):
    root, _ = frames
    said = measure(root, "--components", "obstacle-track")
    options = ["--components", "obstacle-track", "--json", root / "out.json"]
    done = run("--scores", root / "scores", "--labels", root / "labels", *options)
    assert done.returncode == 0, done.stderr
    for key in ["ap", "auroc", "fpr95", "best_f1", "siou_gt", "ppv", "f1_star"]:
        assert f"{said[key] * 100:.2f} %" in done.stdout, done.stdout
    assert done.stdout.count(f"scores over {np.float32(said['threshold'])!s}\n") == 2, done.stdout
    assert json.loads((root / "out.json").read_text()) == said


@pytest.mark.parametrize("options", [
    [], ["--components", "obstacle-track", "--threshold", 0.75, "--per-image"], ["--histogram", 4096], ["depth"],
])
def test_parts_make_the_whole(frames, tmp_path, options):
    root, arrays = frames
    np.save(root / "scores/frame_5.npy", np.zeros((3, 3)))  # fails, and is told of in the end
    if options == ["depth"]:
        for name in arrays:
            save_png(root / f"depth/{name}.png", np.arange(WIDTH * HEIGHT, dtype=np.uint16).reshape(HEIGHT, WIDTH))
        options = ["--depth", root / "depth"]
    whole = measure(root, *options, code=1)
    assert "is 120x80, but the scores" in whole["failed"].pop()["error"]
    names = sorted(arrays)
    for part, those in enumerate([names[4:], names[:1], names[1:4]]):
        for kind in ["scores", "labels", "depth"]:
            for file in (root / kind).glob("*"):
                if file.stem in those:
                    target = tmp_path / f"part{part}/{kind}/{file.name}"
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.symlink_to(file)
        here = [o if o != root / "depth" else tmp_path / f"part{part}/depth" for o in options]
        measure(tmp_path / f"part{part}", *here, "--partial", tmp_path / f"{part}.json", code=int(part == 0))
    parts = [tmp_path / f"{part}.json" for part in range(3)]

    def check_merged(*parts):
        done = run("--json", "--merge", *parts)
        assert done.returncode == 1, done.stderr
        merged = json.loads(done.stdout)
        assert [f["input"] for f in merged["failed"]] == ["frame_5"]
        assert {**merged, "failed": []} == whole

    check_merged(*parts)
    # Parts of parts, in another order.
    run("--merge", parts[2], parts[0], "--partial", tmp_path / "some.json")
    check_merged(tmp_path / "some.json", parts[1])


def test_parts_that_do_not_belong_together(frames, tmp_path):
    root, _ = frames
    part, other = tmp_path / "a.json", tmp_path / "b.json"
    measure(root, "--partial", part)
    measure(root, "--per-image", "--partial", other)
    refused("b.json was made with --per-image, the others with no options", "--merge", part, other)
    refused("holds the frame frame_0, which was there already", "--merge", part, part)
    refused("cannot read", "--merge", tmp_path / "c.json")
    refused("cannot read scores from", "--merge", part.rename(tmp_path / "moved.json"))
    (tmp_path / "d.json").write_text("{}")
    refused("d.json is no partial result of this version", "--merge", tmp_path / "d.json")
    measure(root, "--partial", part)
    (tmp_path / "e.json").write_text(part.read_text().replace('"ignored": ', '"ignored": 1'))
    refused("e.json is damaged: its text does not make the SHA-256", "--merge", tmp_path / "e.json")
    theirs = digest(tmp_path / "b.json.scores")
    np.save(root / "scores/frame_0.npy", -np.load(root / "scores/frame_0.npy"))
    measure(root, "--partial", other)
    (tmp_path / "a.json.scores").rename(tmp_path / "b.json.scores")
    words = f"b.json.scores has the SHA-256 {theirs}, but {other} belongs with "
    assert json.loads(other.read_text())["scores_sha256"] in refused(words, "--merge", other)
    measure(root, "--histogram", 64, "--partial", part)
    assert json.loads(part.read_text())["scores_sha256"] == digest(tmp_path / "a.json.scores")
    assert not list(tmp_path.glob("*.new"))
    whole = (tmp_path / "a.json.scores").read_bytes()
    (tmp_path / "a.json.scores").write_bytes(whole[:-9])
    refused("cut off", "--merge", part)
    files = ["--scores", root / "scores", "--labels", root / "labels"]
    refused("folder is not there", *files, "--partial", tmp_path / "no/such.json")
    refused("the best pixel F1 of a part", *files, "--components", "anomaly-track", "--partial", part)
    refused("cannot be used with", *files, "--merge", part)


@pytest.mark.parametrize("bins", [2, 300, 65536])
def test_the_quick_mode_says_how_far_off_it_can_be(frames, bins):
    root, _ = frames
    exact, quick = measure(root), measure(root, "--histogram", bins)
    assert quick["histogram"]["bins"] == bins
    for key in ["ap", "auroc", "fpr95", "best_f1"]:
        low, high = quick["histogram"][key]
        assert low <= exact[key] <= high and low <= quick[key] <= high, key
    done = run("--scores", root / "scores", "--labels", root / "labels", "--histogram", bins)
    assert "exactly between" in done.stdout


def test_frames_that_cannot_be_judged_are_named_and_the_rest_is_done(frames):
    root, arrays = frames

    def fails(name, words):
        done = run("--scores", root / "scores", "--labels", root / "labels", "--json")
        assert done.returncode == 1, done.stderr
        said = json.loads(done.stdout)
        assert said["frames"] == 5
        assert [f["input"] for f in said["failed"]] == [name]
        assert words in said["failed"][0]["error"] and f"failed: " in done.stderr and words in done.stderr
        check_pixels(said, *pooled({n: frame for n, frame in arrays.items() if n != name}))
        return done.stderr

    scores, labels = root / "scores/frame_2.npy", root / "labels/frame_2.png"
    whole, (values, truth) = scores.read_bytes(), arrays["frame_2"]
    scores.write_bytes(whole[:-10])
    fails("frame_2", f"its header promises {4 * WIDTH * HEIGHT} bytes of values, {4 * WIDTH * HEIGHT - 10} follow")
    scores.write_bytes(b"nothing")
    fails("frame_2", "frame_2.npy cannot be read as npy")
    np.save(scores, values.astype(complex))
    fails("frame_2", "frame_2.npy holds '<c16', but scores are floats")
    np.save(scores, np.stack([values] * 2))
    fails("frame_2", f"has the shape [2, {HEIGHT}, {WIDTH}], but scores are [height, width]")
    np.save(scores, values.T)
    fails("frame_2", f"frame_2.png is {WIDTH}x{HEIGHT}, but the scores of that frame, ")
    scores.write_bytes(whole)

    for value, hint in [(7, "255 (ignored)"), (2, "if 2 is what these labels ignore, give --ignore 2")]:
        wrong = truth.copy()
        wrong[3, 3] = value
        save_png(labels, wrong)
        fails("frame_2", f"frame_2.png has the value {value}, but labels are 0")
        assert hint in fails("frame_2", "has the value")
    save_png(labels, np.stack([truth] * 3, -1))
    fails("frame_2", "frame_2.png holds colour of 8 bits")
    save_png(labels, truth)
    labels.write_bytes(labels.read_bytes()[:60])
    fails("frame_2", "frame_2.png")
    save_png(labels, truth)

    scores.unlink()
    broken = root / "scores/frame_2.hdf5"
    with h5py.File(broken, "w") as file:
        file["scores"] = values
    assert "HDF5-DIAG" not in fails("frame_2", "has no dataset value, but scores: the scores are looked for")
    save_hdf5(broken, values, compression="lzf")
    assert "HDF5-DIAG" not in fails("frame_2", "filter 'lzf' is not registered; write it with gzip")
    broken.write_bytes(b"nothing")
    assert "HDF5-DIAG" not in fails("frame_2", "frame_2.hdf5 cannot be read as hdf5: file signature not found")


def test_older_labels_ignore_by_two(frames):
    root, arrays = frames
    expected = measure(root)
    for name, (_, truth) in arrays.items():
        save_png(root / f"labels/{name}.png", np.where(truth == 255, 2, truth).astype(np.uint8))
    assert measure(root, "--ignore", 2) == expected
    save_png(root / "labels/frame_0.png", arrays["frame_0"][1])
    said = measure(root, "--ignore", 2, code=1)
    assert "has the value 255" in said["failed"][0]["error"]


def test_too_many_failures_end_it(frames):
    root, _ = frames
    for i in range(3):
        (root / f"scores/frame_{i}.npy").write_bytes(b"nothing")
    files = ["--scores", root / "scores", "--labels", root / "labels"]
    assert measure(root, "--max-failures", 3, code=1)["frames"] == 3
    done = refused("3 frames failed, more than --max-failures 2", *files, "--max-failures", 2, code=1)
    assert "frame_0.npy" in done


def test_what_cannot_be_asked_for(frames, tmp_path):
    root, _ = frames
    files = ["--scores", root / "scores", "--labels", root / "labels"]
    (root / "scores/frame_0.npy").rename(root / "frame_0.npy")
    refused("there are no scores for frame_0", *files)
    (root / "frame_0.npy").rename(root / "scores/other.npy")
    refused("there are no scores for frame_0; no labels for other", *files)
    (root / "scores/other.npy").rename(root / "scores/frame_0.npy")
    for i in range(7):
        np.save(root / f"scores/more_{i}.npy", np.zeros((2, 2)))
    refused("there are no labels for more_0, more_1, more_2, more_3, more_4 and 2 more", *files)
    (tmp_path / "empty").mkdir()
    refused("no score files in", "--scores", tmp_path / "empty", "--labels", root / "labels")
    refused("cannot open", "--scores", tmp_path / "missing", "--labels", root / "labels")
    refused("required", "--scores", root / "scores")
    refused("--tpr", *files, "--tpr", 95)
    refused("--threshold", *files, "--threshold", 1)
    refused("finite", *files, "--components", "anomaly-track", "--threshold", "nan")
    refused("--histogram", *files, "--histogram", 1)
