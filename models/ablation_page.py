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
    told, rows, missing = text(plan, schedule, kept)
    if missing:
        print("not trained yet:", "; ".join(missing), file=sys.stderr)
    if not rows:
        sys.exit("no row of ablation.yaml was trained by the settings as they are: nothing to write")
    plots(rows)
    readme = HERE / "README.md"
    head, rest = readme.read_text().split(BEGIN)
    readme.write_text(head + BEGIN + told + END + rest.split(END)[1])


def text(plan, schedule, kept):
    """What stands in README.md between the marks; the rows that it is of, and which are missing."""
    tried = plan["tried"]
    seeds = {row["name"]: row["seeds"] for row in plan["rows"]} | {row["name"]: tried["seeds"] for row in tried["rows"]}
    found = {name: [kept[name, seed] for seed in of if (name, seed) in kept] for name, of in seeds.items()}
    missing = [f"{name} (seeds: {len(of) - len(found[name])})" for name, of in seeds.items() if len(found[name]) < len(of)]
    rows = {row["name"]: found[row["name"]] for row in plan["rows"] if found[row["name"]]}
    told = f"Not trained yet: {'; '.join(missing)}.\n" if missing else ""
    parts = [how(schedule, rows), told, negatives(rows), components(rows), flow_losses(rows), shares(rows), changes(tried, found),
             cost(rows)]
    return "\n".join(part for part in parts if part), rows, missing


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
        trained = found[0]["trained"]
        by_score = [percent(of(found, figure, score)) if trained or score != "hybrid" else "–"
                    for score in ("hybrid", "generative") for figure in ("ap", "fpr95")]
        body.append([name if trained else f"none: {name}", str(len(found)), *by_score, percent([line["miou"] for line in found])])
    head = ["negatives", "seeds", "hybrid AP", "FPR95", "generative AP", "FPR95", "mIoU"]
    return ("### Where negatives come from (Table VII)\n\nAP and FPR95 on camvid-static, mIoU on CamVid test; %, mean ± standard "
            "deviation over seeds. Without negatives nobody has trained the dataset head, and there is no hybrid score.\n\n" +
            table(head, body) + "\n![AP by the source of negatives](ablation-negatives.png)\n\nBars: hybrid; of the closed set "
            "the best of its scores.\n")


def components(rows):
    body = []
    for name, kind in KINDS.items():
        if name not in rows:
            continue
        found = rows[name]
        body.append([kind, *(f"{percent(of(found, 'ap', s))} / {percent(of(found, 'fpr95', s))}" for s in COMPONENTS)])
        for line in [line for line in found if "pre_logits" in line]:
            for of_what, scores in [("ln p̂(x)", line["scores"]), ("ln p of a flow on pre-logits", line["pre_logits"])]:
                pair = (f"{percent([scores[s]['ap']])} / {percent([scores[s]['fpr95']])}" for s in COMPONENTS[1:])
                body.append([f"{kind}, {of_what}, seed {line['seed']}", "", *pair])
    if not body:
        return ""
    return ("### Components (Table V)\n\nAP / FPR95 on camvid-static, %. The flow on pre-logits is fitted to the inliers of a "
            "segmenter that is done (`open-set-train flow detector`), where the paper's is trained along, with negatives.\n\n" +
            table(["negatives", *COMPONENTS], body))


def flow_losses(rows):
    body = []
    for name, loss in LOSSES.items():
        found = rows.get(name, [])
        for of_seeds, lines in [(str(len(found)), found), *((f"seed {line['seed']}", [line]) for line in found[:1] if len(found) > 1)]:
            if lines:
                body.append([loss, of_seeds, percent(of(lines, "ap", "hybrid")), percent(of(lines, "fpr95", "hybrid"))])
    if not body:
        return ""
    return ("### What the flow learns from the segmenter (Table IX)\n\nHybrid score.\n\n" +
            table(["loss of the flow", "seeds", "AP", "FPR95"], body))


def mixtures(rows):
    """By b, each seed with its AP."""
    points = []
    for name, found in rows.items():
        b = {"flow": 0.0, "cut-outs": 1.0}.get(name)
        if name.startswith("mixture"):
            b = float(name.split("=")[1])
        if b is not None:
            points.append((b, [(line["seed"], 100 * line["scores"]["hybrid"]["ap"]) for line in found]))
    return sorted(points)


def lines_of(points):
    """Of each seed that is there at every b, its APs by b."""
    of_all = set.intersection(*({seed for seed, _ in seeds} for _, seeds in points)) if points else set()
    return [(seed, [(b, dict(seeds)[seed]) for b, seeds in points]) for seed in sorted(of_all)]


def shares(rows):
    if len(mixtures(rows)) < 2:
        return ""
    said = "; ".join(f"of seed {seed}: {', '.join(f'{ap:.2f} at b = {b:g}' for b, ap in line)}" for seed, line in lines_of(mixtures(rows)))
    return ("### Real and synthetic mixed (Fig. 9)\n\nb of eq. (18) is the share of cut-outs among the negatives. "
            f"Hybrid AP {said}.\n\n![AP against b](ablation-mixture.png)\n\nA dot is a seed; the line is of the seed that all have.\n")


def changes(tried, found):
    """Rows of one seed, beside the same seed of the row that they change."""
    lines = [("as it is", line) for line in found[tried["of"]] if line["seed"] in tried["seeds"]]
    lines += [(row["name"], line) for row in tried["rows"] for line in found[row["name"]]]
    body = [[name, *(percent(of([line], figure, "hybrid")) for figure in ("ap", "fpr95")), percent([line["miou"]])]
            for name, line in lines]
    if not body:
        return ""
    return (f"### The row {tried['of']} with something changed\n\nIts recipe is that of `camvid-lite0-syn`; each line is without one "
            f"of its choices, or with another one. Hybrid score, %, seed {', '.join(map(str, tried['seeds']))}. What is closer together "
            "than the spread of the row's seeds above is no difference.\n\n" + table([tried["of"], "AP", "FPR95", "mIoU"], body))


def cost(rows):
    trained = {name: found for name, found in rows.items() if found[0]["trained"]}
    seconds = {name: statistics.median(line["seconds_per_step"] for line in found) for name, found in trained.items()}
    cores = {name: "/".join(sorted({str(line["cores"]) for line in found})) for name, found in trained.items()}
    body = [[name, cores[name], f"{seconds[name]:.2f}", f"{statistics.median(line['minutes'] for line in found):.1f}"]
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
    for _, line in lines_of(points):
        axes.plot(*zip(*line), "-", color="#4c78a8")
    for b, of_seeds in points:
        axes.plot([b] * len(of_seeds), [ap for _, ap in of_seeds], "k.", markersize=6)
    axes.set_xlabel("b, the share of cut-outs among the negatives")
    axes.set_ylabel("AP on camvid-static, %")
    save(figure, "ablation-mixture.png")
