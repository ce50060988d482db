#!/usr/bin/env python3
"""A long run of the node as a user starts it, watched by a listener that does not take its word.

A camera process sends, the node works under a latency budget with over_budget: flag, and once a minute as many busy
programs as there are cores take half of the machine for five seconds, so that there is something to be late for.
Counted are frames and what became of them, the ages of results as the middleware stamps them, and those that are over
the budget while their frame_status does not say so. One of these fails the soak, and so does memory that grows.

    make soak                ten minutes; the result goes into README.md
    make soak MINUTES=1      a minute, only printed: a README tells of ten at least
"""

import argparse
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

BENCHES = Path(__file__).resolve().parent
sys.path.append(str(BENCHES.parent / "demo"))  # starting and stopping a node is the same there

from node import CHECKOUT, OPEN_SET_NODE, Program  # first: it sets how ROS talks

import numpy as np
import rclpy

from latency import MANIFEST, machine
from memory import resident_mb
from outside import Listener, busy, camera, put_between
from spin import spinning

CAMERA = "/soak/image"
SIZE = "480x360"
BEGIN, END = "<!-- soak: made by make soak -->\n", "<!-- end of soak -->\n"
LEAST_MINUTES = 10  # that a README tells of
LOAD_EVERY_S, LOAD_FOR_S = 60, 5
WARM_UP_S = 15  # before memory is first looked at
# What diagnostics count of frames that got no result in time, in the words of a table.
FATES = {
    "frames_replaced": "replaced by a newer one",
    "frames_over_age": "too old on arrival",
    "frames_would_miss": "not begun, they would have missed the budget",
    "frames_late": "dropped, they had missed it",
    "frames_failed": "failed",
    "frames_rejected": "rejected",
}


def node(budget_ms):
    parameters = {
        "model": MANIFEST,
        "camera_topic": CAMERA,
        "latency_budget_ms": float(budget_ms),
        "over_budget": "flag",
    }
    words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    return [OPEN_SET_NODE, "--ros-args", *words]


def watch(program, seconds):
    """Loads the machine once a period until the time is over; resident megabytes, second by second."""
    began = time.monotonic()
    sizes = []
    while (now := time.monotonic() - began) < seconds:
        program.check()
        if now >= WARM_UP_S:
            sizes.append(resident_mb(program.process.pid))
        loaded = now % LOAD_EVERY_S >= LOAD_EVERY_S - LOAD_FOR_S
        if loaded and seconds - now > LOAD_FOR_S:
            with busy():
                time.sleep(LOAD_FOR_S - now % 1)
        else:
            time.sleep(1 - now % 1)
    return sizes


def table(minutes, fps, budget_ms, sent, listener, sizes, unmarked):
    """The result in Markdown."""
    ages = np.array(list(listener.age_ms.values()))
    counts = listener.diagnostics["camera"]
    over = int((ages > budget_ms).sum())
    p50, p95, p99 = np.percentile(ages, (50, 95, 99))
    reached = int(counts["frames_in"])
    rows = [
        ("frames sent", f"{sent:,}"),
        ("lost before the node", f"{max(0, sent - reached):,}"),
        *((name, f"{int(counts[key]):,}") for key, name in FATES.items()),
        ("labelled", f"{len(ages):,}"),
        ("of them over the budget, and marked so", f"{over - len(unmarked):,}"),
        ("**of them over the budget, and not marked**", f"**{len(unmarked)}**"),
        ("stamp to publication, p50 / p95 / p99", f"{p50:.1f} / {p95:.1f} / {p99:.1f} ms"),
        ("resident memory, start / end", f"{sizes[0]:.1f} / {sizes[-1]:.1f} MB"),
    ]
    lines = [
        f"{minutes:g} minutes of {SIZE} at {fps:g} Hz under a budget of {budget_ms:g} ms (`over_budget: flag`), a load that "
        f"takes half of the machine for {LOAD_FOR_S} s of each {LOAD_EVERY_S}; {machine()}; {date.today()}.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows),
    ]
    return "\n".join(lines) + "\n"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--minutes", type=float, default=10)
    arguments.add_argument("--fps", type=float, default=10)
    arguments.add_argument("--budget", type=float, default=100, metavar="MS")
    arguments.add_argument("--limit", type=float, default=5, help="percent that memory may grow [%(default)s]")
    options = arguments.parse_args()
    seconds = options.minutes * 60
    if seconds < 2 * WARM_UP_S:
        sys.exit(f"soak: {options.minutes:g} minutes are too few to judge: half of one at least")

    rclpy.init()
    ros = rclpy.create_node("soak_listener")
    listener = Listener(ros, "/open_set")
    with (
        tempfile.NamedTemporaryFile() as log,
        spinning(ros),
        Program(node(options.budget), log.name) as program,
    ):
        listener.wait_for_node(CAMERA, program.check)
        with camera(CAMERA, SIZE, options.fps, seconds) as wait:
            sizes = watch(program, seconds)
            sent = wait()
        time.sleep(2)  # the last results, and diagnostics that count them
        program.stop()
    rclpy.try_shutdown()
    if not listener.age_ms:
        sys.exit("soak: nothing was labelled")

    unmarked = listener.unmarked(options.budget)
    told = table(options.minutes, options.fps, options.budget, sent, listener, sizes, unmarked)
    print(told)
    if options.minutes >= LEAST_MINUTES:
        put_between(CHECKOUT / "README.md", BEGIN, END, told)
    for stamp, age in list(unmarked.items())[:5]:
        print(f"soak: the result of {stamp} was {age:.1f} ms old; its status: {listener.said.get(stamp)}", file=sys.stderr)
    growth = 100 * (sizes[-1] / sizes[0] - 1)
    if growth > options.limit:
        sys.exit(f"soak: memory grew by {growth:.1f} %, more than {options.limit:g} %")
    if unmarked:
        sys.exit(f"soak: {len(unmarked)} results were over the budget, and their frame_status did not say so")


if __name__ == "__main__":
    main()
