"""models/ablation.py: the page is that of the rows that are kept, and these are of the settings as they are."""

import importlib
import json
import sys
from pathlib import Path

import pytest

MODELS = Path(__file__).resolve().parents[2] / "models"


@pytest.fixture
def ablation(monkeypatch):
    monkeypatch.syspath_prepend(MODELS)
    yield importlib.import_module("ablation")
    for name in ("ablation", "ablation_page", "ablation_rows"):
        sys.modules.pop(name, None)


@pytest.fixture
def plan(ablation):
    return ablation.ablation_rows.plan()


def test_every_row_was_trained_by_the_settings_as_they_are_and_is_on_the_page(ablation, plan):
    page = ablation.ablation_page
    text, rows, missing = page.text(plan, ablation.schedule(), ablation.results(plan))
    assert not missing
    assert rows.keys() == {row["name"] for row in plan["rows"]}
    # Where this fails, models/ablation.py --page writes it.
    assert text == (MODELS / "README.md").read_text().split(page.BEGIN)[1].split(page.END)[0]


def test_rows_of_other_settings_are_missing(ablation, plan):
    plan["tried"]["rows"][-1]["phase"] = {"steps": 201}
    next(row for row in plan["rows"] if row["name"] == "noise")["sources"][0]["sides"] = [16, 64]
    _, rows, missing = ablation.ablation_page.text(plan, ablation.schedule(), ablation.results(plan))
    assert missing == ["noise (seeds: 3)", "200 steps (seeds: 1)"]
    assert "noise" not in rows and "flow" in rows


def test_a_change_is_of_what_it_names_alone(ablation):
    old = {"objective": {"margin": {"inlier": -10, "weight": 0.05}, "beta4": 0.03}, "steps": 100}
    assert ablation.ablation_rows.changed(old, {}) == old
    assert ablation.ablation_rows.changed(old, {"objective": {"margin": {"weight": 0.2}}})["objective"] == {
        "margin": {"inlier": -10, "weight": 0.2}, "beta4": 0.03}
    assert ablation.ablation_rows.changed(old, {"objective": {"margin": None}}) == {"objective": {"beta4": 0.03}, "steps": 100}


def test_what_was_stopped_begins_nothing_more(ablation, plan, tmp_path, monkeypatch):
    checkpoint = tmp_path / "closed.safetensors"
    checkpoint.write_bytes(b"weights")
    monkeypatch.setattr(ablation, "WORK", tmp_path / "work")
    monkeypatch.setattr(ablation.ablation_rows, "KEPT", tmp_path / "kept.jsonl")

    class Args:
        data, closed_set = tmp_path, checkpoint

    work = ablation.Work(Args, plan)
    work.stopped.set()
    noise = next(row for row in plan["rows"] if row["name"] == "noise")
    assert ablation.train(work, [(noise, 1)], [[0]]) == ["noise (1)"]
    assert not (tmp_path / "kept.jsonl").exists()
    kept = json.dumps({"row": "noise", "seed": 1, "closed_set": work.closed_set, "settings": "another"})
    (tmp_path / "kept.jsonl").write_text(kept + "\n")
    assert ablation.results(plan) == {}
