"""What is wrong is said at the start: exit code 2, a message that names both sides, and no panic."""

import signal

import numpy as np
import onnxruntime
import pytest

from images import pixels, rgb8
from models import CLOSED_SET, OPEN_SET, closed_set, tiny
from pictures import flat
from program import MODEL, ROOT, Program

# With a model that is well, so that the parameter under test is the only thing wrong.
SMALL = {"model": str(MODEL), "input_size": "64x48", "threshold_override": 0.0}


def refuse(folder, parameters, words, **more):
    """The program ends with 2 and a message holding all the words."""
    with Program(folder, parameters, **more) as program:
        code, said = program.ended(), program.stderr
    missing = [w for w in words if w not in said]
    assert (code, missing) == (2, []), f"exit code {code}, without {missing}:\n{said}"


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"treshold_override": 0.5}, ["parameter treshold_override is not known", "threshold_override"]),
        ({"publish.depth": True}, ["publish", "depth", "publish.labels_compressed"]),
        ({"threads": "many"}, ["parameter threads is", "many", "integer"]),
        ({"model": 5}, ["parameter model is integer 5", "string"]),
        ({"publish.anomaly": 1.5}, ["parameter publish.anomaly is", "1.5", "boolean"]),
        ({"providers": "cpu"}, ["parameter providers is", "\"cpu\"", "string array"]),
        ({"providers": ["cpu", "cuda"]}, ["parameter providers is", "cpu last"]),
        ({"providers": ["npu"]}, ["providers", "npu", "cpu, cuda, tensorrt"]),
        ({"providers": ["cpu", "cpu"]}, ["providers", "each once"]),
        ({"threads": -2}, ["threads", "-2", "1024"]),
        ({"latency_budget_ms": -1.0}, ["latency_budget_ms", "-1", "60000"]),
        ({"over_budget": "late"}, ["over_budget", "late", "drop, flag"]),
        ({"latency_budget_ms": 50.0, "publish.frame_status": False}, ["publish.frame_status", "latency_budget_ms"]),
        ({"on_fault": "panic"}, ["on_fault", "panic", "silent, all_unknown"]),
        ({"on_stuck": "wait"}, ["on_stuck", "wait", "exit, all_unknown"]),
        ({"hysteresis.delta": -0.5}, ["hysteresis.delta", "-0.5"]),
        ({"hysteresis.frames": 0}, ["hysteresis.frames", "1 to 100"]),
        ({"realtime.priority": 100}, ["realtime.priority", "100", "0 (none) to 99"]),
        ({"realtime.cpus": "some", "threads": 1}, ["realtime.cpus", "some", "2,4-7"]),
        ({"realtime.cpus": "0"}, ["threads", "realtime.cpus is set"]),
        ({"bad_stamps": "now"}, ["bad_stamps", "now", "arrival, drop"]),
        ({"stale_after_s": 0.0}, ["stale_after_s", "0.01 to 3600"]),
        ({"heatmap_range": 1e6}, ["heatmap_range", "1000000", "0.001 to 1000"]),
        ({"input_size": "64 by 48"}, ["input_size", "64 by 48", "480x360"]),
        ({"input_size": "auto"}, ["input_size is auto", "latency_budget_ms"]),
        ({"region": "1,2,3"}, ["region", "1,2,3", "x,y,width,height"]),
        ({"fit": "squash"}, ["fit", "squash", "stretch, letterbox, crop"]),
        ({"score": "guess"}, ["score", "guess", "hybrid"]),
        ({"temperature": 0.0}, ["temperature is 0", "0.001 to 1000"]),
        ({"output_size": "half"}, ["output_size", "half", "camera, network"]),
        ({"camera_topic": ""}, ["camera_topic is \"\"", "a topic's name"]),
        ({"camera_topic": "front camera!"}, ["camera_topic", "front camera!"]),
        ({"threads": [1, 2]}, ["parameter threads is integer array"]),
        ({"mask": "/nowhere/ego.png"}, ["/nowhere/ego.png"]),
        ({"onnxruntime": "/nowhere/libonnxruntime.so"}, ["onnxruntime", "/nowhere/libonnxruntime.so"]),
    ],
    ids=lambda v: "-".join(v) if isinstance(v, dict) else "",  # the parameter's name
)
def test_a_wrong_parameter(tmp_path, wrong, words):
    refuse(tmp_path, SMALL | wrong, words)


def test_an_infinite_threshold(tmp_path):
    more = ["-p", "threshold_override:=.inf"]
    parameters = {k: v for k, v in SMALL.items() if k != "threshold_override"}
    refuse(tmp_path, parameters, ["threshold_override", "finite"], more=more)


def test_a_size_nobody_calibrated(tmp_path):
    parameters = {"model": str(MODEL), "input_size": "64x48"}
    refuse(tmp_path, parameters, ["64x48", "hybrid at 480x360", "threshold_override"])


@pytest.mark.parametrize(
    "arguments",
    [
        "-p model:=",
        "-p threads",
        "-r labels",
        "-r __node:=open-set",
        "--log-level loud",
        "--params-file /nowhere.yaml",
    ],
)
def test_what_ros_itself_does_not_read(tmp_path, arguments):
    refuse(tmp_path, SMALL, [arguments], more=arguments.split())


def test_a_misspelt_key_in_a_parameter_file(tmp_path):
    path = tmp_path / "node.yaml"
    path.write_text("/**:\n  ros__parameters:\n    publish:\n      anomalies: true\n")
    refuse(tmp_path, SMALL, ["anomalies", "publish.anomaly"], more=["--params-file", str(path)])


def test_a_provider_that_is_not_there(tmp_path):
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA: nothing is missing")
    refuse(tmp_path, SMALL | {"providers": ["cuda", "cpu"]}, ["cuda", "not available"])


def cut_off(manifest, path):
    path.write_bytes(path.read_bytes()[:-40])


def replaced(manifest, path):
    manifest["sha256"] = "0" * 64


def gone(manifest, path):
    cut_off(manifest, path)
    manifest |= {"file": "elsewhere.onnx"}


def other_output(manifest, path):
    manifest["outputs"]["dataset_logits"] = "ood"


def other_input(manifest, path):
    manifest["input"]["name"] = "pixels"


def other_stride(manifest, path):
    manifest["input_sizes"][0]["stride"] = 8


def misspelt(manifest, path):
    manifest["calibration"] = []


@pytest.mark.parametrize(
    "heads, classes, edit, words",
    [
        (OPEN_SET, 2, cut_off, ["does not load", "tiny.yaml"]),
        (OPEN_SET, 2, replaced, ["tiny.onnx", "sha256", "0" * 64]),
        (OPEN_SET, 2, gone, ["cannot read", "elsewhere.onnx"]),
        (OPEN_SET, 2, other_output, ['"ood"', "dataset_logits"]),
        (OPEN_SET, 2, other_input, ['"pixels"', "image"]),
        (OPEN_SET, 2, other_stride, ["64x48", "16x12", "stride 8", "8x6"]),
        (OPEN_SET, 2, misspelt, ["calibration", "calibrations", "tiny.yaml"]),
        (OPEN_SET, 5, None, ["2", "5", "classes"]),
        (OPEN_SET, 1, None, ["1 classes", "2 to 254"]),
        ({"logits": 2, "dataset_logits": 3}, 2, None, ["dataset_logits", "3 channels", "1 or 2"]),
        (CLOSED_SET, 2, None, ["dataset_logits", "logits"]),
        (CLOSED_SET, 2, closed_set, ["score hybrid", "dataset_logits", "generative"]),
    ],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_a_wrong_model(tmp_path, heads, classes, edit, words):
    manifest = tiny(tmp_path, heads=heads, classes=classes, edit=edit)
    refuse(tmp_path, {"model": str(manifest), "threshold_override": 0.0}, words)


def test_no_model(tmp_path):
    refuse(tmp_path, {"model": "/nowhere/m.yaml"}, ["cannot read manifest", "/nowhere/m.yaml"])


def test_a_closed_set_model_runs_with_a_generative_score(start, tmp_path):
    """And by the way the smallest model there can be: logits are the mean red and the mean green."""
    manifest = tiny(tmp_path, heads=CLOSED_SET, edit=closed_set)
    # s_G = -ln(e^r + e^g): -1.31 for pure red or green; -0.69 for blue, which is above the threshold.
    peer = start({"model": str(manifest), "score": "generative", "threshold_override": -1.0})
    colours = {(255, 0, 0): 0, (0, 255, 0): 1, (0, 0, 255): 2}
    for colour, label in colours.items():
        labels, anomaly = peer.answer(rgb8(flat(64, 48, colour)), "labels", "anomaly")
        r, g, _ = np.array(colour) / 255
        assert (pixels(labels) == label).all()
        assert pixels(anomaly) == pytest.approx(-np.logaddexp(r, g), abs=1e-5)


def test_a_parameter_file_as_launched(start):
    """The shipped one, read the way ROS reads it, with the camera set over it."""
    peer = start(more=["--params-file", str(ROOT / "config" / "open_set.param.yaml")])
    peer.answer(rgb8(flat(64, 48, (90, 90, 90))), "labels")


def test_ended_while_it_starts(tmp_path):
    """A launch file that is stopped at once leaves no panic and no process behind."""
    with Program(tmp_path, {"model": str(MODEL)}) as program:
        program.process.send_signal(signal.SIGTERM)
        # Before the handler stands, the signal does what it does by itself.
        assert program.ended() in (0, -signal.SIGTERM)
