"""The node from outside: each test starts it as a program, in a namespace of its own, and is the camera and
the listener on the other side of the real middleware.

Nothing here asserts on speed. Where a test waits, it waits for a condition, and the deadline is only there
so that a hang ends.
"""

import os
import random
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "golden"))

# Before rclpy is imported, and for the programs as well: a domain of our own, and this machine only.
os.environ.setdefault("ROS_DOMAIN_ID", str(random.randint(1, 101)))
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
PROFILES = ROOT / "config" / "fastdds.xml"
if PROFILES.exists():
    os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(PROFILES)

import rclpy

from peer import Peer
from program import Program


@pytest.fixture(scope="session", autouse=True)
def ros(tmp_path_factory):
    os.environ["ROS_LOG_DIR"] = str(tmp_path_factory.mktemp("ros_log"))
    rclpy.init()
    yield
    rclpy.shutdown()


def starter(folder):
    """A function that starts a program and gives the peer that talks to it; both end with the fixture."""
    with ExitStack() as stack:

        def start(*arguments, **options):
            program = stack.enter_context(Program(folder, *arguments, **options))
            return stack.enter_context(Peer(program))

        yield start


@pytest.fixture
def start(tmp_path):
    yield from starter(tmp_path)


@pytest.fixture(scope="module")
def start_shared(tmp_path_factory):
    """For a program that the tests of a file share."""
    yield from starter(tmp_path_factory.mktemp("shared"))
