#!/usr/bin/env python3
"""What negatives are worth (Tables V, VII and IX, Fig. 9): trains every row of ablation.yaml from one closed-set
checkpoint, judges it with open-set, and keeps each row in ablation.jsonl as it ends.

    models/ablation.py --data DATA --closed-set CHECKPOINT [--only NAME...] [--at-once ROWS]
    models/ablation.py --rows
    models/ablation.py --page

DATA holds camvid/, camvid-static/ and cutouts/. A row that is in ablation.jsonl already, by the same settings from the
same checkpoint, is not trained again, and one that was stopped goes on where it was: the same command resumes. --at-once 2
trains two rows beside each other, each on half of the cores: a step takes longer, and all rows together less, for a
flow's steps are small. --rows lists what is there and what is not. --page writes tables and plots into README.md
beside this; so does the end of a training.
"""

import argparse
import hashlib
import json
import os
import queue
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ablation_page
import ablation_rows
from ablation_rows import CHECKOUT, FLOW, begins_fitted, digest, results, schedule, settings

WORK = CHECKOUT / "target/train/ablation"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--closed-set", type=Path)
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--at-once", type=int, default=1, metavar="ROWS")
    parser.add_argument("--rows", action="store_true")
    parser.add_argument("--page", action="store_true")
    args = parser.parse_args()
    plan = ablation_rows.plan()
    failed = []
    rows = ablation_rows.every(plan)
    wanted = [(row, seed) for row in rows for seed in row["seeds"]]
    if args.rows:
        kept = results(plan)
        for row, seed in wanted:
            found = kept.get((row["name"], seed))
            print(f"{row['name']}, seed {seed}: {told(found) if found else 'not yet'}")
    elif not args.page:
        if not args.data or not args.closed_set:
            parser.error("--data DATA and --closed-set CHECKPOINT, or --rows, or --page")
        if not args.closed_set.is_file():
            parser.error(f"there is no {args.closed_set}: make train makes one")
        unknown = set(args.only or []) - {row["name"] for row in rows}
        if unknown:
            parser.error(f"ablation.yaml has no row {', '.join(sorted(unknown))}")
        cores = sorted(os.sched_getaffinity(0))
        if not 1 <= args.at_once <= len(cores):
            parser.error(f"--at-once {args.at_once}: there are cores for 1 to {len(cores)}")
        wanted = [(row, seed) for row, seed in wanted if row["name"] in (args.only or [row["name"]])]
        failed = train(Work(args, plan), wanted, [cores[i :: args.at_once] for i in range(args.at_once)])
    if not args.rows:
        ablation_page.write(plan, schedule(), results(plan))
    if failed:
        sys.exit(f"failed, see above: {', '.join(failed)}")


def train(work, wanted, shares):
    """As many rows at once as there are shares of the cores. A row that fails does not keep the others from anything; gives
    the names of those that did."""
    free = queue.SimpleQueue()
    for share in shares:
        free.put(share)

    def settle():
        os.sched_setaffinity(0, free.get())  # of this thread, and of what it starts

    def attempt(row, seed):
        try:
            work.do(row, seed)
        except (subprocess.CalledProcessError, OSError, ValueError, Stopped) as error:
            print(f"{row['name']}, seed {seed}: {error}", file=sys.stderr)
            return f"{row['name']} ({seed})"

    with ThreadPoolExecutor(len(shares), initializer=settle) as pool:
        done = [pool.submit(attempt, row, seed) for row, seed in wanted]
        try:
            return [name for name in (each.result() for each in done) if name]
        except KeyboardInterrupt:
            # The trainers heard of it too, and keep what they have; nothing is begun any more.
            work.stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def told(found):
    name, best = ablation_page.best(found)
    return (f"AP {best['ap']:.2%} and FPR95 {best['fpr95']:.2%} by {name}, mIoU {found['miou']:.2%}, "
            f"{found['minutes']:.1f} minutes")


class Stopped(Exception):
    """From outside; the same command goes on."""


class Work:
    def __init__(self, args, plan):
        self.data, self.checkpoint, self.plan = args.data.resolve(), args.closed_set.resolve(), plan
        self.closed_set = hashlib.sha256(self.checkpoint.read_bytes()).hexdigest()
        self.one = threading.Lock()  # fits the flow; writes a line
        self.stopped = threading.Event()

    def do(self, row, seed):
        """Trains and judges a row, unless its result is there."""
        name = re.sub(r"[^a-z0-9.]+", "-", row["name"]) + f"-{seed}"
        folder = WORK / name
        text = settings(self.plan, row, seed, self.closed_set)
        key = {"row": row["name"], "seed": seed, "closed_set": self.closed_set, "settings": digest(text)}
        steps = self.density_steps(row, seed)
        found = results(self.plan).get((row["name"], seed))
        if found and found["closed_set"] == self.closed_set and found.get("pre_logits", {}).get("steps") == steps:
            return print(f"{name}: there already, {told(found)}")
        if (folder / "settings.yaml").exists() and (folder / "settings.yaml").read_text() != text:
            shutil.rmtree(folder)  # half a training by other settings, or from another checkpoint
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "settings.yaml").write_text(text)
        checkpoint = self.trained(row, folder) if "sources" in row else self.checkpoint
        self.train("export", checkpoint, "--out", folder / "model", "--force")
        line = {**key, "trained": "sources" in row, **timing(folder / "run/log.jsonl"), **self.judged(folder / "model.yaml")}
        if steps:
            line["pre_logits"] = {"steps": steps, **self.density(checkpoint, folder / "detector", steps)}
        with self.one, ablation_rows.KEPT.open("a") as kept:
            kept.write(json.dumps(line) + "\n")
        print(f"{name}: {told(line)}")

    def trained(self, row, folder):
        """The row's checkpoint."""
        if begins_fitted(row):
            with self.one:
                self.fit_flow()
        run = folder / "run"
        done = run / "open-set.safetensors"
        begin = ["--resume"] if (run / "last.safetensors").exists() else [
            "--init", self.checkpoint, "--phase", "open-set"]
        self.train("run", folder / "settings.yaml", "--data", self.data, "--run", run, *begin)
        if not done.exists():
            raise Stopped(f"stopped before its end; {run} has what there is")
        return done

    def fit_flow(self):
        """Fits the flow that rows begin with, unless that is done."""
        run = CHECKOUT / FLOW.parent
        kept = run / "settings.yaml"
        if kept.exists() and kept.read_text() != (CHECKOUT / self.plan["flow"]).read_text():
            shutil.rmtree(run)  # another flow than these rows are told to begin with
        if not (CHECKOUT / FLOW).exists():
            begin = ["--resume"] if (run / "last.safetensors").exists() else []
            self.train("flow", "pretrain", self.plan["flow"], "--data", self.data, "--run", run, *begin)
        if not (CHECKOUT / FLOW).exists():
            raise Stopped(f"stopped before the flow was fitted; {run} has what there is")

    def judged(self, model):
        static = ["--dataset", "folder", "--root", self.data / "camvid-static", "--score", "all"]
        camvid = ["--dataset", "camvid", "--root", self.data / "camvid", "--split", "test"]
        report = self.desk("evaluate", "--model", model, *static)
        scores = {score["score"]: figures(score) for score in [report, *report["scores"]]}
        return {"scores": scores, "miou": self.desk("evaluate", "--model", model, *camvid)["miou"]}

    def density_steps(self, row, seed):
        """How long a density of the row's pre-logits is fitted; `None`: none is."""
        detector = self.plan["detector"]
        return detector["steps"] if row["name"] in detector["rows"] and seed == row["seeds"][0] else None

    def density(self, checkpoint, out, steps):
        """A density of the checkpoint's pre-logits in the place of the unnormalised one."""
        shutil.rmtree(out, ignore_errors=True)
        static = self.data / "camvid-static"
        self.train("flow", "detector", checkpoint, "--data", self.data, "--images", static / "images", "--out", out,
                   "--steps", steps)
        kinds = ["generative", "hybrid"]
        return {kind: figures(self.desk("metrics", "--scores", out / kind, "--labels", static / "ood")) for kind in kinds}

    def desk(self, *words):
        return json.loads(self.run("open-set", *words, "--json", stdout=subprocess.PIPE))

    def train(self, *words):
        self.run("open-set-train", *words)

    def run(self, program, *words, **how):
        if self.stopped.is_set():
            raise Stopped("stopped")
        line = [f"target/release/{program}", *map(str, words)]
        print("+", *line, file=sys.stderr)
        return subprocess.run(line, cwd=CHECKOUT, text=True, check=True, **how).stdout


def figures(score):
    return {name: score[name] for name in ("ap", "fpr95", "auroc")}


def timing(log):
    """Of a run: a step's median, and all of them, on so many cores; nothing of a row that was not trained."""
    steps = {}
    for line in map(json.loads, log.read_text().splitlines() if log.exists() else []):
        if "seconds_per_step" in line:
            steps[line["step"]] = line["seconds_per_step"]
    minutes, begin = 0.0, 0
    for step, seconds in sorted(steps.items()):
        minutes += (step - begin) * seconds / 60
        begin = step
    median = statistics.median(steps.values()) if steps else 0.0
    return {"minutes": round(minutes, 1), "seconds_per_step": round(median, 3), "cores": len(os.sched_getaffinity(0)),
            "when": time.strftime("%Y-%m-%d")}


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on")
