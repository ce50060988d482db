#!/usr/bin/env python3
"""Whether the node's memory grows: its resident size after a warm-up, and after thousands of frames.

    python benches/memory.py --frames 5000      about four minutes; fails if it grew by more than --limit %
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "demo"))

from node import Program  # first: it sets how ROS talks

import rclpy
from sensor_msgs.msg import Image

from camera import Camera
from latency import CAMERA, machine, open_set_node

SIZE = (480, 360)
WARM_UP = 200


def resident_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--frames", type=int, default=5000)
    arguments.add_argument("--limit", type=float, default=5.0, help="percent [%(default)s]")
    options = arguments.parse_args()
    rclpy.init()
    ros = rclpy.create_node("bench_memory")
    camera = Camera(ros, CAMERA, *SIZE)
    # Nobody subscribing, nothing computed: so that these outputs' buffers are looked at too.
    outputs = [
        ros.create_subscription(Image, f"/open_set/{name}", lambda raw: None, 2, raw=True)
        for name in ("anomaly", "overlay")
    ]
    sizes = []
    with tempfile.NamedTemporaryFile() as log, Program(open_set_node("{}x{}".format(*SIZE)), log.name) as program:

        def progress(labelled):
            if labelled >= WARM_UP and labelled % 100 == 0:
                program.check()
                sizes.append(resident_mb(program.process.pid))

        camera.wait_for_listener()
        time.sleep(0.5)  # that we know of it does not mean that it knows of us
        fps = camera.as_taken(options.frames, "/open_set/labels", progress)
        program.stop()
    rclpy.try_shutdown()
    if len(sizes) < 2:
        sys.exit(f"memory: {options.frames} frames are too few to judge")
    growth = 100 * (sizes[-1] / sizes[0] - 1)
    size = "{}x{}".format(*SIZE)
    print(f"{machine()}: {camera.labelled} frames of {size} segmented, {fps:.1f} a second, {len(outputs) + 1} outputs")
    first, last, largest = (f"{megabytes:.1f} MB" for megabytes in (sizes[0], sizes[-1], max(sizes)))
    print(f"resident: {first} after {WARM_UP} frames, {last} at the end, {growth:+.1f} %; largest {largest}")
    if growth > options.limit:
        sys.exit(f"memory: grew by more than {options.limit} %")


if __name__ == "__main__":
    main()
