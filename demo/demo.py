#!/usr/bin/env python3
"""Shows the node at work: camera images from a bag, over ROS, into open_set_node, into a bag, onto a sheet.

    make demo                       a drive past street photos, with things on the road nobody taught the model
    make demo DEMO=PATH             a folder of images, a video, or a rosbag2 MCAP with a camera
    make demo DEMO="PATH --seconds 20 --fps 5"
"""

import argparse
import math
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from node import CHECKOUT, OPEN_SET_NODE, OPEN_SET_TOOL, Died, Program  # first: it sets how ROS talks

import numpy as np
import rclpy
from rosbags.highlevel import AnyReader, AnyReaderError
from ruamel.yaml import YAML

import scene
import sheet
from play import NoImages, Player, stamp_ns
from record import CAMERA, LABELS, Recorder
from spin import spinning

OUT = CHECKOUT / "demo/out"
PARAMETERS = CHECKOUT / "config/open_set.param.yaml"
MANIFEST = CHECKOUT / "models/camvid-lite0.yaml"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("path", nargs="?", type=Path, help="images, video or rosbag2; default: the demo's own")
    arguments.add_argument("--seconds", type=float, default=60, help="at most so much of it [%(default)s]")
    arguments.add_argument("--fps", type=float, help="images per second [default: a video's own, 10 for images]")
    options = arguments.parse_args()
    for program in (OPEN_SET_NODE, OPEN_SET_TOOL):
        if not program.exists():
            sys.exit(f"demo: {short(program)} is not built: run make build")
    if options.path and options.path.resolve().is_relative_to(OUT):
        sys.exit(f"demo: {options.path} lies in {short(OUT)}, which is made anew each time: move it elsewhere first")
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    try:
        run(options)
    except (Died, NoImages, TimeoutError, FileNotFoundError, AnyReaderError) as error:
        sys.exit(f"demo: failed: {error}")


def run(options):
    bag, drawn = bag_of(options)
    print(f"demo: playing {short(bag)} to open_set_node")
    rclpy.init()
    ros = rclpy.create_node("demo")
    player = Player(ros, bag, CAMERA)
    command = [OPEN_SET_NODE, "--ros-args", "--params-file", PARAMETERS]
    nth = max(1, min(5, player.frames // 20))
    with (
        Program(command, OUT / "node.log") as node,
        Recorder(ros, OUT / "result", player.sent, nth) as recorder,
        spinning(ros),
    ):
        wait("the node and its outputs", 60, node.check, lambda: player.heard() and recorder.connected())
        time.sleep(0.5)  # that we know of the node does not mean that it knows of us
        player.play(node.check, options.seconds, recorder.take)
        # Diagnostics come once a second: those after the last frame count all of them.
        ended_ns = time.time_ns() + 500_000_000
        wait("the last diagnostics", 10, node.check, lambda: recorder.diagnosed_ns > ended_ns)
        node.stop()
    rclpy.try_shutdown()
    if not recorder.labels or not recorder.frames:
        said = "\n".join(f"  {name}: {message}" for name, message in recorder.said.items())
        raise Died(f"the node published no labels. Its diagnostics:\n{said}\nIts last words:\n{node.last_words()}")
    table(player, recorder)
    if drawn is not None:
        found(OUT / "result", player.sent, drawn)
    shown = sheet.make(OUT / "result", MANIFEST, OUT / "contact_sheet.png", "open_set: each pixel known, or unknown")
    if not shown:
        raise Died("no frame was recorded with all its outputs: nothing to show")
    print(f"\n{short(OUT / 'contact_sheet.png')}: look at it")
    print(f"{short(OUT / 'result')}: what the node published (rosbag2, MCAP)")


def short(path):
    """The path as one would type it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def bag_of(options):
    """The rosbag2 to play: the one given, or one made of images or a video by the tool for the desk.

    And where in its frames something was drawn, if the demo did that.
    """
    path, drawn = options.path, None
    if path is not None and not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    if path is not None and (path.suffix == ".mcap" or (path / "metadata.yaml").exists()):
        return path, None
    with tempfile.TemporaryDirectory() as folder:
        if path is None:
            path, options.fps = Path(folder) / "scene", scene.FPS
            print("demo: drawing the scene")
            drawn = scene.make(path)
        command = [OPEN_SET_TOOL, "bag", "from-video", path, "--out", OUT / "camera", "--topic", CAMERA]
        if options.fps:
            command += ["--fps", str(options.fps), "--limit", str(math.ceil(options.seconds * options.fps))]
        code = subprocess.run(command).returncode
        if code != 0:
            raise Died(f"no bag could be made of {path}: open-set ended with exit code {code}")
    return OUT / "camera", drawn


def wait(what, timeout_s, check, done):
    deadline = time.monotonic() + timeout_s
    while not done():
        check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s} s for {what} in vain")
        time.sleep(0.05)


def table(player, recorder):
    """Frames and times, as the node tells them."""
    camera = next(said for name, said in recorder.diagnostics.items() if name.endswith("camera"))
    counts = {
        "published": len(player.sent),
        "reached the node": camera["frames_in"],
        "replaced by a newer one": camera["frames_replaced"],
        "rejected": camera["frames_rejected"],
        "failed": camera["frames_failed"],
        "labels received": recorder.labels,
    }
    print(f"\n{'frames':24}")
    for name, count in counts.items():
        print(f"  {name:24}{count:>6}")
    print(f"\n{'milliseconds':26}{'p50':>6}{'p95':>8}{'p99':>8}{'max':>8}")
    parts = {f"  {part}": f"{part}_ms" for part in ("preprocess", "inference", "score")}
    for name, key in {"capture to publish": "age_ms", **parts}.items():
        print(f"  {name:22}" + percentiles([float(frame[key]) for frame in recorder.frames], (50, 95, 99, 100), "8.1f"))
    print(f"\n{'unknown pixels, %':26}{'p5':>6}{'p50':>8}{'p95':>8}{'max':>8}")
    shares = [100 * float(frame["unknown_share"]) for frame in recorder.frames]
    print(f"  {'of a frame':22}" + percentiles(shares, (5, 50, 95, 100), "8.2f"))


def found(bag, sent, drawn):
    """How much of what was drawn into the scene was called unknown, and of all the rest."""
    unknown = len(YAML(typ="safe").load(MANIFEST)["classes"])
    on_thing, elsewhere = np.zeros(2, int), np.zeros(2, int)
    with AnyReader([bag]) as reader:
        for connection, _, raw in reader.messages([c for c in reader.connections if c.topic == LABELS]):
            thing = drawn[sent[stamp_ns(raw)]]
            called = reader.deserialize(raw, connection.msgtype).data.reshape(thing.shape) == unknown
            on_thing += (np.sum(called & thing), np.sum(thing))
            elsewhere += (np.sum(called & ~thing), np.sum(~thing))
    for name, (part, whole) in {"of the things drawn in": on_thing, "of all else": elsewhere}.items():
        print(f"  {name:22}{'':8}{100 * part / max(whole, 1):8.2f}  (all frames together)")


def percentiles(numbers, which, spec):
    return "".join(format(value, spec) for value in np.percentile(numbers, which))


if __name__ == "__main__":
    main()
