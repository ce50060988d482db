"""Parameters as ROS 2's own tools see them: `ros2 param list`, `describe`, `get`, `set`."""

import pytest
import yaml
from rcl_interfaces.srv import DescribeParameters, GetParameters, GetParameterTypes, ListParameters
from rclpy.parameter import parameter_value_to_python

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


def test_all_are_listed_and_described(peer):
    names = set(peer.call(ListParameters, "list_parameters").result.names)
    assert SHIPPED.keys() <= names
    described = peer.call(DescribeParameters, "describe_parameters", names=list(SHIPPED)).descriptors
    assert [d.name for d in described] == list(SHIPPED)
    assert all(d.description for d in described), [d.name for d in described if not d.description]


def test_values_are_the_shipped_defaults_and_what_was_set(peer):
    expected = SHIPPED | {"stale_after_s": 2.5, "camera_topic": peer.program.camera_topic}
    values = peer.call(GetParameters, "get_parameters", names=list(expected)).values
    got = dict(zip(expected, map(parameter_value_to_python, values)))
    nan = "threshold_override"
    assert got.pop(nan) != expected.pop(nan), "NaN is no number, not even itself"
    assert got == expected


def test_a_name_that_is_none_has_no_type(peer):
    types = peer.call(GetParameterTypes, "get_parameter_types", names=["score", "nonsense", "threads"]).types
    assert list(types) == [4, 0, 2]


def test_groups_are_listed_by_prefix(peer):
    result = peer.call(ListParameters, "list_parameters", prefixes=["image"]).result
    assert set(result.names) == {n for n in SHIPPED if n.startswith("image.")}
    assert result.prefixes == ["image"]
