"""The launch files, checked without ROS's launch (it comes with apt only).

`fake_launch` stands in for the modules launch and launch_ros: each action and substitution just keeps
what it was made with. What the real ones make of it is theirs to test.
"""

import importlib.util
import sys
import types
from pathlib import Path

import pytest
from ruamel.yaml import YAML

CHECKOUT = Path(__file__).parents[2]
# What the node publishes that rviz's Image display can show.
PICTURES = {"labels", "labels/color", "anomaly", "anomaly/heatmap", "overlay"}
PROFILES = "FASTRTPS_DEFAULT_PROFILES_FILE"


class Kept:
    """A launch action or substitution that remembers its arguments."""

    def __init__(self, *positional, **named):
        self.positional, self.named = positional, named

    def perform(self, context):
        """A configuration's value."""
        return context[self.positional[0]]


@pytest.fixture
def fake_launch(monkeypatch):
    """Named as the real modules, with only the names our launch file imports."""
    names = {
        "launch": ["LaunchDescription"],
        "launch.actions": ["DeclareLaunchArgument", "OpaqueFunction", "SetEnvironmentVariable"],
        "launch.substitutions": ["LaunchConfiguration"],
        "launch_ros": [],
        "launch_ros.actions": ["Node"],
    }
    for module_name, classes in names.items():
        module = types.ModuleType(module_name)
        for name in classes:
            setattr(module, name, type(name, (Kept,), {}))
        monkeypatch.setitem(sys.modules, module_name, module)


SHIPPED = str(CHECKOUT / "config/open_set.param.yaml")
TYPED = {"model": "", "camera_topic": "", "cameras": "", "params_file": SHIPPED, "namespace": ""}


def described(path=CHECKOUT / "launch/open_set.launch.py", **typed):
    """The launch description's entities, and those that its functions give, by the name of their class."""
    spec = importlib.util.spec_from_file_location("open_set_launch", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    entities = {}
    for entity in module.generate_launch_description().positional[0]:
        is_function = type(entity).__name__ == "OpaqueFunction"
        for one in entity.named["function"](TYPED | typed) if is_function else [entity]:
            entities.setdefault(type(one).__name__, []).append(one)
    return entities


def test_arguments_have_descriptions_and_defaults_that_exist(fake_launch):
    arguments = {a.positional[0]: a.named for a in described()["DeclareLaunchArgument"]}
    assert all(a["description"] for a in arguments.values())
    assert {name: a["default_value"] for name, a in arguments.items()} == TYPED


def node_of(**typed):
    (node,) = (n.named for n in described(**typed)["Node"])
    return node


def test_the_node_as_it_comes(fake_launch):
    node = node_of()
    fixed = {key: node[key] for key in ("package", "executable", "name", "output")}
    assert fixed == {"package": "open_set", "executable": "open_set_node", "name": "open_set", "output": "screen"}
    assert node["namespace"].positional == ("namespace",)
    file, parameters = node["parameters"]
    assert file == SHIPPED, "the file first: what comes later wins"
    named = YAML(typ="safe").load(Path(file))["/**"]["ros__parameters"]["model"]
    assert set(parameters) == {"model"} and Path(parameters["model"]).is_file() and parameters["model"].endswith(named)


def test_what_was_typed_wins_over_the_file_and_what_was_not_does_not(fake_launch):
    typed = {"model": "/m/mine.yaml", "camera_topic": "/front"}
    assert node_of(**typed)["parameters"] == [SHIPPED, typed]
    assert node_of(params_file="/mine.yaml")["parameters"] == ["/mine.yaml", {}]
    assert node_of(params_file="/mine.yaml", **typed)["parameters"] == ["/mine.yaml", typed]


@pytest.mark.parametrize("typed", ["front,left", "[front, left]", " front , left,"])
def test_cameras_are_given_where_they_are_named(fake_launch, typed):
    assert node_of(cameras=typed)["parameters"][1]["cameras"] == ["front", "left"]


def test_the_fast_dds_profile_is_set_only_where_none_is(fake_launch, monkeypatch):
    monkeypatch.delenv(PROFILES, raising=False)
    entities = described()
    (variable,) = entities["SetEnvironmentVariable"]
    name, file = variable.positional
    assert name == PROFILES and Path(file).is_file()
    assert list(entities).index("SetEnvironmentVariable") < list(entities).index("Node"), "before the node starts"

    monkeypatch.setenv(PROFILES, "/etc/own.xml")
    assert "SetEnvironmentVariable" not in described()


def test_rviz_shows_topics_that_are_published():
    config = YAML(typ="safe").load(CHECKOUT / "launch/open_set.rviz")
    displays = config["Visualization Manager"]["Displays"]
    topics = {display["Topic"]["Value"]: display["Topic"]["Reliability Policy"] for display in displays}
    # Only a best-effort subscriber hears a best-effort camera.
    assert topics.pop("/camera/image_raw") == "Best Effort"
    assert topics and {topic.removeprefix("/open_set/") for topic in topics} <= PICTURES
