"""`open-set-train` from outside: drawn scenes to a model that the desk tool judges, and a run that stops and resumes."""

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tiny import BIN, RUNTIME

CHECKOUT = Path(__file__).resolve().parents[2]
SMOKE = CHECKOUT / "config/train/smoke.yaml"
TRAINER = BIN / "open-set-train"


def train(*arguments, code=0):
    done = subprocess.run([str(word) for word in [TRAINER, *arguments]], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    train("scenes", "--out", folder / "train", "--count", 48, "--seed", 1)
    train("scenes", "--out", folder / "val", "--count", 12, "--seed", 2)
    return folder


@pytest.fixture(scope="module")
def smoke(data, tmp_path_factory):
    """The whole of config/train/smoke.yaml."""
    out = tmp_path_factory.mktemp("smoke")
    told = train("run", SMOKE, "--data", data, "--run", out / "run")
    return out, told


def short(tmp_path, **phases):
    """The smoke settings with fewer steps, and a checkpoint after every one."""
    text = SMOKE.read_text()
    for name, steps in phases.items():
        text, changed = re.subn(rf"(- name: {name.replace('_', '-')}\n  steps:) \d+", rf"\1 {steps}", text)
        assert changed == 1
    text, changed = re.subn(r"checkpoint_every: \d+", "checkpoint_every: 1", text)
    assert changed == 1
    (tmp_path / "short.yaml").write_text(text)
    return tmp_path / "short.yaml"


def log(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def tensors(checkpoint):
    """Of a safetensors file: each tensor's type, shape and bytes."""
    whole = checkpoint.read_bytes()
    begin = 8 + int.from_bytes(whole[:8], "little")
    entries = json.loads(whole[8:begin])
    entries.pop("__metadata__", None)
    return {name: (e["dtype"], e["shape"], whole[begin + e["data_offsets"][0] : begin + e["data_offsets"][1]])
            for name, e in entries.items()}


def test_loss_falls_and_anomalies_are_found(smoke):
    out, told = smoke
    lines = log(out / "run")
    classes = [line["terms"]["class"] for line in lines if line["phase"] == "closed-set" and "terms" in line]
    assert len(classes) >= 4 and classes[-1] < 0.5 * classes[0]

    found = [line for line in lines if "validation" in line]
    before, after = found[0]["validation"], found[-1]["validation"]
    assert after["closed_set"]["miou"] > 0.8
    hybrid = {judged["score"]: judged for judged in after["anomalies"]}["hybrid"]
    assert hybrid["score"] == "hybrid"
    # A ranking by chance has the share of anomalous pixels as its AP, which is about 0.05 in these scenes.
    assert hybrid["ap"] > 0.7 and before["anomalies"][0]["ap"] < hybrid["ap"] - 0.2
    assert "hybrid" in told.stdout and "mIoU" in told.stdout
    assert list((out / "run").glob("events.out.tfevents.*"))


def test_the_exported_model_is_the_checkpoint_and_the_desk_judges_it(smoke, data):
    out, _ = smoke
    picture = sorted((data / "val/images").iterdir())[0]
    told = train("export", out / "run/open-set.safetensors", "--out", out / "model/smoke", "--pictures", picture)
    parity = [float(number) for number in re.findall(r"\d\.?\d*e-\d+", told.stderr)]
    assert parity and max(parity) <= 1e-4, told.stderr

    judge = [BIN / "open-set", "evaluate", "--model", out / "model/smoke.yaml", "--dataset", "folder", "--root",
             data / "val", "--onnxruntime", RUNTIME, "--threshold", "100", "--json"]
    done = subprocess.run([str(word) for word in judge], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # The trainer judged the same weights on the same frames, through libtorch.
    own = [line["validation"] for line in log(out / "run") if "validation" in line][-1]["closed_set"]["miou"]
    assert json.loads(done.stdout)["miou"] == pytest.approx(own, abs=1e-3)


def test_a_run_stopped_by_a_signal_resumes_to_the_same_bits(data, tmp_path):
    settings = short(tmp_path, closed_set=20, open_set=20)
    train("run", settings, "--data", data, "--run", tmp_path / "whole")

    command = ["run", settings, "--data", data, "--run", tmp_path / "parts"]
    stopped = 0
    for attempt in range(3):
        resume = ["--resume"] if (tmp_path / "parts/last.safetensors").exists() else []
        child = subprocess.Popen([str(w) for w in [TRAINER, *command, *resume]], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, text=True)
        began = time.monotonic()
        before = (tmp_path / "parts/last.safetensors").stat().st_mtime_ns if resume else None
        while child.poll() is None and time.monotonic() - began < 60:
            file = tmp_path / "parts/last.safetensors"
            if attempt < 2 and file.exists() and file.stat().st_mtime_ns != before:
                child.send_signal([signal.SIGINT, signal.SIGTERM][attempt])
                break
            time.sleep(0.02)
        _, said = child.communicate(timeout=60)
        assert child.returncode == 0, said
        stopped += "stopped and saved" in said
    assert stopped == 2

    for name in ["closed-set", "open-set", "last"]:
        whole, parts = (tensors(tmp_path / run / f"{name}.safetensors") for run in ["whole", "parts"])
        assert whole.keys() == parts.keys() and len(whole) > 50
        assert [n for n in whole if whole[n] != parts[n]] == [], name


def test_what_is_wrong_is_said_before_training(data, tmp_path):
    def refused(text, *words, folder=data):
        (tmp_path / "wrong.yaml").write_text(text)
        done = train("run", tmp_path / "wrong.yaml", "--data", folder, "--run", tmp_path / "run", code=2)
        for word in words:
            assert word in done.stderr, done.stderr
        assert not (tmp_path / "run/last.safetensors").exists()

    good = SMOKE.read_text()
    refused(good.replace("seed: 7", "sede: 7"), "sede")
    refused(good.replace("folder: train,", "folder: elsewhere,"), "elsewhere")
    refused(good.replace("batch: 4", "batch: 0"), "batch")
    refused(good.replace("lr: 0.01", "lr: -1"), "lr")
    refused(good.replace("train/cutouts", "train/labels"), "train/labels")
    refused(good.replace("beta4: 0.03", "beta4: .nan"), "beta4")
    refused(good.replace("architecture: tiny", "architecture: vast"), "vast", "tiny")
    # The last phase is looked at before the first begins.
    elsewhere = "negatives: {sources: [{kind: cutouts, folder: nowhere}]}"
    refused(good.replace("negatives: *negatives", elsewhere), "nowhere")
    assert not (tmp_path / "run").exists()
    # A run that ended before its first checkpoint left these.
    (tmp_path / "run").mkdir()
    for name in ["settings.yaml", "log.jsonl"]:
        (tmp_path / "run" / name).write_text("left behind")

    other = short(tmp_path, closed_set=10, open_set=10)
    train("run", other, "--data", data, "--run", tmp_path / "run")
    other.write_text(other.read_text().replace("width: 16", "width: 24"))
    done = train("run", other, "--data", data, "--run", tmp_path / "run", "--resume", code=2)
    assert "16" in done.stderr and "24" in done.stderr


def test_a_label_beyond_the_classes_is_named(data, tmp_path):
    import numpy as np
    from PIL import Image

    folder = tmp_path / "data"
    subprocess.run(["cp", "-r", str(data), str(folder)], check=True)
    spoilt = sorted((folder / "train/labels").iterdir())[3]
    labels = np.array(Image.open(spoilt))
    labels[5, 6] = 77
    Image.fromarray(labels).save(spoilt)
    done = train("run", short(tmp_path, closed_set=10, open_set=10), "--data", folder, "--run", tmp_path / "run", code=2)
    assert spoilt.name in done.stderr and "77" in done.stderr


HEAD = """
seed: 7
classes:
- {name: sky, color: [70, 130, 180]}
- {name: house, color: [70, 70, 70]}
- {name: grass, color: [107, 142, 35]}
model:
  mean: [0.485, 0.456, 0.406]
  std: [0.229, 0.224, 0.225]
data: {dataset: folder, folder: train, workers: 1}
phases:
- name: head
  steps: 30
  batch: 4
  objective: {kind: OBJECTIVE}
  negatives:
    sources: [{kind: cutouts, folder: train/cutouts}]
    paste: {objects: [1, 2], scale: [0.2, 0.6]}
  augmentation: {crop: 96, scale: [0.8, 1.25]}
  optimizer: {kind: adamw, lr: 0.01, weight_decay: 0.01}
  schedule: {kind: constant}
threads: 1
log_every: 10
export:
  input_sizes: [[160, 120]]
  training: {network: from outside, data: drawn scenes, licence: none needed}
"""
OUTSIDE = CHECKOUT / "tests/golden/train"


@pytest.fixture
def three(data, tmp_path):
    """The scenes with what is beyond the outside models' three classes void, and settings of a head."""
    import numpy as np
    from PIL import Image

    folder = tmp_path / "data"
    subprocess.run(["cp", "-r", str(data), str(folder)], check=True)
    for file in folder.glob("*/labels/*.png"):
        labels = np.array(Image.open(file))
        Image.fromarray(np.where(labels > 2, 255, labels).astype(np.uint8)).save(file)
    (tmp_path / "head.yaml").write_text(HEAD.replace("OBJECTIVE", "dataset-head"))
    return folder


def test_a_head_on_an_onnx_from_outside(three, tmp_path):
    import numpy as np
    import onnxruntime

    out = tmp_path / "model/headed"
    train("attach-head", tmp_path / "head.yaml", "--model", OUTSIDE / "outside.onnx", "--stride", 4, "--data", three,
          "--run", tmp_path / "run", "--out", out)
    losses = [line["loss"] for line in log(tmp_path / "run") if "loss" in line]
    assert losses[-1] < losses[0]

    image = np.random.default_rng(1).standard_normal((1, 3, 120, 160), dtype=np.float32)
    before, after = (onnxruntime.InferenceSession(str(file)) for file in [OUTSIDE / "outside.onnx", f"{out}.onnx"])
    name = before.get_inputs()[0].name
    was = before.run(["pre_logits", "logits"], {name: image})
    now = after.run(["pre_logits", "logits", "dataset_logits"], {after.get_inputs()[0].name: image})
    assert all(np.array_equal(a, b) for a, b in zip(was, now))
    assert now[2].shape == (1, 1, 30, 40) and np.isfinite(now[2]).all()

    done = train("attach-head", tmp_path / "head.yaml", "--model", f"{out}.yaml", "--data", three, "--run",
                 tmp_path / "again", "--out", tmp_path / "twice", code=2)
    assert "dataset_logits" in done.stderr and not (tmp_path / "twice.onnx").exists()


def test_a_torchscript_module_is_trained_and_its_head_reaches_onnx(three, tmp_path):
    text = HEAD.replace("kind: OBJECTIVE", "kind: hybrid, beta1: 1, beta2: 1, beta3: 1, beta4: 0.03")
    (tmp_path / "head.yaml").write_text(text)
    out = tmp_path / "model/tuned"
    said = train("attach-head", tmp_path / "head.yaml", "--model", OUTSIDE / "script.pt", "--data", three, "--run",
                 tmp_path / "run", "--out", out)
    assert "--head" in said.stderr
    losses = [line["loss"] for line in log(tmp_path / "run") if "loss" in line]
    assert losses[-1] < losses[0]
    # The module is written as it is now, and is a module again.
    assert (tmp_path / "model/tuned.pt").read_bytes() != (OUTSIDE / "script.pt").read_bytes()
    train("attach-head", tmp_path / "head.yaml", "--model", f"{out}.pt", "--data", three, "--run", tmp_path / "more",
          "--out", tmp_path / "model/more")

    # outside.onnx stands for its export: it has as many pre-logits.
    head = tmp_path / "model/tuned.dataset_head.safetensors"
    train("attach-head", tmp_path / "head.yaml", "--model", OUTSIDE / "outside.onnx", "--stride", 4, "--head", head,
          "--out", tmp_path / "model/headed")
    import numpy as np
    import onnx

    weights = {tuple(w.dims): onnx.numpy_helper.to_array(w)
               for w in onnx.load(str(tmp_path / "model/headed.onnx")).graph.initializer}
    trained = np.frombuffer(tensors(head)["dataset_head.conv.weight"][2], np.float32)
    assert np.array_equal(weights[(1, 8, 1, 1)].ravel(), trained)

    done = train("attach-head", tmp_path / "head.yaml", "--model", OUTSIDE / "script_single.pt", "--data", three,
                 "--run", tmp_path / "single", "--out", tmp_path / "single/model", code=2)
    assert "pre_logits" in done.stderr


@pytest.fixture(scope="module")
def synthetic(data, tmp_path_factory):
    """The whole of config/train/smoke-syn.yaml: a flow, a segmenter, and both together."""
    out = tmp_path_factory.mktemp("synthetic")
    train("run", CHECKOUT / "config/train/smoke-syn.yaml", "--data", data, "--run", out)
    return out


def test_a_segmenter_learns_from_what_a_flow_makes(synthetic):
    lines = log(synthetic)
    bits = [line["terms"]["bits_per_dimension"] for line in lines if line["phase"] == "flow"]
    assert bits[-1] < bits[0] - 0.5
    joint = [line["terms"] for line in lines if line["phase"] == "open-set" and "terms" in line]
    assert {"bits_per_dimension", "jensen_shannon", "class", "dataset_out"} <= joint[-1].keys()
    assert joint[-1]["dataset_out"] < joint[0]["dataset_out"]
    found = [line["validation"] for line in lines if "validation" in line]
    hybrid = found[-1]["anomalies"][0]
    # Things that neither the segmenter nor the flow has seen; by chance the AP is about 0.05.
    assert hybrid["score"] == "hybrid" and hybrid["ap"] > 0.2 and found[-1]["closed_set"]["miou"] > 0.8


def test_the_flow_shows_and_measures_itself(synthetic, smoke, data, tmp_path):
    checkpoint = synthetic / "open-set.safetensors"
    told = train("flow", "samples", checkpoint, "--out", tmp_path / "grid.png", "--sides", 16, 32, "--count", 3)
    assert told.stdout.strip() == str(tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.size == (3 * 36 + 4, 16 + 32 + 3 * 4) and len(grid.getcolors(1 << 20)) > 100
    told = train("flow", "bpd", checkpoint, "--dataset", "folder", "--root", data / "val", "--tile", 40)
    bits = float(told.stdout.split()[0])
    assert 0 < bits < 8, told.stdout
    assert "144 tiles of 12 images" in told.stdout
    assert float(told.stdout.splitlines()[1].split("within ")[1].split()[0]) <= 1e-4, told.stdout

    one = SMOKE.read_text().replace("open-set", "other")
    (tmp_path / "plain.yaml").write_text(one)
    refused = train("flow", "pretrain", tmp_path / "plain.yaml", "--data", data, "--run", tmp_path / "no", code=2)
    assert "phase closed-set has another objective than generator" in refused.stderr
    refused = train("flow", "samples", smoke[0] / "run/open-set.safetensors", code=2)
    assert "of a run without a flow" in refused.stderr


def test_a_density_of_pre_logits_gives_scores_that_metrics_judges(synthetic, data, tmp_path):
    train("flow", "detector", synthetic / "open-set.safetensors", "--data", data, "--images", data / "val/images",
          "--out", tmp_path, "--steps", 30, "--modules", 2)
    names = sorted(path.stem for path in (data / "val/images").iterdir())
    for kind in ["generative", "hybrid"]:
        assert sorted(path.stem for path in (tmp_path / kind).iterdir()) == names
    labels = tmp_path / "ood"
    labels.mkdir()
    for name in names:
        truth = np.asarray(Image.open(data / f"val/labels/{name}.png"))
        Image.fromarray((truth == 4).astype(np.uint8)).save(labels / f"{name}.png")
    judge = [BIN / "open-set", "metrics", "--scores", tmp_path / "hybrid", "--labels", labels, "--json"]
    done = subprocess.run([str(word) for word in judge], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 0 < json.loads(done.stdout)["ap"] <= 1
