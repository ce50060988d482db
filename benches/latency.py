#!/usr/bin/env python3
"""How long a frame takes from its stamp to its labels, and how many fit into a second.

A camera process publishes stamped images, this process listens. The node stands beside yardsticks measured in
the same run by the same means: a plain Python node that does the same job (plain_node.py), the same with all of
its arithmetic inside the ONNX graph, and the bare network in ONNX Runtime with nothing around it. The network's
input has the camera's size, for all of them.

    make bench                      about five minutes
    make bench BENCH="--rounds 2"   half of that
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BENCHES = Path(__file__).resolve().parent
sys.path.append(str(BENCHES.parent / "demo"))  # starting and stopping a node is the same there

from node import CHECKOUT, OPEN_SET_NODE, Program  # first: it sets how ROS talks

import numpy as np
import onnxruntime
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image

from camera import picture
from play import stamp_ns
from record import values
from spin import spinning

MANIFEST = CHECKOUT / "models/camvid-lite0.yaml"
NETWORK = CHECKOUT / "models/camvid-lite0.onnx"
THRESHOLD = -0.014  # the calibration's, given by hand as one of the sizes has none
CAMERA = "/bench/image"
WARM_UP = 5  # frames, not counted
# size, images per second, frames a round at that pace, frames a round at full speed
CASES = [("480x360", 10.0, 50, 60), ("1280x720", 3.0, 20, 15)]


def open_set_node(size):
    parameters = {"model": MANIFEST, "camera_topic": CAMERA, "input_size": size, "threshold_override": THRESHOLD}
    words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    return [OPEN_SET_NODE, "--ros-args", *words]


def plain_node(size, *more):
    return [sys.executable, BENCHES / "plain_node.py", MANIFEST, CAMERA, size, str(THRESHOLD), *more]


OURS = "open_set_node"
CONTENDERS = {
    OURS: (open_set_node, "/open_set"),
    "plain Python node": (plain_node, "/plain_node"),
    "Python, all in the graph": (lambda size: plain_node(size, "--all-in-graph"), "/plain_node"),
}


class Listener:
    """Notes when labels arrive, and what the node says of each frame."""

    def __init__(self, ros, namespace):
        self.ros, self.latency_ms, self.status, self.labels = ros, [], [], None
        self.subscriptions = [
            ros.create_subscription(Image, f"{namespace}/labels", self.arrived, 10, raw=True),
            ros.create_subscription(DiagnosticArray, f"{namespace}/frame_status", self.told, 10, raw=True),
        ]

    def arrived(self, raw):
        self.latency_ms.append((time.time_ns() - stamp_ns(raw)) / 1e6)
        self.labels = raw

    def told(self, raw):
        self.status.append(raw)  # read later: not while the clock runs

    def statuses(self):
        return [values(deserialize_message(raw, DiagnosticArray).status[0]) for raw in self.status[WARM_UP:]]

    def close(self):
        for subscription in self.subscriptions:
            self.ros.destroy_subscription(subscription)


def camera(size, frames, *pace):
    """Runs the camera to its end; what it tells."""
    command = [sys.executable, BENCHES / "camera.py", CAMERA, size, "--frames", str(frames), *pace]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=180)
    if done.returncode != 0:
        sys.exit(f"bench: the camera failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(ros, contender, size, fps, paced, full_speed):
    """One round of one contender: latencies and statuses at the camera's pace, then frames per second."""
    command, namespace = CONTENDERS[contender]
    listener = Listener(ros, namespace)
    with tempfile.NamedTemporaryFile() as log, Program(command(size), log.name) as program:
        deadline = time.monotonic() + 60
        while not ros.count_subscribers(CAMERA):
            program.check()
            if time.monotonic() > deadline:
                sys.exit(f"bench: {contender} did not subscribe within a minute")
            time.sleep(0.05)
        told = camera(size, WARM_UP + paced, "--fps", fps)
        time.sleep(0.5)
        listener.close()
        fastest = camera(size, full_speed, "--labels", f"{namespace}/labels")
        program.stop()
    return {
        "latency_ms": listener.latency_ms[WARM_UP:],
        "statuses": listener.statuses(),
        "skipped": told["sent"] - len(listener.latency_ms),
        "fps": fastest["fps"],
        "labels": np.frombuffer(listener.labels, np.uint8)[-np.prod(tuple(map(int, size.split("x")))) :],
    }


def bare_network_ms(size, fps, runs):
    """One run each 1 / `fps` seconds, as a camera has it: between frames the cores fall asleep."""
    session = onnxruntime.InferenceSession(NETWORK, providers=["CPUExecutionProvider"])
    image = picture(*map(int, size.split("x"))).astype(np.float32).transpose(2, 0, 1)[None] / 255
    times = []
    for _ in range(WARM_UP + runs):
        begin = time.perf_counter()
        session.run(["logits", "dataset_logits"], {"image": image})
        times.append((time.perf_counter() - begin) * 1e3)
        time.sleep(max(0.0, 1 / fps - times[-1] / 1e3))
    return times[WARM_UP:]


def row(name, numbers, note=""):
    cells = "".join(f"{value:9.1f}" for value in np.percentile(numbers, (50, 95, 99, 100)))
    print(f"  {name:36}{cells}{len(numbers):8}  {note}")


def report(size, fps, bare, rounds):
    print(f"\n{f'{size}, camera at {fps:g} Hz, milliseconds':38}{'p50':>9}{'p95':>9}{'p99':>9}{'max':>9}{'frames':>8}")
    for name, numbers in bare.items():
        row(name, numbers)
    for contender, results in rounds.items():
        skipped = sum(result["skipped"] for result in results)
        latency_ms = [ms for result in results for ms in result["latency_ms"]]
        row(f"{contender}: stamp to labels", latency_ms, f"{skipped} skipped for a newer" if skipped else "")
        statuses = [status for result in results for status in result["statuses"]]
        for key in ("age_ms", "preprocess_ms", "inference_ms", "score_ms"):
            if statuses:
                name = "stamp to publish, as it says" if key == "age_ms" else key.removesuffix("_ms")
                row(f"  {name}", [float(status[key]) for status in statuses])
    # Round by round, since what else the machine did in a round it did to both.
    per_round = {
        contender: np.array([np.percentile(result["latency_ms"], (50, 95, 99, 100)) for result in results])
        for contender, results in rounds.items()
    }
    for contender, theirs in per_round.items():
        if contender != OURS:
            ratios = np.median(theirs / per_round[OURS], 0)
            print(f"  {f'{contender} / ours':36}" + "".join(f"{ratio:8.2f}x" for ratio in ratios))
    fps = {contender: statistics.median(result["fps"] for result in results) for contender, results in rounds.items()}
    print("  at full speed, frames per second: " + ", ".join(f"{name} {value:.1f}" for name, value in fps.items()))
    ours, *others = (results[-1]["labels"] for results in rounds.values())
    agreement = min(100 * (ours == theirs).mean() for theirs in others)
    print(f"  pixels on whose label all agree: {agreement:.3f} %")


def machine():
    lines = subprocess.check_output(["lscpu"], text=True).splitlines()
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    return f"{facts['Model name'].strip()}, {facts['CPU(s)'].strip()} CPUs"


def seconds_of_others():
    """Core seconds since start that went to other programs, or to other machines on the same host."""
    user, nice, system, idle, iowait, *rest = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    busy = (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")
    return busy - sum(os.times()[:4])  # ours, and that of all we started and saw end


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=4, help="the contenders take turns so often [%(default)s]")
    options = arguments.parse_args()
    print(f"{machine()}; ONNX Runtime {onnxruntime.__version__}; {NETWORK.name}")
    others, begin = seconds_of_others(), time.monotonic()
    rclpy.init()
    ros = rclpy.create_node("bench_listener")
    with spinning(ros):
        for size, fps, paced, full_speed in CASES:
            bare = {
                "bare network, at the camera's pace": bare_network_ms(size, fps, 40),
                "bare network, without a pause": bare_network_ms(size, float("inf"), 40),
            }
            rounds = {contender: [] for contender in CONTENDERS}
            for _ in range(options.rounds):  # in turns, so that a busy minute of the machine meets both
                for contender, results in rounds.items():
                    results.append(measure(ros, contender, size, fps, paced, full_speed))
            report(size, fps, bare, rounds)
    others = (seconds_of_others() - others) / (time.monotonic() - begin)
    print(f"\nothers kept {others:.2f} cores busy meanwhile" + ("; repeat on a quiet machine" if others > 0.1 else ""))
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
