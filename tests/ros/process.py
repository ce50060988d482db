"""Processes beside the node under test: cameras and listeners that can die, and what a node is wrapped in."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

# Without the profile's large segment of shared memory, which the killed leave behind.
PLAIN_TRANSPORT = ("env", "-u", "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_BUILTIN_TRANSPORTS=UDPv4")


def script(name):
    """The command that runs a script of this folder."""
    return sys.executable, str(Path(__file__).with_name(name))


@contextmanager
def other(name, *arguments):
    """Another process; it ends as a crash would end it."""
    command = [*PLAIN_TRANSPORT, *script(name), *map(str, arguments)]
    process = subprocess.Popen(command, env=os.environ, start_new_session=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
