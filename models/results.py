#!/usr/bin/env python3
"""Makes the figures of models/README.md, every one by open-set, on data that is not part of the project.

    models/results.py --data DATA --stamps STAMPS [--model MODEL] [--train TRAIN] [--calibrate]

DATA holds camvid/ (train, val and test, each with images/ and labels/) and camvid-static/. STAMPS is the folder
usr/share/tuxpaint/stamps of Debian's package tuxpaint-stamps-default (apt-get download, dpkg -x): the objects that
heldout_stamps.txt names are taken from it, none of which the model was trained with.

MODEL is camvid-lite0.yaml beside this, or camvid-lite0-syn.yaml: each has a part of the page. TRAIN is where it was
trained, target/train/NAME: its log tells the times, and what each phase ended with is judged too; so is the same training
by other seeds, in target/train/NAME-SEED. Sheets of overlays and samples are written beside the model.

--calibrate first fits statistics on camvid train and chooses the thresholds, and writes both into the manifest.
"""

import argparse
import itertools
import json
import shutil
import statistics
import subprocess
import sys
import textwrap
from pathlib import Path

from ruamel.yaml import YAML

HERE = Path(__file__).resolve().parent
TRAINED = "<!-- the training -->\n", "<!-- end of the training -->\n"
REAL = "camvid-lite0"
CALIBRATED = ["hybrid", "generative", "discriminative"]
COMPARED = ["hybrid", "generative", "discriminative", "max-logit", "msp"]
# The same network trained for 35 + 15 minutes in Python PyTorch, judged by scikit-learn: what this one has to beat.
YARDSTICK = [
    ["*yardstick, closed-set*", "62.6", "57.9 / 24.8", "56.8 / 22.0", "4.4 / 98.0", "53.5 / 23.0", "35.6 / 34.3"],
    ["*yardstick, both*", "62.6", "93.9 / 2.4", "93.8 / 2.5", "92.8 / 4.2", "93.9 / 2.4", "83.8 / 14.8"],
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--stamps", type=Path, required=True)
    parser.add_argument("--train", type=Path)
    parser.add_argument("--out", type=Path, default=HERE.parent / "target/results")
    parser.add_argument("--model", type=Path, default=HERE / f"{REAL}.yaml")
    parser.add_argument("--bin", type=Path, default=HERE.parent / "target/release/open-set")
    parser.add_argument("--calibrate", action="store_true")
    args = parser.parse_args()
    name = args.model.stem
    train = args.train or HERE.parent / "target/train" / name
    tool = Tool(args)
    sizes = [f"{size['width']}x{size['height']}" for size in YAML(typ="safe").load(args.model)["input_sizes"]]
    camvid, static, pasted = args.data / "camvid", args.data / "camvid-static", args.out / "camvid-test-static"
    test = ["--dataset", "folder", "--root", pasted]

    held_out(args.stamps, args.out / "stamps")
    if not (pasted / "paste.json").exists():
        tool.run("dataset", "paste", "--dataset", "camvid", "--root", camvid, "--split", "test", "--cutouts",
                 args.out / "stamps", "--out", pasted, "--seed", 7)
    if args.calibrate:
        for score in ["sml", "react"]:
            tool.run("fit", "--dataset", "camvid", "--root", camvid, "--split", "train", "--score", score, "--write",
                     model=True)
        for score, size in itertools.product(CALIBRATED, sizes):
            tool.run("calibrate", *test, "--score", score, "--input-size", size, "--write", model=True)

    folds = tool.json("evaluate", *test, "--folds", "by-prefix")
    all_folds = [tool.json("evaluate", *test, "--folds", "by-prefix", "--score", "all"),
                 tool.json("evaluate", *test, "--folds", "by-prefix", "--score", "react")]
    other = ["--dataset", "folder", "--root", static]
    judged = tool.json("evaluate", *other)
    all_judged = [tool.json("evaluate", *other, "--score", "all"), tool.json("evaluate", *other, "--score", "react")]
    camvid_test = ["--dataset", "camvid", "--root", camvid, "--split", "test"]
    closed = tool.json("evaluate", *camvid_test)
    smaller = [(size, tool.json("evaluate", *camvid_test, "--input-size", size),
                tool.json("evaluate", *other, "--input-size", size)) for size in sizes[1:]]
    conformal = tool.json("calibrate", *test, "--only", "Seq05VD", "--method", "conformal", "--alpha", "0.1")
    empirical = tool.json("calibrate", *test, "--only", "Seq05VD", "--tpr", "0.9")
    promised = [(how, chosen, tool.json("evaluate", *test, "--only", "0001TP", "--threshold",
                                        chosen["calibration"]["threshold"]))
                for how, chosen in [("conformal, α = 0.1", conformal), ("empirical, 90 % TPR", empirical)]]

    overlays(tool, name, static, args.out / "overlays")
    page = HERE / "README.md"
    begin, end = f"<!-- results of {name}: made by models/results.py -->\n", f"<!-- end of results of {name} -->\n"
    head, rest = page.read_text().split(begin)
    old, tail = rest.split(end)
    made = trained(tool, name, train, camvid, static, (closed, scores(all_judged)), old)
    text = "\n".join([*made, SHEET.format(name=name), closed_set(closed), across(judged, scores(all_judged)),
                      by_size([(sizes[0], closed, judged), *smaller]), two_fold(folds, scores(all_folds)), promises(promised),
                      speed([closed, judged, folds])])
    page.write_text(head + begin + text + end + tail)


def trained(tool, name, train, camvid, static, shipped, page):
    """How the model came about, where it was trained; without that, as the page has it."""
    log = train / "run/log.jsonl"
    steps = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    names = list(dict.fromkeys(line["phase"] for line in steps))
    exports = {phase: train / phase / f"{name}.yaml" for phase in names}
    if names and all(export.exists() for export in exports.values()):
        def of(model):
            return judged_too(tool, model, camvid, static)

        begin, last = train / f"begin/{name}.yaml", names[-1]
        rows = [("*before*", *of(begin))] if begin.exists() else []
        rows += [(phase, *of(exports[phase])) for phase in names[:-1]] + [(last, *shipped)]
        seeds = sorted(train.parent.glob(f"{name}-[0-9]*/{last}/{name}.yaml"))
        others = [(f"{last}, seed {model.parent.parent.name.rsplit('-', 1)[1]}", *of(model)) for model in seeds]
        real = [] if name == REAL else [(f"*{REAL}, with real negatives*", *of(HERE / f"{REAL}.yaml"))]
        compared = phases(rows + others + real, YARDSTICK if name == REAL else [])
        return [TRAINED[0] + training(steps, names), compared + spread([shipped, *(o[1:] for o in others)]) +
                samples(train, name) + TRAINED[1]]
    print(f"skipped: the tables of the training stay as they are, {train} holds no finished one", file=sys.stderr)
    return [TRAINED[0] + page.split(TRAINED[0])[1].split(TRAINED[1])[0] + TRAINED[1]] if TRAINED[0] in page else []


def judged_too(tool, model, camvid, static):
    """What is said of another model than the shipped one."""
    model = ["--model", model]
    closed = tool.json("evaluate", "--dataset", "camvid", "--root", camvid, "--split", "test", *model)
    return closed, scores([tool.json("evaluate", "--dataset", "folder", "--root", static, "--score", "all", *model)])


def samples(train, name):
    """What a flow makes that was trained along, and how well it knows pictures, where `make train-syn` left that."""
    if not (train / "samples.png").exists():
        return ""
    shutil.copy(train / "samples.png", HERE / f"{name}-samples.png")
    return (f"\n### Samples of its flow\n\n![rows of generated patches]({name}-samples.png)\n\nPatches of 32, 64 and 104 "
            "pixels a side, as the flow makes them at the end of the training (Fig. 6). What it says of frames of CamVid val:\n\n"
            + textwrap.indent((train / "bpd.txt").read_text(), "    "))


def overlays(tool, name, static, folder):
    """Six frames of camvid-static, evenly spread over those with anomalies, as `segment` shows them."""
    from PIL import Image

    def anomalous(image):
        return 1 in Image.open(static / "ood" / f"{image.stem}.png").getdata()

    frames = [image for image in sorted((static / "images").iterdir()) if anomalous(image)]
    frames = frames[len(frames) // 12 :: len(frames) // 6][:6]
    shutil.rmtree(folder, ignore_errors=True)
    tool.run("segment", *frames, "--out", folder, model=True)
    tiles = [Image.open(folder / f"{frame.stem}.overlay.jpg") for frame in frames]
    width, height = tiles[0].size
    sheet = Image.new("RGB", (3 * width, 2 * height))
    for i, tile in enumerate(tiles):
        sheet.paste(tile, (i % 3 * width, i // 3 * height))
    sheet.save(HERE / f"{name}-overlays.jpg", quality=85)


class Tool:
    def __init__(self, args):
        self.args = args

    def run(self, *words, model=False, **how):
        line = [self.args.bin, *words, *(["--model", self.args.model] if model and "--model" not in words else [])]
        print("+", *line, file=sys.stderr)
        return subprocess.run([str(word) for word in line], check=True, **how)

    def json(self, *words):
        return json.loads(self.run(*words, "--json", model=True, stdout=subprocess.PIPE).stdout)


def held_out(stamps, folder):
    for name in (HERE / "heldout_stamps.txt").read_text().split():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(stamps / name, folder / name)


def scores(reports):
    """Every score of the reports; the first of a report stands in its head."""
    return [score for report in reports for score in [report, *report.get("scores", [])]]


def percent(share):
    return "–" if share is None else f"{share * 100:.2f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


SHEET = """### Six frames of camvid-static

![six street scenes with foreign objects, labels drawn over them]({name}-overlays.jpg)

Classes in the Cityscapes colours; unknown, at the shipped threshold, in the colour of the overlay's own legend. Frames of
CamVid (Brostow, Fauqueur, Cipolla, 2009) with objects pasted in.
"""


def training(lines, names):
    rows = []
    for phase in names:
        steps = {line["step"]: line for line in lines if line["phase"] == phase and "loss" in line}
        last = [line["validation"] for line in lines if line["phase"] == phase and "validation" in line][-1]
        # By the median: what else the machine did for a while is no time of the training.
        end = max(steps)
        seconds = end * statistics.median(line["seconds_per_step"] for line in steps.values())
        hybrid = last["anomalies"][0]
        rows.append([phase, str(end), f"{seconds / 60:.0f} min", f"{steps[end]['loss']:.3f}",
                     percent(last["closed_set"]["miou"]), percent(hybrid["ap"]), percent(hybrid["fpr95"])])
    head = ["phase", "steps", "time, by the median step", "last loss", "val mIoU", "hybrid AP", "FPR95"]
    return ("### The training\n\nThe last three columns are the trainer's own validation: CamVid val, and cut-outs it was not "
            "trained with pasted into 50 frames of it.\n\n" + table(head, rows))


def phases(rows, others):
    body = []
    for name, closed, judged in rows:
        by = {s["score"]: s for s in judged}
        body.append([name, percent(closed["miou"]), *(f"{percent(by[s]['ap'])} / {percent(by[s]['fpr95'])}" for s in COMPARED)])
    head = ["after", "CamVid test mIoU", *COMPARED]
    return ("### Before and after open-set training\n\nAP / FPR95 on camvid-static; the last phase ends with the shipped "
            "model. Before the open-set phase nobody has trained the dataset head yet.\n\n" + table(head, [*body, *others]))


def spread(trainings):
    """Of the same training by several seeds."""
    aps = [score["ap"] for _, judged in trainings for score in judged if score["score"] == "hybrid"]
    if len(aps) < 2:
        return ""
    return (f"\nHybrid AP of {len(aps)} seeds: {percent(statistics.mean(aps))} ± {percent(statistics.stdev(aps))}, mean and "
            "standard deviation.\n")


def closed_set(report):
    head = ["", *report["classes"], "mIoU"]
    row = ["IoU, %", *map(percent, report["iou"]), f"**{percent(report['miou'])}**"]
    return (f"### CamVid test, {report['frames']} frames, closed set\n\n" + table(head, [row]))


def across(report, scores):
    rows = []
    for s in scores:
        own = s["in_sample"] is not False
        at = [s["threshold"], s["tpr"], s["fpr"], s["open_miou"], s["gap"]]
        at = ["–"] * 5 if own else [f"{at[0]:.3f}", *map(percent, at[1:])]
        rows.append([s["score"], *map(percent, [s["ap"], s["auroc"], s["fpr95"]]), *at])
    assert report["in_sample"] is False, "the shipped threshold was chosen on these frames"
    return (
        f"### camvid-static, {report['frames']} frames of a drive that no threshold was chosen on\n\n"
        f"Thresholds: {report['threshold_from']}. mIoU {percent(report['miou'])}, mean F1 {percent(report['f1'])}, IoU over "
        f"K+1 {percent(report['iou_open'])}; P(d_out|x) has an expected calibration error of {percent(report['ece'])} %.\n\n"
        + table(["score", "AP", "AUROC", "FPR95", "threshold", "TPR", "FPR", "open-mIoU", "gap"], rows)
        + "\nWhere no threshold is shipped, none is judged: one chosen on these frames would flatter.\n")


def by_size(reports):
    """What `input_size: auto` chooses from."""
    head = ["input", "CamVid test mIoU", "hybrid AP", "FPR95", "threshold", "TPR", "FPR", "open-mIoU", "a frame, p50"]
    rows = [[size, percent(closed["miou"]), percent(judged["ap"]), percent(judged["fpr95"]), f"{judged['threshold']:.3f}",
             *(percent(judged[figure]) for figure in ("tpr", "fpr", "open_miou")), f"{judged['latency_ms']['p50']:.1f} ms"]
            for size, closed, judged in reports]
    return ("### At smaller inputs\n\nThe same weights, at the sizes that the node may change to under a load (`input_size: "
            "auto`); each has a threshold of its own. All but the first figure are of camvid-static.\n\n" + table(head, rows))


def two_fold(report, scores):
    rows = [[s["score"], *map(percent, [s["ap"], s["auroc"], s["fpr95"], s["tpr"], s["fpr"], s["open_miou"], s["gap"], s["f1"],
             s["iou_open"]])] for s in scores]
    drives = [[f["fold"], str(f["frames"]), *map(percent, [f["ap"], f["fpr95"]]), f"{f['threshold']:.3f}",
               *map(percent, [f["tpr"], f["fpr"], f["miou"], f["open_miou"]])] for f in report["folds"]]
    return (
        f"### CamVid test with held-out objects pasted, {report['frames']} frames, two folds\n\n"
        "Each drive is judged at the threshold that finds 95 % of the other's anomalous pixels; weighted by images.\n\n"
        + table(["score", "AP", "AUROC", "FPR95", "TPR", "FPR", "open-mIoU", "gap", "mean F1", "IoU K+1"], rows)
        + "\nThe drives, hybrid:\n\n"
        + table(["drive", "frames", "AP", "FPR95", "threshold of the other", "TPR", "FPR", "mIoU", "open-mIoU"], drives)
        + f"\nSet {report['set_sha256']}.\n")


def promises(promised):
    rows = []
    for how, chosen, report in promised:
        c = chosen["calibration"]
        rows.append([how, f"{c['threshold']:.3f}", str(chosen["images_with_anomalies"]), percent(chosen["miss_rate"]),
                     percent(1 - c["tpr"]), percent(report["miss_rate"]), percent(1 - report["tpr"]), percent(report["fpr"])])
    head = ["threshold for", "", "images", "missed of an image, Seq05VD", "of all pixels", "missed of an image, 0001TP",
            "of all pixels", "FPR, 0001TP"]
    return "### What a promise is worth on another drive\n\nChosen on Seq05VD, judged on 0001TP; %.\n\n" + table(head, rows)


def speed(reports):
    rows = [[r["dataset"], str(r["frames"]), f"{r['wall_s']:.1f} s", f"{r['network_share'] * 100:.0f} %",
             f"{r['latency_ms']['p50']:.1f} ms", r["set_sha256"][:16]] for r in reports]
    return "### What it took\n\n" + table(["set", "frames", "wall time", "of it in the network", "a frame, p50", "set sha256"], rows)


if __name__ == "__main__":
    main()
