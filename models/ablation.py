#!/usr/bin/env python3
"""What negatives are worth (Tables V, VII and IX, Fig. 9): trains every row of ablation.yaml from one closed-set
checkpoint, judges it with open-set, and keeps each row in ablation.jsonl as it ends.

    models/ablation.py --data DATA [--closed-set CHECKPOINT] [--only NAME...] [--rows] [--page]

DATA holds camvid/, camvid-static/ and cutouts/. A row that is in ablation.jsonl already, from the same settings and
checkpoint, is not trained again, and one that was stopped goes on where it was: the same command resumes. --rows lists
what is there and what is not. --page, also at the end by itself, writes tables and plots into README.md beside this.
"""

import argparse
import hashlib
import io
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from ruamel.yaml import YAML

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent
KEPT = HERE / "ablation.jsonl"
BEGIN, END = "<!-- the ablation: made by models/ablation.py -->\n", "<!-- end of the ablation -->\n"
SCORES = ["hybrid", "generative", "discriminative"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--closed-set", type=Path, default=CHECKOUT / "target/train/camvid-lite0/run/closed-set.safetensors")
    parser.add_argument("--work", type=Path, default=CHECKOUT / "target/train/ablation")
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--rows", action="store_true")
    parser.add_argument("--page", action="store_true")
    args = parser.parse_args()
    plan = YAML(typ="safe").load(HERE / "ablation.yaml")
    wanted = [(row, seed) for row in plan["rows"] for seed in row["seeds"]]
    if args.rows or args.page:
        kept = results()
        if args.rows:
            for row, seed in wanted:
                found = kept.get((row["name"], seed))
                print(f"{row['name']}, seed {seed}: {told(found) if found else 'not yet'}")
        return page(plan, kept) if args.page else None
    if not args.data:
        parser.error("--data DATA is missing")
    work = Work(args, plan)
    for row, seed in wanted:
        if not args.only or row["name"] in args.only:
            work.do(row, seed)
    page(plan, results())


def results():
    """The last of each row and seed."""
    lines = [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []
    return {(line["row"], line["seed"]): line for line in lines}


def told(found):
    hybrid = found["scores"]["hybrid"]
    return f"AP {hybrid['ap']:.2%}, FPR95 {hybrid['fpr95']:.2%}, mIoU {found['miou']:.2%}, {found['minutes']:.1f} minutes"


class Work:
    def __init__(self, args, plan):
        self.args, self.plan = args, plan
        self.closed_set = hashlib.sha256(args.closed_set.read_bytes()).hexdigest()

    def do(self, row, seed):
        name = f"{row['name'].replace(', ', '-').replace(' ', '-')}-{seed}"
        folder = self.args.work / name
        settings = self.settings(row, seed)
        text = io.StringIO()
        YAML().dump(settings, text)
        key = {"row": row["name"], "seed": seed, "closed_set": self.closed_set,
               "settings": hashlib.sha256(text.getvalue().encode()).hexdigest()}
        found = results().get((row["name"], seed))
        if found and all(found[k] == v for k, v in key.items()):
            return print(f"{name}: there already, {told(found)}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "settings.yaml").write_text(text.getvalue())
        begin = ["--resume"] if (folder / "run/last.safetensors").exists() else [
            "--init", self.args.closed_set, "--phase", "open-set"]
        self.train("run", folder / "settings.yaml", "--data", self.args.data, "--run", folder / "run", *begin)
        self.train("export", folder / "run/open-set.safetensors", "--out", folder / "model", "--force")
        line = {**key, **self.judged(folder / "model.yaml"), **timing(folder / "run/log.jsonl")}
        with KEPT.open("a") as kept:
            kept.write(json.dumps(line) + "\n")
        print(f"{name}: {told(line)}")

    def settings(self, row, seed):
        """The schedule with the row's negatives."""
        settings = YAML(typ="safe").load(CHECKOUT / "config/train/ablation.yaml")
        phase = settings["phases"][0]
        settings["seed"] = seed
        phase["negatives"]["sources"] = row["sources"]
        if "generator" in row:
            settings["generator"] = dict(row["generator"])
            if row["generator"]["kind"] == "flow":
                settings["generator"]["pretrained"] = str(self.flow())
        if "lessons" in row:
            phase["generator"] = row["lessons"]
        return settings

    def flow(self):
        """The fitted flow that rows begin with."""
        run = self.args.work / "flow"
        fitted = run / "flow.safetensors"
        if not fitted.exists():
            begin = ["--resume"] if (run / "last.safetensors").exists() else []
            self.train("flow", "pretrain", CHECKOUT / self.plan["flow"]["settings"], "--data", self.args.data,
                       "--run", run, *begin)
        return fitted

    def judged(self, model):
        static = ["--dataset", "folder", "--root", self.args.data / "camvid-static", "--score", "all"]
        camvid = ["--dataset", "camvid", "--root", self.args.data / "camvid", "--split", "test"]
        report = self.evaluate(model, *static)
        by_name = {score["score"]: score for score in [report, *report["scores"]]}
        scores = {name: {figure: by_name[name][figure] for figure in ("ap", "fpr95", "auroc")} for name in SCORES}
        return {"scores": scores, "miou": self.evaluate(model, *camvid)["miou"]}

    def evaluate(self, model, *words):
        line = [CHECKOUT / "target/release/open-set", "evaluate", "--model", model, *words, "--json"]
        return json.loads(self.run(*line, stdout=subprocess.PIPE).stdout)

    def train(self, *words):
        self.run(CHECKOUT / "target/release/open-set-train", *words)

    @staticmethod
    def run(*words, **how):
        line = [str(word) for word in words]
        print("+", *line, file=sys.stderr)
        return subprocess.run(line, check=True, **how)


def timing(log):
    """Of a run: a step's median, and all of them."""
    steps = {}
    for line in map(json.loads, log.read_text().splitlines()):
        if "seconds_per_step" in line:
            steps[line["step"]] = line["seconds_per_step"]
    minutes, begin = 0.0, 0
    for step, seconds in sorted(steps.items()):
        minutes += (step - begin) * seconds / 60
        begin = step
    return {"minutes": round(minutes, 1), "seconds_per_step": round(statistics.median(steps.values()), 3),
            "when": time.strftime("%Y-%m-%d")}


def page(plan, kept):
    """Tables and plots, of what is there."""
    rows = [(row, [kept[row["name"], seed] for seed in row["seeds"] if (row["name"], seed) in kept]) for row in plan["rows"]]
    missing = [f"{row['name']} ({len(row['seeds']) - len(found)})" for row, found in rows if len(found) < len(row["seeds"])]
    if missing:
        print("not trained yet:", ", ".join(missing), file=sys.stderr)
    rows = [(row, found) for row, found in rows if found]
    if not rows:
        return
    plots(rows)
    text = "\n".join([negatives(rows), components(rows), flow_losses(rows), shares(), cost(rows)])
    readme = HERE / "README.md"
    head, rest = readme.read_text().split(BEGIN)
    readme.write_text(head + BEGIN + text + END + rest.split(END)[1])


def percent(values):
    """A mean, and how far apart single seeds are."""
    mean = f"{statistics.mean(values):.2%}".rstrip("%")
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.2%}".rstrip("%")


def of(found, score, figure):
    return [line["scores"][score][figure] for line in found]


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def negatives(rows):
    body = [[row["name"], str(len(found)), percent(of(found, "hybrid", "ap")), percent(of(found, "hybrid", "fpr95")),
             percent([line["miou"] for line in found])] for row, found in rows]
    return ("### Where negatives come from (Table VII)\n\nHybrid score on camvid-static, mIoU on CamVid test; %, mean ± standard "
            "deviation over seeds.\n\n" + table(["negatives", "seeds", "AP", "FPR95", "mIoU"], body) +
            "\n![AP by the source of negatives](ablation-negatives.svg)\n")


def components(rows):
    body = []
    for row, found in rows:
        if row["name"] in ("cut-outs", "flow"):
            body.append([{"cut-outs": "real", "flow": "synthetic"}[row["name"]],
                         *(f"{percent(of(found, s, 'ap'))} / {percent(of(found, s, 'fpr95'))}" for s in
                           ["discriminative", "generative", "hybrid"])])
    return ("### Components (Table V)\n\nAP / FPR95 on camvid-static, %.\n\n" +
            table(["negatives", "discriminative", "generative", "hybrid"], body))


def flow_losses(rows):
    names = {"flow": "L_mle + λ·L_jsd", "flow, hybrid loss": "L_mle + λ·(L_d + L_x^UB)"}
    body = [[names[row["name"]], percent(of(found, "hybrid", "ap")), percent(of(found, "hybrid", "fpr95"))]
            for row, found in rows if row["name"] in names]
    return "### What the flow learns from the segmenter (Table IX)\n\n" + table(["loss of the flow", "AP", "FPR95"], body)


def shares():
    return ("### Real and synthetic mixed (Fig. 9)\n\nb of eq. (18) is the share of cut-outs among the negatives.\n\n"
            "![AP against b](ablation-mixture.svg)\n")


def cost(rows):
    body = [[row["name"], f"{statistics.mean(line['seconds_per_step'] for line in found):.2f}",
             f"{statistics.mean(line['minutes'] for line in found):.1f}"] for row, found in rows]
    return "### What it took\n\n" + table(["negatives", "s a step", "minutes"], body)


def plots(rows):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "open_set", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    from matplotlib import pyplot

    def save(figure, name):
        figure.tight_layout()
        figure.savefig(HERE / name, metadata={"Date": None})
        pyplot.close(figure)

    figure, axes = pyplot.subplots(figsize=(6.4, 0.32 * len(rows) + 0.9))
    for at, (row, found) in enumerate(reversed(rows)):
        aps = [100 * ap for ap in of(found, "hybrid", "ap")]
        axes.barh(at, statistics.mean(aps), color="#4c78a8", height=0.6)
        axes.plot(aps, [at] * len(aps), "k.", markersize=5)
    axes.set_yticks(range(len(rows)), [row["name"] for row, _ in reversed(rows)])
    axes.set_xlabel("AP on camvid-static, hybrid score, % (dots: seeds)")
    save(figure, "ablation-negatives.svg")

    figure, axes = pyplot.subplots(figsize=(4.8, 3.0))
    points = []
    for row, found in rows:
        b = {"flow": 0.0, "cut-outs": 1.0}.get(row["name"])
        if row["name"].startswith("mixture"):
            b = float(row["name"].split("=")[1])
        if b is not None:
            points.append((b, [100 * ap for ap in of(found, "hybrid", "ap")]))
    points.sort()
    axes.plot([b for b, _ in points], [statistics.mean(aps) for _, aps in points], "-", color="#4c78a8")
    for b, aps in points:
        axes.plot([b] * len(aps), aps, "k.", markersize=6)
    axes.set_xlabel("b, share of real negatives")
    axes.set_ylabel("AP, %")
    save(figure, "ablation-mixture.svg")


if __name__ == "__main__":
    main()
