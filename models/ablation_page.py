"""The tables and plots of the ablation, from what models/ablation.py found, into README.md beside this."""

import statistics
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- the ablation: made by models/ablation.py -->\n", "<!-- end of the ablation -->\n"
COMPONENTS = ["discriminative", "generative", "hybrid"]
KINDS = {"cut-outs": "real", "flow": "synthetic"}
LOSSES = {"flow": "L_mle + λ·L_jsd", "flow, hybrid loss": "L_mle + λ·(L_d + L_x^UB), of outliers, without weights and floor"}


def write(plan, schedule, kept):
    """Of what is there; a row that is not is told."""
    rows = [(row, [kept[row["name"], seed] for seed in row["seeds"] if (row["name"], seed) in kept]) for row in plan["rows"]]
    missing = [f"{row['name']} (seeds: {len(row['seeds']) - len(found)})" for row, found in rows if len(found) < len(row["seeds"])]
    if missing:
        print("not trained yet:", "; ".join(missing), file=sys.stderr)
    rows = {row["name"]: found for row, found in rows if found}
    if not rows:
        return
    plots(rows)
    told = f"Not trained yet: {'; '.join(missing)}.\n" if missing else ""
    text = "\n".join(part for part in [how(schedule, rows), told, negatives(rows), components(rows), flow_losses(rows),
                                       shares(rows), cost(rows)] if part)
    readme = HERE / "README.md"
    head, rest = readme.read_text().split(BEGIN)
    readme.write_text(head + BEGIN + text + END + rest.split(END)[1])


def how(schedule, rows):
    phase = schedule["phases"][0]
    width, height = phase["augmentation"]["crop"]
    optimizer = phase["optimizer"]
    closed_set = {line["closed_set"][:16] for found in rows.values() for line in found}
    if len(closed_set) > 1:
        print("warning: rows are of several closed-set checkpoints:", *sorted(closed_set), file=sys.stderr)
    return (f"All rows begin with one closed-set checkpoint (sha256 {', '.join(sorted(closed_set))}…) and have one schedule "
            f"([`config/train/ablation.yaml`](../config/train/ablation.yaml)): {phase['steps']} steps of {phase['batch']} crops "
            f"of {width}×{height}, {optimizer['kind']}, {optimizer['lr']:g}, {phase['schedule']['kind']}, a running mean. It is "
            "short, and shorter than what camvid-lite0 had: what is compared is the rows, with each other. Rows with a flow "
            "begin with one that was fitted before ([`config/train/flow-small.yaml`](../config/train/flow-small.yaml), some "
            "minutes that are in no row's), the GAN begins from nothing.\n")


def best(line):
    """The hybrid score, or, where nobody has trained the dataset head, that of the best AP."""
    scores = line["scores"]
    name = "hybrid" if line["trained"] else max(scores, key=lambda name: scores[name]["ap"])
    return name, scores[name]


def percent(values):
    """A mean, and how far apart single seeds are."""
    mean = f"{100 * statistics.mean(values):.2f}"
    return mean if len(values) == 1 else f"{mean} ± {100 * statistics.stdev(values):.2f}"


def of(found, figure, score=None):
    """By one score, or each line's own best."""
    return [(line["scores"][score] if score else best(line)[1])[figure] for line in found]


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def negatives(rows):
    body = []
    for name, found in rows.items():
        score, trained = best(found[0])[0], found[0]["trained"]
        body.append([name if trained else f"none: {name}, by {score}, the best of its scores here", str(len(found)), percent(of(found, "ap")),
                     percent(of(found, "fpr95")), percent([line["miou"] for line in found])])
    return ("### Where negatives come from (Table VII)\n\nHybrid score on camvid-static, mIoU on CamVid test; %, mean ± standard "
            "deviation over seeds.\n\n" + table(["negatives", "seeds", "AP", "FPR95", "mIoU"], body) +
            "\n![AP by the source of negatives](ablation-negatives.png)\n")


def components(rows):
    body = []
    for name, kind in KINDS.items():
        if name not in rows:
            continue
        found = rows[name]
        body.append([kind, *(f"{percent(of(found, 'ap', s))} / {percent(of(found, 'fpr95', s))}" for s in COMPONENTS)])
        for density in [line["pre_logits"] for line in found if "pre_logits" in line]:
            pair = (f"{percent([density[s]['ap']])} / {percent([density[s]['fpr95']])}" for s in COMPONENTS[1:])
            body.append([f"{kind}, ln p of a flow on pre-logits", "", *pair])
    if not body:
        return ""
    return ("### Components (Table V)\n\nAP / FPR95 on camvid-static, %. The flow on pre-logits is fitted to the inliers of a "
            "segmenter that is done (`open-set-train flow detector`), where the paper's is trained along, with negatives.\n\n" +
            table(["negatives", *COMPONENTS], body))


def flow_losses(rows):
    body = [[loss, str(len(rows[name])), percent(of(rows[name], "ap", "hybrid")), percent(of(rows[name], "fpr95", "hybrid"))]
            for name, loss in LOSSES.items() if name in rows]
    if not body:
        return ""
    return "### What the flow learns from the segmenter (Table IX)\n\n" + table(["loss of the flow", "seeds", "AP", "FPR95"], body)


def mixtures(rows):
    """AP of each seed by b."""
    points = []
    for name, found in rows.items():
        b = {"flow": 0.0, "cut-outs": 1.0}.get(name)
        if name.startswith("mixture"):
            b = float(name.split("=")[1])
        if b is not None:
            points.append((b, [100 * ap for ap in of(found, "ap", "hybrid")]))
    return sorted(points)


def shares(rows):
    if len(mixtures(rows)) < 2:
        return ""
    return ("### Real and synthetic mixed (Fig. 9)\n\nb of eq. (18) is the share of cut-outs among the negatives.\n\n"
            "![AP against b](ablation-mixture.png)\n")


def cost(rows):
    trained = {name: found for name, found in rows.items() if found[0]["trained"]}
    seconds = {name: statistics.mean(line["seconds_per_step"] for line in found) for name, found in trained.items()}
    cores = {name: "/".join(sorted({str(line["cores"]) for line in found})) for name, found in trained.items()}
    body = [[name, cores[name], f"{seconds[name]:.2f}", f"{statistics.mean(line['minutes'] for line in found):.1f}"]
            for name, found in trained.items()]
    text = "### What it took\n\n" + table(["negatives", "cores", "s a step", "minutes"], body)
    if {"flow", "cut-outs"} <= trained.keys() and cores["flow"] == cores["cut-outs"]:
        text += (f"\nA step of joint training takes {seconds['flow'] / seconds['cut-outs']:.2f} times as long as one with "
                 "cut-outs.\n")
    return text


def plots(rows):
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    from matplotlib import pyplot

    def save(figure, name):
        figure.tight_layout()
        figure.savefig(HERE / name, dpi=120, metadata={"Software": None})
        pyplot.close(figure)

    figure, axes = pyplot.subplots(figsize=(7.0, 0.36 * len(rows) + 1.0))
    for at, found in enumerate(reversed(rows.values())):
        aps = [100 * ap for ap in of(found, "ap")]
        axes.barh(at, statistics.mean(aps), color="#4c78a8", height=0.6)
        axes.plot(aps, [at] * len(aps), "k.", markersize=5)
    axes.set_yticks(range(len(rows)), list(reversed(rows)))
    axes.set_xlim(0, 100)
    axes.set_xlabel("AP on camvid-static, % (a dot is a seed)")
    save(figure, "ablation-negatives.png")

    points = mixtures(rows)
    figure, axes = pyplot.subplots(figsize=(5.2, 3.4))
    axes.plot([b for b, _ in points], [statistics.mean(aps) for _, aps in points], "-", color="#4c78a8")
    for b, aps in points:
        axes.plot([b] * len(aps), aps, "k.", markersize=6)
    axes.set_xlabel("b, the share of cut-outs among the negatives")
    axes.set_ylabel("AP on camvid-static, %")
    save(figure, "ablation-mixture.png")
