"""`open-set-train` from outside: drawn scenes to a model that the desk tool judges, and a run that stops and resumes."""

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

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
    told = train("run", SMOKE, "--data", data, "--out", out / "run")
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
    entries.pop("__metadata__")
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
    train("run", settings, "--data", data, "--out", tmp_path / "whole")

    command = ["run", settings, "--data", data, "--out", tmp_path / "parts"]
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
        done = train("run", tmp_path / "wrong.yaml", "--data", folder, "--out", tmp_path / "run", code=2)
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

    other = short(tmp_path, closed_set=10, open_set=10)
    train("run", other, "--data", data, "--out", tmp_path / "run")
    other.write_text(other.read_text().replace("width: 16", "width: 24"))
    done = train("run", other, "--data", data, "--out", tmp_path / "run", "--resume", code=2)
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
    done = train("run", short(tmp_path, closed_set=10, open_set=10), "--data", folder, "--out", tmp_path / "run", code=2)
    assert spoilt.name in done.stderr and "77" in done.stderr
