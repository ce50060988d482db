#!/usr/bin/env python3
"""Seconds a training step takes: open-set-train beside the same network and batch in Python PyTorch, and with a flow
trained along beside plain fine-tuning.

Those compared take turns, a few rounds of each, every one in a process of its own. The trainer does all it does in a
training: it decodes, cuts, resizes and jitters scenes on a thread, clips gradients and keeps running means. The
yardstick, benches/torch_twin.py, sees one random batch again and again and does none of it. It is run as it comes, and
with the allocator told to keep its memory as the trainer tells its own (src/train/memory.rs). Fine-tuning is eq. (41)
with patches of noise for negatives, which cost nothing; joint training has a flow's samples in their places.

    PYTHON_WITH_TORCH=venv/bin/python benches/training.py     torch 2.13, as the trainer's libtorch; a few minutes
    benches/training.py                                       without: the trainer beside itself

Nothing else should run meanwhile: half a core taken away is a third of the speed.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
PROGRAM = CHECKOUT / "target/release/open-set-train"
KEEPS_MEMORY = ":".join(f"glibc.malloc.{setting}" for setting in (
    "hugetlb=1", "mmap_max=0", "trim_threshold=68719476736", "top_pad=268435456"))
WARM = 4  # steps that are not counted: allocators and caches are cold
CLASSES = 5  # of the drawn scenes

SETTINGS = """
seed: 1
classes:
- {{name: sky, color: [70, 130, 180]}}
- {{name: house, color: [70, 70, 70]}}
- {{name: grass, color: [107, 142, 35]}}
- {{name: road, color: [128, 64, 128]}}
- {{name: vehicle, color: [0, 0, 142]}}
model:
  network: {{architecture: lite0, width: 96, dataset_head: independent, precision: {precision}}}
  mean: [0.485, 0.456, 0.406]
  std: [0.229, 0.224, 0.225]
data: {{dataset: folder, folder: scenes, workers: 1}}
{generator}
phases:
- name: timed
  steps: {steps}
  batch: {batch}
  {phase}
  augmentation: {{crop: {size}, scale: [0.5, 2.0], photometric: {{brightness: 0.1, contrast: 0.2, saturation: 0.2}}}}
  optimizer: {{kind: adamw, lr: 0.0001, weight_decay: 0.01}}
  schedule: {{kind: constant}}
  clip: 5
  ema: 0.99
threads: {threads}
checkpoint_every: 1000
log_every: 1
export:
  input_sizes: [[480, 360]]
  training: {{network: lite0, data: drawn scenes, licence: none needed}}
"""

CLOSED_SET = "objective: {kind: closed-set}"
FINE_TUNING = """objective: {kind: hybrid, beta1: 1, beta2: 0.3, beta3: 0.3, beta4: 0.03, floor: -10}
  negatives:
    sources: [{kind: noise, sides: [16, 128]}]
    paste: {probability: 0.9, objects: [1, 1]}"""
JOINT = FINE_TUNING.replace("noise", "generated") + """
  generator: {feedback: jensen-shannon, lambda: 0.03, optimizer: {kind: adamax, lr: 0.0001}, clip: 10}"""
FLOW = "generator: {kind: flow, preset: small}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=352)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    asked = parser.parse_args()
    if not PROGRAM.exists():
        sys.exit(f"{PROGRAM} is not built: make bench-train")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        scenes = ["scenes", "--out", scratch / "scenes", "--count", "32", "--size", "480", "360"]
        subprocess.run([PROGRAM, *scenes], check=True)
        print(f"batch {asked.batch}, {asked.size} x {asked.size}, {asked.precision}, {asked.threads} threads, medians of rounds")
        if python := os.environ.get("PYTHON_WITH_TORCH"):
            compare(asked.rounds, {
                "open-set-train": lambda: trainer(asked, scratch, CLOSED_SET),
                "Python PyTorch": lambda: twin(asked, python),
                "Python PyTorch, keeping memory": lambda: twin(asked, python, GLIBC_TUNABLES=KEEPS_MEMORY),
            })
        else:
            print("  skipped: PYTHON_WITH_TORCH names no Python that has torch 2.13 (pip install torch==2.13.0)")
        compare(asked.rounds, {
            "with a flow trained along": lambda: trainer(asked, scratch, JOINT, FLOW),
            "with negatives of noise": lambda: trainer(asked, scratch, FINE_TUNING),
        })


def compare(rounds, runs):
    """The first beside each of the others."""
    seconds = {name: [] for name in runs}
    for i in range(rounds):
        for name, run in runs.items():
            seconds[name].append(run())
            print(f"round {i + 1}: {name} {seconds[name][-1]:.3f} s a step", file=sys.stderr)
    first, *others = runs
    ours = statistics.median(seconds[first])
    print(f"  {first:<31} {ours:.3f} s a step")
    for name in others:
        theirs = statistics.median(seconds[name])
        print(f"  {name:<31} {theirs:.3f} s a step, of which the former takes {ours / theirs:.2f}")


def trainer(asked, scratch, phase, generator=""):
    """Of a phase that is otherwise as SETTINGS have it."""
    settings, out = scratch / "bench.yaml", scratch / "run"
    shutil.rmtree(out, ignore_errors=True)
    asked = {**vars(asked), "steps": asked.steps + WARM, "phase": phase, "generator": generator}
    settings.write_text(SETTINGS.format(**asked))
    line = [PROGRAM, "run", settings, "--data", scratch, "--run", out]
    ran = subprocess.run(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if ran.returncode:
        sys.exit(f"{ran.stderr}{PROGRAM.name} ended with {ran.returncode}")
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    seconds = [line["seconds_per_step"] for line in lines if "seconds_per_step" in line]
    return statistics.median(seconds[WARM:])


def twin(asked, python, **environment):
    line = [python, CHECKOUT / "benches/torch_twin.py", "--json"]
    line += [f"--{name}={getattr(asked, name)}" for name in ("steps", "batch", "size", "threads")]
    line += [f"--warm={WARM}", f"--classes={CLASSES}"]
    line += ["--bf16"] if asked.precision == "bf16" else []
    found = subprocess.run(line, check=True, stdout=subprocess.PIPE, env={**os.environ, **environment})
    return json.loads(found.stdout)["seconds"]


if __name__ == "__main__":
    main()
