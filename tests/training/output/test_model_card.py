"""The model card says what metrics.json says."""

import json

from bloodcell.evaluation.metrics.measure import summarise_metrics
from bloodcell.training.output.model_card import write_model_card
from tests.evaluation.made import NAMES, made_evaluation


def test_the_card_prints_the_numbers_of_the_metrics(tmp_path):
    measured = summarise_metrics(made_evaluation(40).to_predictions(), 60)
    part = {"images": 40, "accuracy": 0.7125, "confident_right": None, "held_back": 0.225}
    metrics = {
        "parameters": 12345,
        "seconds": 600,
        "tests": {"Drawn": measured},
        "validation": {"protocol": "folds", "per_source": {"drawn": part}},
    }
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    kept = json.loads((tmp_path / "metrics.json").read_text())
    description = {
        "name": "net",
        "title": "A net",
        "class_names": list(NAMES),
        "side_px": 32,
        "context": 1.2,
        "training": {"model": "small", "seed": 1, "sources": []},
        "data": {"drawn": dict.fromkeys(NAMES, 10) | {"cells": 20, "unknown": 0}},
    }
    write_model_card(tmp_path, description, kept)
    lines = (tmp_path / "README.md").read_text(encoding="utf-8").splitlines()
    one = kept["tests"]["Drawn"]
    row = [one["images"], one["source_cells"], f"{one['accuracy']} {one['interval']}"]
    row += [f"{one['balanced_accuracy']} {one['balanced_interval']}", one["confident_right"], one["held_back"]]
    assert "| Drawn | " + " | ".join(map(str, row)) + " |" in lines
    recalls = ", ".join(f"{name} {one['recall'][name]['recall']} {one['recall'][name]['interval']}" for name in NAMES)
    assert f"Recall on Drawn: {recalls}." in lines
    assert "| drawn | 40 | 0.7125 | none | 0.225 |" in lines
    assert any("12,345 parameters" in line and "10 minutes" in line for line in lines)
