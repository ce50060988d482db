"""What is asked of the kernel: granted or refused, it is told, and refused it ends nothing unless that was asked for."""

import os
from pathlib import Path

from fake import start_fake
from images import assert_bands, bands, fresh_header, rgb8
from process import script

UNPRIVILEGED = script("unprivileged.py")
WISHES = {"realtime.priority": 10, "realtime.lock_memory": True}


def sender(peer):
    return lambda: peer.camera.publish(rgb8(bands(), header=fresh_header()))


def inference_thread(program):
    """Its id."""
    for task in Path(f"/proc/{program.process.pid}/task").iterdir():
        if (task / "comm").read_text().strip() == "open_set-infer":
            return int(task.name)
    raise AssertionError("no thread is called open_set-infer")


def test_what_the_system_refuses_is_told_and_the_node_goes_on(start):
    peer = start_fake(start, WISHES, wrapper=UNPRIVILEGED)
    (labels,) = peer.answer(rgb8(bands(), header=fresh_header()), "labels")
    assert_bands(labels)
    status = peer.until_status("inference", lambda s: s.level == "WARN", "telling of a refusal", sender(peer))
    assert status.message.startswith("running, but realtime.priority: SCHED_FIFO 10 refused: ")
    assert "ulimit -r 10" in status.message and "CAP_SYS_NICE" in status.message
    assert "(os error 1)" in status.values["realtime.priority"]
    assert status.values["realtime.lock_memory"].startswith("mlockall: refused: ")
    said = peer.program.stderr
    assert "realtime.priority: SCHED_FIFO 10 refused" in said and "realtime.lock_memory: mlockall refused" in said
    assert os.sched_getscheduler(inference_thread(peer.program)) == os.SCHED_OTHER


def test_what_is_required_and_refused_ends_the_start(start):
    peer = start_fake(start, WISHES | {"realtime.required": True}, wrapper=UNPRIVILEGED)
    assert peer.program.ended() == 2
    assert "realtime.required: realtime.priority: SCHED_FIFO 10 refused" in peer.program.stderr


def test_a_cpu_that_is_there_is_granted(start):
    cpu = min(os.sched_getaffinity(0))
    peer = start_fake(start, {"realtime.cpus": str(cpu), "threads": 1})
    status = peer.until_status("inference", lambda s: s.message == "running", "running", sender(peer))
    assert (status.level, status.values["realtime.cpus"]) == ("OK", f"CPUs {cpu}: granted")
    assert os.sched_getaffinity(inference_thread(peer.program)) == {cpu}
    assert os.sched_getaffinity(peer.program.process.pid) == os.sched_getaffinity(0), "the main thread is where it was"


def test_each_camera_s_status_tells_of_its_thread(start):
    """With a thread each as with one that they share."""
    cpu = min(os.sched_getaffinity(0))
    topics = {f"{name}.camera_topic": f"{name}/image" for name in ("front", "left")}
    for sessions in "shared", "each":
        wishes = {"cameras": ["front", "left"], "sessions": sessions, "realtime.cpus": str(cpu), "threads": 1}
        peer = start_fake(start, topics | wishes)
        granted = lambda s: s.message == "running" and s.values["realtime.cpus"] == f"CPUs {cpu}: granted"
        for topic in topics.values():
            peer.until_status("inference", granted, "granted", camera=f"{peer.program.namespace}/{topic}")


def test_one_that_is_not_there_is_told(start):
    peer = start_fake(start, {"realtime.cpus": "1023", "threads": 1})
    status = peer.until_status("inference", lambda s: s.level == "WARN", "telling of a refusal", sender(peer))
    assert "CPUs 1023 refused" in status.message and "Cpus_allowed_list" in status.message
