#!/usr/bin/env python3
"""AP, AUROC and FPR at 95 % TPR over 100 million pixels: our ranking beside scikit-learn.

Both read the same two files, seeded scores and labels made in this run, each in a process of its own, one after
the other. Times are from the first byte read to the last figure: starting Python and importing is not in them.

    benches/ranking.py                      a few minutes
    benches/ranking.py --pixels 10000000    a tenth of that
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# NumPy is imported by the child processes only: a child's peak memory begins with its parent's.
CHECKOUT = Path(__file__).resolve().parents[1]
PROGRAM = CHECKOUT / "target/release/examples/ranking"
PIXELS = 100_000_000
SHARE = 0.02  # of anomalies
FIGURES = ("ap", "auroc", "fpr95")


def generate(scores, labels, pixels):
    """Hybrid scores as a fair model gives them, in nats: inliers around -14, anomalies around -8."""
    import numpy as np

    random = np.random.default_rng(0)
    with open(scores, "wb") as scores_out, open(labels, "wb") as labels_out:
        for begin in range(0, pixels, 1 << 22):
            count = min(1 << 22, pixels - begin)
            # Anomalies are objects, not single pixels: stretches of 64.
            label = (random.random(-(-count // 64)) < SHARE).astype(np.uint8).repeat(64)[:count]
            score = 2.5 * random.standard_normal(count, np.float32) + np.where(label, np.float32(-8), np.float32(-14))
            labels_out.write(label.tobytes())
            scores_out.write(score.tobytes())


def scikit_learn(scores, labels):
    import resource
    import time

    import numpy as np
    from sklearn.metrics import auc, average_precision_score, roc_curve

    begin = time.perf_counter()
    scores, labels = np.fromfile(scores, "<f4"), np.fromfile(labels, np.uint8)
    read = time.perf_counter()
    ap = average_precision_score(labels, scores)
    # Every point: by default roc_curve drops some, at times the very one that reaches the TPR; and takes longer.
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    figures = {"ap": ap, "auroc": auc(fpr, tpr), "fpr95": fpr[np.argmax(tpr >= 0.95)]}
    end = time.perf_counter()
    return {name: float(value) for name, value in figures.items()} | {
        "read_s": read - begin,
        "compute_s": end - read,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def child(*command):
    """Standard output of a process, and the most memory it had."""
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"bench: {command[0]} failed ({process.returncode})")
    return told, usage.ru_maxrss * 1024


def compare(pixels, rounds, program, folder):
    with tempfile.TemporaryDirectory(dir=folder, prefix="open-set-bench-") as folder:
        files = [Path(folder) / "scores", Path(folder) / "labels"]
        child(sys.executable, __file__, "--generate", *files, "--pixels", pixels)
        ours = []
        for _ in range(rounds):
            told, peak = child(program, *files)
            ours.append(json.loads(told) | {"peak_bytes": peak})
        theirs = json.loads(child(sys.executable, __file__, "--scikit-learn", *files)[0])

    def seconds(result):
        return result["read_s"] + result["compute_s"]

    ours.sort(key=seconds)
    ours = ours[len(ours) // 2]
    print(f"{pixels} pixels, {100 * ours['positives'] / pixels:.2f} % anomalies; load {os.getloadavg()[0]:.1f} of "
          f"{os.cpu_count()} CPUs")
    print(f"{'':14}{'read s':>9}{'compute s':>11}{'peak GB':>9}" + "".join(f"{name:>14}" for name in FIGURES))
    for name, result in (("open_set", ours), ("scikit-learn", theirs)):
        figures = "".join(f"{result[figure]:14.10f}" for figure in FIGURES)
        print(f"{name:14}{result['read_s']:9.2f}{result['compute_s']:11.2f}{result['peak_bytes'] / 1e9:9.2f}{figures}")
    difference = max(abs(ours[figure] - theirs[figure]) for figure in FIGURES)
    ratio = seconds(theirs) / seconds(ours)
    print(f"{ratio:.1f} times as fast, reading counted in both; figures within {difference:.0e}")
    if difference > 1e-9:
        sys.exit("bench: the figures differ by more than 1e-9")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pixels", type=int, default=PIXELS, help="how many [%(default)s]")
    arguments.add_argument("--rounds", type=int, default=3, help="ours runs so often, the median counts [%(default)s]")
    arguments.add_argument("--program", type=Path, default=PROGRAM, help="ours [%(default)s]")
    arguments.add_argument("--folder", help="for half a gigabyte of scores and labels [the system's temporary one]")
    for role in ("--generate", "--scikit-learn"):  # what this program asks of itself
        arguments.add_argument(role, nargs=2, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.generate:
        generate(*options.generate, options.pixels)
    elif options.scikit_learn:
        print(json.dumps(scikit_learn(*options.scikit_learn)))
    else:
        compare(options.pixels, options.rounds, options.program, options.folder)


if __name__ == "__main__":
    main()
