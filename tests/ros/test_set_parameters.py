"""Parameters set while the node runs, by the standard services: what changes at once, what waits, what is refused."""

import itertools
import shutil

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterEvent, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters, SetParametersAtomically
from rclpy.parameter import Parameter, parameter_value_to_python

from fake import start_fake
from images import UNKNOWN, assert_bands, bands, fresh_header, pixels, rgb8
from peer import LATCHED, as_status
from program import MODEL


def message(name, value):
    is_message = isinstance(value, ParameterValue)
    return ParameterMessage(name=name, value=value if is_message else Parameter(name, value=value).get_parameter_value())


def put(peer, **values):
    """Sets one by one; the reasons of those that were not. `a__b` is a.b."""
    parameters = [message(name.replace("__", "."), value) for name, value in values.items()]
    results = peer.call(SetParameters, "set_parameters", parameters=parameters).results
    assert all(r.successful == (r.reason == "") for r in results)
    return [r.reason for r in results]


def get(peer, name):
    (value,) = peer.call(GetParameters, "get_parameters", names=[name]).values
    return parameter_value_to_python(value)


def change(peer, label):
    return peer.call(ChangeState, "change_state", transition=Transition(label=label)).success


def answered(peer, *topics):
    return peer.answer(rgb8(bands(), header=fresh_header()), *topics)


def test_the_threshold_changes_from_frame_to_frame(start):
    peer = start_fake(start)
    (labels,) = answered(peer, "labels")
    assert (pixels(labels) == UNKNOWN).any()
    infos = peer.hear("label_info", qos=LATCHED)
    assert put(peer, threshold_override=1e6) == [""]
    assert get(peer, "threshold_override") == 1e6
    labels, array = answered(peer, "labels", "frame_status")
    assert not (pixels(labels) == UNKNOWN).any()
    assert float(as_status(array.status[0]).values["threshold"]) == 1e6
    peer.until(lambda: infos and infos[-1].threshold == 1e6, "offering the threshold")
    told = lambda s: s.values["threshold_origin"] == "threshold_override"
    peer.until_status("inference", told, "telling where it comes from")
    # As `ros2 param set` writes a whole number.
    assert put(peer, threshold_override=-1000) == [""]
    (labels,) = answered(peer, "labels")
    assert (pixels(labels) == UNKNOWN).all()


def test_another_score_takes_its_calibration_or_is_refused(start, tmp_path):
    peer = start({"model": str(MODEL)})
    answered(peer, "labels")
    hybrid = peer.until_status("inference", lambda s: "score" in s.values, "told").values
    (reason,) = put(peer, score="entropy")
    assert "no calibration of score entropy at 480x360" in reason and "hybrid at 480x360" in reason
    (reason,) = put(peer, score="guess")
    assert "guess" in reason and "hybrid" in reason
    assert get(peer, "score") == "hybrid"
    # With a threshold of one's own it needs none; both at once, since each alone is refused or another thing.
    both = [message("score", "entropy"), message("threshold_override", 0.5)]
    result = peer.call(SetParametersAtomically, "set_parameters_atomically", parameters=both).result
    assert result.successful, result.reason
    (array,) = answered(peer, "frame_status")
    told = as_status(array.status[0]).values
    assert told["score"] == "entropy" and float(told["threshold"]) == 0.5
    (reason,) = put(peer, score="hybrid")
    assert "threshold_override 0.5 is in the unit of score entropy" in reason and ".nan" in reason
    back = [message("score", "hybrid"), message("threshold_override", float("nan"))]
    assert peer.call(SetParametersAtomically, "set_parameters_atomically", parameters=back).result.successful
    (array,) = answered(peer, "frame_status")
    assert as_status(array.status[0]).values["threshold"] == hybrid["threshold"]


def test_the_budget_and_its_policy(start):
    peer = start_fake(start, delay_ms=150)
    answered(peer, "labels")
    assert put(peer, latency_budget_ms=100.0) == [""]
    send = lambda: peer.camera.publish(rgb8(bands(), header=fresh_header()))
    late = lambda s: s.values["budget_ms"] == "100" and s.level == "ERROR"
    peer.until_status("latency", late, "over the new budget", send)
    assert put(peer, over_budget="flag") == [""]
    # Not one image again and again: sent a second time it would be too old to begin with.
    told = peer.hear("frame_status")
    array = peer.until(lambda: told and told[-1], "telling of a frame", send)
    assert as_status(array.status[0]).values["over_budget"] == "true"
    (reason,) = put(peer, publish__frame_status=False)
    assert "frame_status is where a late result says so" in reason
    assert put(peer, latency_budget_ms=0.0) == [""]
    answered(peer, "labels")


def test_outputs_come_and_go(start):
    peer = start_fake(start, {"publish.overlay": False})
    path = f"{peer.program.name}/overlay"
    answered(peer, "labels")
    assert peer.ros.count_publishers(path) == 0
    for _ in range(2):
        assert put(peer, publish__overlay=True) == [""]
        (overlay,) = answered(peer, "overlay")
        assert overlay.encoding == "bgr8"
        assert put(peer, publish__overlay=False) == [""]
        peer.until(lambda: peer.ros.count_publishers(path) == 0, "without an overlay")
        answered(peer, "labels")
        peer.heard["overlay"].clear()


def test_the_picture_s_limits(start):
    peer = start_fake(start)
    gray = lambda: peer.camera.publish(rgb8(bands() // 200 * 10, header=fresh_header()))
    black = lambda s: s.level == "WARN" and "black" in s.message
    peer.until_status("image", black, "black", gray)
    assert put(peer, image__black_share=0.0, image__blocked_share=0.0, image__frozen_after_s=0.0) == [""] * 3
    peer.until_status("image", lambda s: s.level == "OK", "well", gray)


def test_labels_are_held_from_now_on(start):
    """A gray just over the threshold, and one just below it."""
    peer = start_fake(start)
    labels = peer.hear("labels")
    shown = itertools.cycle([("over", 120), ("below", 110)])

    def send():
        name, byte = next(shown)
        peer.camera.publish(rgb8(np.full((48, 64, 3), byte, np.uint8), header=fresh_header(name)))

    below = lambda: [pixels(m) for m in labels if m.header.frame_id == "below"]
    peer.until(lambda: len(below()) > 1, "answering", send)
    assert all((found != UNKNOWN).all() for found in below())
    assert put(peer, hysteresis__delta=0.3) == [""]
    peer.until(lambda: (below()[-1] == UNKNOWN).all(), "holding what was over the threshold", send)
    assert put(peer, hysteresis__delta=0.0) == [""]
    peer.until(lambda: (below()[-1] != UNKNOWN).all(), "holding nothing", send)


@pytest.mark.parametrize(
    "name, value",
    [("model", "other.yaml"), ("camera_topic", "elsewhere"), ("mask", "ego.png"), ("region", "0,0,8,8"), ("cameras", ["a"])],
)
def test_what_is_made_anew_waits_for_the_node_to_be_inactive(start, name, value):
    peer = start_fake(start)
    answered(peer, "labels")
    before = get(peer, name)
    (reason,) = put(peer, **{name: value})
    assert f"parameter {name} can only be changed while the node is inactive" in reason and "~/change_state" in reason
    assert get(peer, name) == before
    answered(peer, "labels")


def test_another_camera_and_another_model_while_inactive(start, tmp_path):
    for file in MODEL, MODEL.with_suffix(".onnx"):
        shutil.copy(file, tmp_path)
    peer = start({"model": str(MODEL), "input_size": "64x48", "threshold_override": 0.5})
    answered(peer, "labels")
    assert change(peer, "deactivate")
    elsewhere = peer.program.namespace + "/elsewhere"
    assert put(peer, camera_topic=elsewhere, model=str(tmp_path / MODEL.name)) == ["", ""]
    assert change(peer, "activate")
    peer.program.camera_topic = elsewhere
    peer.camera = peer.ros.create_publisher(type(rgb8(bands())), elsewhere, 5)
    answered(peer, "labels")
    active = lambda s: s.message == "active"
    send = lambda: peer.camera.publish(rgb8(bands(), header=fresh_header()))
    peer.until_status("camera", active, "active on the other topic", send)
    # One that cannot be loaded is a transition that fails, as often as it is tried.
    assert change(peer, "deactivate")
    assert put(peer, model="/nowhere/m.yaml") == [""]
    assert not change(peer, "activate") and not change(peer, "activate")
    assert "/nowhere/m.yaml" in peer.program.stderr
    assert put(peer, model=str(MODEL)) == [""]
    assert change(peer, "activate")
    answered(peer, "labels")


def test_more_cameras_while_unconfigured(start):
    peer = start_fake(start, {"autostart": False})
    events = peer.hear("/parameter_events", ParameterEvent)
    (reason,) = put(peer, cameras=["front"])
    assert f"camera_topic is {peer.program.camera_topic}" in reason and "NAME.camera_topic" in reason
    assert put(peer, camera_topic="/camera/image_raw", cameras=["front"]) == ["", ""]
    own = lambda: [p.name for e in events if e.node == peer.program.name for p in e.new_parameters]
    assert "front.mask" in peer.until(own, "telling of what the camera has")
    # As `ros2 param set` writes an empty list, which has no type.
    assert put(peer, cameras=ParameterValue(type=6)) == [""]
    assert put(peer, cameras=["front"], front__camera_topic=peer.program.camera_topic) == ["", ""]
    assert change(peer, "configure") and change(peer, "activate")
    labels = peer.hear("front/labels", type(rgb8(bands())))
    send = lambda: peer.camera.publish(rgb8(bands(), header=fresh_header()))
    peer.until(lambda: labels, "answering under the camera's name", send)
    assert_bands(labels[0])


def test_what_cannot_be_is_refused_with_its_reason(start):
    peer = start_fake(start)
    answered(peer, "labels")
    wanted = {
        "treshold": (1.0, "parameter treshold is not known"),
        "stale_after_s": ("two", "parameter stale_after_s is string \"two\""),
        "threads": (2, "restart the node"),
        "temperature": (-1.0, "temperature is -1"),
        "latency_budget_ms": (-1.0, "60000"),
        "image__black_share": (2.0, "image.black_share is 2"),
        "autostart": (False, "restart the node"),
        "use_sim_time": (True, "restart the node"),
        "realtime__priority": (5, "restart the node"),
        "front__mask": ("", "camera front"),
        "score": (ParameterValue(), "nor can it be unset"),
        "overlay": ([1, 2], "no parameter of this node is of that type"),
    }
    reasons = put(peer, **{name: value for name, (value, _) in wanted.items()})
    for (name, (_, words)), reason in zip(wanted.items(), reasons):
        assert words in reason, f"{name}: {reason}"
    answered(peer, "labels")


def test_all_or_none(start):
    peer = start_fake(start)
    answered(peer, "labels")  # while it activates nothing is set
    events = peer.hear("/parameter_events", ParameterEvent)
    wanted = [message("stale_after_s", 3.0), message("latency_budget_ms", -1.0)]
    result = peer.call(SetParametersAtomically, "set_parameters_atomically", parameters=wanted).result
    assert not result.successful and "latency_budget_ms" in result.reason
    assert get(peer, "stale_after_s") == 1.0
    wanted[1] = message("latency_budget_ms", 60_000.0)
    assert peer.call(SetParametersAtomically, "set_parameters_atomically", parameters=wanted).result.successful
    assert (get(peer, "stale_after_s"), get(peer, "latency_budget_ms")) == (3.0, 60_000.0)
    own = lambda: [e for e in events if e.node == peer.program.name and e.changed_parameters]
    (event,) = peer.until(own, "telling of the change")
    assert {p.name for p in event.changed_parameters} == {"stale_after_s", "latency_budget_ms"}
