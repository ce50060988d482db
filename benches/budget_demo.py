#!/usr/bin/env python3
"""The latency budget kept under a load that takes half of the machine: the node changes to a smaller input, and back.

The shipped model has three calibrated input sizes. First its latency at the largest is measured on the free machine,
and the budget set a third above its p95: the largest fits, and will not with half of the machine. Then the node runs
free, loaded, and free again. The load is a busy program a core, which share the cores with the node.

    make budget-demo     four minutes; benches/budget.png, and its place in README.md
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

BENCHES = Path(__file__).resolve().parent
sys.path.append(str(BENCHES.parent / "demo"))  # starting and stopping a node is the same there

from node import CHECKOUT, OPEN_SET_NODE, Program  # first: it sets how ROS talks

import numpy as np
import rclpy
from ruamel.yaml import YAML

from latency import MANIFEST, machine
from outside import Listener, busy, camera, put_between
from sheet import FAINT, INK, Sheet
from spin import spinning

CAMERA = "/budget/image"
SIZES = [(size["width"], size["height"]) for size in YAML(typ="safe").load(MANIFEST)["input_sizes"]]
FPS = 10
MEASURE_S = 15
HEADROOM = 4 / 3
WINDOW_S = 5  # of the p95 that is drawn
PICTURE = BENCHES / "budget.png"
BEGIN, END = "<!-- budget: made by make budget-demo -->\n", "<!-- end of budget -->\n"
RED, BLUE, SHADE = (235, 90, 70), (110, 170, 240), (52, 44, 40)


def run(ros, more, seconds, meanwhile):
    """The node and a camera for so long; what a listener noted."""
    parameters = {"model": MANIFEST, "camera_topic": CAMERA} | more
    words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    listener = Listener(ros, "/open_set")
    with (
        tempfile.NamedTemporaryFile() as log,
        Program([OPEN_SET_NODE, "--ros-args", *words], log.name) as program,
    ):
        listener.wait_for_node(CAMERA, program.check)
        with camera(CAMERA, "x".join(map(str, SIZES[0])), FPS, seconds) as wait:
            meanwhile(program)
            wait()
        time.sleep(1)
        program.stop()
    listener.close()
    if not listener.age_ms:
        sys.exit("budget-demo: nothing was labelled")
    return listener


def budget_for(ros):
    """From the free machine at the largest size."""
    at = {"input_size": "{}x{}".format(*SIZES[0])}
    ages = list(run(ros, at, MEASURE_S, lambda program: None).age_ms.values())
    return round(HEADROOM * np.percentile(ages[FPS:], 95))


class Chart:
    """Two panels over one time axis."""

    LEFT, RIGHT, WIDTH = 76, 16, 1000
    PANELS = {"age": (64, 330), "rows": (390, 520)}  # top, bottom

    def __init__(self, title, seconds, shaded):
        self.sheet, self.seconds = Sheet(self.WIDTH, 570), seconds
        self.sheet.write(14, 28, title, size=20)
        for top, bottom in self.PANELS.values():
            self.sheet.draw.rectangle((self.x(shaded[0]), top, self.x(shaded[1]), bottom), SHADE)
            self.sheet.draw.rectangle((self.LEFT, top, self.WIDTH - self.RIGHT, bottom), outline=FAINT)
        self.sheet.write(self.x(sum(shaded) / 2), 80, "half of the machine taken", FAINT, anchor="mm")
        for second in range(0, int(seconds) + 1, 20):
            self.sheet.write(self.x(second), 540, f"{second} s", FAINT, anchor="mm")

    def x(self, second):
        return self.LEFT + (self.WIDTH - self.LEFT - self.RIGHT) * second / self.seconds

    def y(self, panel, value, most):
        top, bottom = self.PANELS[panel]
        return bottom - (bottom - top) * min(value / most, 1)

    def name(self, panel, words, color=FAINT):
        self.sheet.write(self.LEFT, self.PANELS[panel][0] - 14, words, color)

    def tick(self, panel, value, most):
        self.sheet.write(self.LEFT - 8, self.y(panel, value, most), f"{value:g}", FAINT, anchor="rm")

    def dots(self, panel, points, most, color):
        for second, value in points:
            x, y = self.x(second), self.y(panel, value, most)
            self.sheet.draw.ellipse((x - 1.5, y - 1.5, x + 1.5, y + 1.5), color)

    def line(self, panel, points, most, color):
        self.sheet.draw.line([(self.x(s), self.y(panel, v, most)) for s, v in points], color, 3)


def sliding_p95(seconds, ages):
    """Of the last few seconds, twice a second, where there are results."""
    points = []
    for now in np.arange(WINDOW_S, seconds[-1] + 0.5, 0.5):
        recent = ages[(seconds > now - WINDOW_S) & (seconds <= now)]
        if len(recent):
            points.append((now, np.percentile(recent, 95)))
    return points


def draw(path, title, total, loaded, budget, seconds, ages, rows):
    chart = Chart(title, total, loaded)
    most = budget * 1.6
    chart.dots("age", zip(seconds, ages), most, FAINT)
    chart.line("age", [(0, budget), (total, budget)], most, RED)
    chart.line("age", sliding_p95(seconds, ages), most, INK)
    chart.tick("age", 0, most)
    chart.tick("age", budget, most)
    chart.name("age", f"stamp to publication, ms: each result, its p95 over {WINDOW_S} s, and the budget")
    steps = []
    for i, (second, height) in enumerate(zip(seconds, rows)):
        if i and height != rows[i - 1]:
            steps.append((second, rows[i - 1]))
        steps.append((second, height))
    tallest = SIZES[0][1] * 1.15
    chart.line("rows", steps, tallest, BLUE)
    for _, height in SIZES:
        chart.tick("rows", height, tallest)
    chart.name("rows", "rows of the network's input")
    chart.sheet.image.save(path)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--phases", type=int, nargs=3, default=(40, 70, 90), metavar=("FREE", "LOADED", "FREE"))
    arguments.add_argument("--budget", type=int, metavar="MS", help="[default: measured]")
    options = arguments.parse_args()
    free, loaded, again = options.phases
    total = free + loaded + again

    marks_ns = []  # when the load came and went

    def phases(program):
        began = time.monotonic()

        def until(second):
            while (left := began + second - time.monotonic()) > 0:
                program.check()
                time.sleep(min(left, 1))

        until(free)
        marks_ns.append(time.time_ns())
        with busy():
            until(free + loaded)
        marks_ns.append(time.time_ns())
        until(total)

    rclpy.init()
    ros = rclpy.create_node("budget_demo_listener")
    with spinning(ros):
        budget = options.budget or budget_for(ros)
        print(f"budget {budget} ms; {free} s free, {loaded} s loaded, {again} s free again")
        more = {"input_size": "auto", "latency_budget_ms": float(budget)}
        listener = run(ros, more, total, phases)
    rclpy.try_shutdown()

    stamps = sorted(set(listener.age_ms) & set(listener.said))
    seconds = np.array([(stamp - stamps[0]) / 1e9 for stamp in stamps])
    ages = np.array([listener.age_ms[stamp] for stamp in stamps])
    rows = [int(listener.said[stamp]["input_size"].split("x")[1]) for stamp in stamps]
    came, went = ((mark - stamps[0]) / 1e9 for mark in marks_ns)
    end = seconds[-1]
    title = f"camvid-lite0 under a budget of {budget} ms, camera at {FPS} Hz"
    draw(PICTURE, title, end, (came, went), budget, seconds, ages, rows)

    lines, smallest = [], []
    for name, begin, until in [("free", 0, came), ("loaded", came, went), ("free again", went, end + 1)]:
        inside = (seconds >= begin) & (seconds < until)
        heights = [height for height, is_in in zip(rows, inside) if is_in]
        if not heights:
            sys.exit(f"budget-demo: no result while {name}")
        smallest.append(min(heights))
        p95 = np.percentile(ages[inside], 95)
        # What would have been late was not begun: how many frames got labels belongs to how old those were.
        answered = 100 * inside.sum() / (FPS * (min(until, end) - begin))
        told = f"labels for {min(answered, 100):.0f} % of the frames"
        lines.append(f"{name}: p95 {p95:.0f} ms, {told}, input rows {min(heights)} to {max(heights)}")
    changes = sum(a != b for a, b in zip(rows, rows[1:]))
    unmarked = listener.unmarked(budget)
    told = f"Under a budget of {budget} ms. " + "; ".join(lines) + f"; {changes} changes of size, {len(unmarked)} results over the budget unmarked; {machine()}."
    print(told)
    link = PICTURE.relative_to(CHECKOUT)
    put_between(CHECKOUT / "README.md", BEGIN, END, f"![Latency, budget and input size over time]({link})\n\n{told}\n")
    if smallest[1] == SIZES[0][1]:
        sys.exit("budget-demo: the load changed no size; is the machine otherwise free?")
    if rows[-1] != SIZES[0][1]:
        sys.exit(f"budget-demo: at the end the input still has {rows[-1]} rows")
    p95 = np.percentile(ages, 95)
    if unmarked or p95 > budget:
        sys.exit(f"budget-demo: the budget was not kept ({len(unmarked)} unmarked, p95 {p95:.0f} ms)")


if __name__ == "__main__":
    main()
