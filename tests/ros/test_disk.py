"""A disk that is full, and folders that cannot be written to: the node needs neither for its work."""

import pytest

from fake import start_fake
from images import assert_bands, bands, fresh_header, rgb8
from process import PLAIN_TRANSPORT, script
from program import MODEL

# A folder that cannot be made, not even by root: a file is in its way.
NOWHERE = "/proc/self/status/nowhere"
FULL_DISK = (*PLAIN_TRANSPORT, *script("full_disk.py"))


def test_a_full_disk(start):
    """Nothing of the log reaches its file, with everything logged that there is; labels come all the same."""
    # `env` sets what it is given for what it becomes.
    peer = start_fake(start, wrapper=("env", "RUST_LOG=trace", *FULL_DISK))
    for _ in range(5):
        (labels,) = peer.answer(rgb8(bands(), header=fresh_header()), "labels")
        assert_bands(labels)
    peer.until_status("inference", lambda s: s.message == "running", "running")
    assert peer.program.stderr == ""


@pytest.mark.parametrize("real", [False, True], ids=["fake", "real network"])
def test_folders_for_caches_that_cannot_be_written_to(start, real):
    wrapper = ("env", *(f"{name}={NOWHERE}" for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")))
    if real:
        peer = start({"model": str(MODEL)}, wrapper=wrapper)
    else:
        peer = start_fake(start, wrapper=wrapper)
    peer.answer(rgb8(bands(), header=fresh_header()), "labels", "anomaly")


def test_a_folder_for_logs_that_cannot_be_written_to(start):
    """That is ROS's own rule: no node starts without its log. It is said, with the variable to set."""
    peer = start_fake(start, wrapper=("env", f"ROS_LOG_DIR={NOWHERE}"))
    assert peer.program.ended() == 1
    assert "ROS_LOG_DIR" in peer.program.stderr
