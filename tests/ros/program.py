"""open_set_node as a process, with everything it said."""

import itertools
import json
import os
import signal
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("OPEN_SET_BIN_DIR", ROOT / "target" / "release")).absolute()
MODEL = ROOT / "models" / "camvid-lite0.yaml"

# Far more than a loaded machine needs.
PATIENCE_S = 60

_count = itertools.count()


class Program:
    """A running program. `parameters` become `-p NAME:=VALUE`; `remaps` become `-r`; `environment` is added
    to this process's, `more` to the arguments; `wrapper` is a command that becomes the program."""

    def __init__(
        self, folder, parameters=None, *, name="open_set_node", remaps=(), environment=None, more=(), wrapper=()
    ):
        self.namespace = f"/test_{os.getpid()}_{next(_count)}"
        self.camera_topic = f"{self.namespace}/camera/image_raw"
        wanted = parameters or {}
        # Cameras with names have topics of their own.
        parameters = wanted if "cameras" in wanted else {"camera_topic": self.camera_topic} | wanted
        program = FOLDER / name
        assert program.exists(), f"{program} is not built: make build, and cargo build --examples"
        # What ROS reads last wins: a parameter file first, then single parameters.
        arguments = [*more, *(a for r in (*remaps, f"__ns:={self.namespace}") for a in ("-r", r))]
        # JSON is YAML, which is what ROS reads a value as.
        arguments += [a for k, v in parameters.items() for a in ("-p", f"{k}:={json.dumps(v)}")]
        self._log = Path(folder) / f"{self.namespace[1:]}.stderr"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*wrapper, str(program), "--ros-args", *arguments],
                cwd=ROOT,
                env=os.environ | (environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,  # a Ctrl-C at the tests is not one at the program
            )

    @property
    def name(self):
        """The node's, in full, if it was not remapped."""
        return f"{self.namespace}/open_set"

    @property
    def stderr(self):
        return self._log.read_text(errors="replace")

    def is_running(self):
        return self.process.poll() is None

    def ended(self):
        """The exit code, once it is there. No program panics, however it ends."""
        try:
            code = self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
        assert "panicked" not in self.stderr, self.stderr
        return code

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        """Whatever a test did to it, a program that still runs ends well when it is asked to."""
        was_running = self.is_running()
        self.process.send_signal(signal.SIGINT)
        code = self.ended()
        assert code == 0 or not was_running, f"exit code {code} after SIGINT\n{self.stderr}"
