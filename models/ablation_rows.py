"""What rows the ablation has, the settings that each is trained by, and which of them are in ablation.jsonl."""

import copy
import functools
import hashlib
import io
import json
from pathlib import Path

from ruamel.yaml import YAML

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent
KEPT = HERE / "ablation.jsonl"
# Where the programs are run: settings that name it do not change with the checkout's place. `make train-syn` begins
# with the same one.
FLOW = Path("target/train/flow/flow.safetensors")


def plan():
    return read(HERE / "ablation.yaml")


@functools.cache
def schedule():
    return read(CHECKOUT / "config/train/ablation.yaml")


def read(path):
    return YAML(typ="safe").load(path)


def every(plan):
    """All rows, those that are another one with something changed too."""
    tried = plan["tried"]
    base = next(row for row in plan["rows"] if row["name"] == tried["of"])
    return plan["rows"] + [{**base, "seeds": tried["seeds"], **row} for row in tried["rows"]]


def changed(old, new):
    """A part of settings with another's in it; what is null there is left out."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    merged = {**old, **{key: changed(old.get(key), value) for key, value in new.items()}}
    return {key: value for key, value in merged.items() if value is not None}


def results(plan):
    """The last line of each row and seed that is of the settings as they stand now."""
    lines = [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []
    rows = {row["name"]: row for row in every(plan)}
    return {(line["row"], line["seed"]): line for line in lines
            if line["row"] in rows and line["settings"] == digest(settings(plan, rows[line["row"]], line["seed"], line["closed_set"]))}


def settings(plan, row, seed, closed_set):
    """The schedule with the row's negatives; the first lines say what else it begins with."""
    settings = copy.deepcopy(schedule())
    phase = changed(settings["phases"][0], row.get("phase", {}))
    settings["phases"] = [phase]
    settings["seed"] = seed
    begin = f"# {row['name']}, from the closed-set checkpoint {closed_set}\n"
    if "sources" in row:
        phase["negatives"]["sources"] = row["sources"]
    if "generator" in row:
        settings["generator"] = {key: value for key, value in row["generator"].items() if value is not None}
    if "lessons" in row:
        phase["generator"] = row["lessons"]
    if begins_fitted(row):
        settings["generator"]["pretrained"] = str(FLOW)
        begin += f"# and the flow that {plan['flow']} fits, {digest((CHECKOUT / plan['flow']).read_text())}\n"
    text = io.StringIO()
    # By way of JSON, which has no aliases.
    YAML().dump(json.loads(json.dumps(settings)), text)
    return begin + text.getvalue()


def begins_fitted(row):
    """Whether its generator is a flow that was fitted before; `pretrained: null` begins with a fresh one."""
    generator = row.get("generator", {})
    return generator.get("kind") == "flow" and "pretrained" not in generator


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()
