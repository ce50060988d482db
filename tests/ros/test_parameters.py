"""Parameters as ROS 2's own tools see them: `ros2 param list`, `describe`, `get`, `set`."""

import pytest
import yaml
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterValue
from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters, SetParameters
from rclpy.parameter import Parameter, parameter_value_to_python

from fake import start_fake
from program import ROOT


def flat(tree, prefix=""):
    """{a: {b: 1}} as {a.b: 1}."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


SHIPPED = dict(
    flat(yaml.safe_load((ROOT / "config" / "open_set.param.yaml").read_text())["/**"]["ros__parameters"])
)


@pytest.fixture(scope="module")
def peer(start_shared):
    return start_fake(start_shared, {"stale_after_s": 2.5})


def call(peer, kind, service, **request):
    client = peer.ros.create_client(kind, f"{peer.program.name}/{service}")
    peer.until(client.service_is_ready, f"offering {service}")
    future = client.call_async(kind.Request(**request))
    return peer.until(lambda: future.done() and future.result(), f"answering {service}")


def test_all_are_listed_and_described(peer):
    names = set(call(peer, ListParameters, "list_parameters").result.names)
    assert SHIPPED.keys() <= names
    described = call(peer, DescribeParameters, "describe_parameters", names=list(SHIPPED)).descriptors
    assert [d.name for d in described] == list(SHIPPED)
    assert all(d.description for d in described), [d.name for d in described if not d.description]


def test_values_are_the_shipped_defaults_and_what_was_set(peer):
    expected = SHIPPED | {"stale_after_s": 2.5, "camera_topic": peer.program.camera_topic}
    values = call(peer, GetParameters, "get_parameters", names=list(expected)).values
    got = dict(zip(expected, map(parameter_value_to_python, values)))
    nan = "threshold_override"
    assert got.pop(nan) != expected.pop(nan), "NaN is no number, not even itself"
    assert got == expected


def test_none_can_be_changed_while_it_runs(peer):
    value = Parameter("stale_after_s", value=9.0).get_parameter_value()
    wanted = {"stale_after_s": value, "nonsense": ParameterValue()}
    request = [ParameterMessage(name=n, value=v) for n, v in wanted.items()]
    results = call(peer, SetParameters, "set_parameters", parameters=request).results
    assert [r.successful for r in results] == [False, False]
    assert "restart" in results[0].reason
    (kept,) = call(peer, GetParameters, "get_parameters", names=["stale_after_s"]).values
    assert parameter_value_to_python(kept) == 2.5
