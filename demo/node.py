"""A ROS program as a child process: started, watched, and stopped as a user would stop it.

Import it before rclpy: it sets how ROS talks here. This machine only, so that no robot near by is shown, or
driven, by a demo; and large images through shared memory. What the user has set stays.
"""

import os
import signal
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
OPEN_SET_NODE = CHECKOUT / "target/release/open_set_node"
OPEN_SET_TOOL = CHECKOUT / "target/release/open-set"

os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", str(CHECKOUT / "config/fastdds.xml"))


class Died(RuntimeError):
    """The program ended when it should not have, or would not end."""


class Program:
    """Runs `command` until `stop()`; what it says goes to the file `log`."""

    def __init__(self, command, log):
        self.name, self.log = Path(command[0]).name, Path(log)
        with open(log, "wb") as file:
            # Relative paths in the shipped parameter file start at the checkout.
            self.process = subprocess.Popen(
                [str(word) for word in command], cwd=CHECKOUT, stdout=file, stderr=subprocess.STDOUT
            )

    def last_words(self, lines=15):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def check(self):
        """Raises `Died` if it no longer runs."""
        code = self.process.poll()
        if code is not None:
            raise Died(f"{self.name} ended with exit code {code}; its last words:\n{self.last_words()}")

    def stop(self, timeout_s=10):
        """SIGINT, as Ctrl-C does; raises `Died` unless it then ends with exit code 0."""
        self.check()
        self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise Died(f"{self.name} did not end within {timeout_s} s of SIGINT") from None
        if code != 0:
            raise Died(f"{self.name} ended with exit code {code} on SIGINT; its last words:\n{self.last_words()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
