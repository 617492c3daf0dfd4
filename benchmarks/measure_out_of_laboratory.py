"""Score models on a laboratory that they have not seen, before and after adapting them on at most 100 of its cells.

Writes docs/measured/out_of_laboratory.json.

    python benchmarks/measure_out_of_laboratory.py --bccd RUN --wbc-masks RUN [--seeds 0 1 2]

RUN of a laboratory is a model that learned without it: for bccd specs/without-bccd.json, for wbc-masks the shipped
wbc4-other-stains.
A cell of bccd is a field that kaggle-wbc's table gives one label; photographs of one cell, found from the pixels, stay
together. The cells to adapt on are drawn evenly from the classes, at most half of a class, by each seed anew;
the adapted model is scored on all the others. Nothing was chosen by these metrics: see docs/results.md.
"""

import argparse
import csv
import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from measurements import DATA, PROJECT, require_path, write_measurement
from scoring import score_model

from bloodcell.core.errors import RunError
from bloodcell.core.progress import Control
from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.source_spec import (
    SourceSpec,
    assign_source_cells,
    list_source_records,
    open_source_file,
)
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.experiments.adapt import MODEL_DIR, run_adapt
from bloodcell.training.specs.adapt_spec import AdaptSpec

MAX_CELLS = 100
HELD_SHARE = 0.2
BARS = {"bccd": (0.60, 0.85), "wbc-masks": (0.62, 0.85)}
METRIC_NAMES = (
    "images",
    "source_cells",
    "accuracy",
    "interval",
    "balanced_accuracy",
    "recall",
    "confident_right",
    "held_back",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bccd", type=Path, required=True)
    parser.add_argument("--wbc-masks", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    measured = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, model, copy_images in (("bccd", args.bccd, copy_bccd), ("wbc-masks", args.wbc_masks, copy_masks)):
            copy_images(Path(folder) / name)
            measured[name] = score_laboratory(name, require_path(model), Path(folder), args.seeds)
    write_measurement("out_of_laboratory", measured)


def copy_bccd(folder: Path) -> None:
    """Copy the fields that have one label, a folder a class."""
    with require_path(DATA / "kaggle-wbc" / "labels.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            field = DATA / "bccd" / "JPEGImages" / f"BloodImage_{int(row['Image']):05}.jpg"
            label = row["Category"].strip()
            if label.isalpha() and label != "BASOPHIL" and field.is_file():
                _copy(field, folder / label)


def copy_masks(folder: Path) -> None:
    """Copy wbc-masks, a folder a class; its one basophil is of no class that the model knows."""
    images, records = open_source_file(PROJECT / "specs" / "wbc-masks.json")
    for record in records:
        if record.label != "BASOPHIL":
            _copy(images.path / record.file, folder / record.label)


def _copy(file: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, folder / file.name)


def score_laboratory(name: str, model: Path, data_dir: Path, seeds: list[int]) -> dict[str, Any]:
    images = Contents(data_dir / name)
    records = list_source_records(SourceSpec(name, name), images)
    groups = assign_source_cells("pixels" if name == "bccd" else "each", images, records)
    before = score_model(model, images, records, groups, METRIC_NAMES)
    print(name, before, flush=True)
    adapted = []
    for seed in seeds:
        chosen = choose_images(records, groups, seed)
        rest = np.flatnonzero(~chosen)
        for row in np.flatnonzero(chosen):
            cells = data_dir / f"{name}-{seed}"
            _copy(data_dir / name / records[row].file, cells / records[row].label)
        outcome: dict[str, Any] = {"seed": seed, "cells": int(chosen.sum())}
        outcome |= adapt_model(model, data_dir, cells.name, seed)
        some = [records[row] for row in rest]
        new = Path(outcome.pop("folder"))
        outcome["rest_before"] = score_model(model, images, some, groups[rest], METRIC_NAMES)
        outcome["rest_after"] = score_model(new, images, some, groups[rest], METRIC_NAMES)
        adapted.append(outcome)
        print(name, outcome, flush=True)
    accuracies = [one["rest_after"]["accuracy"] for one in adapted]
    bars = dict(zip(("unseen", "adapted"), BARS[name], strict=True))
    mean = {"adapted_mean_accuracy": round(float(np.mean(accuracies)), 4)}
    return {"bars": bars, "unseen": before, "adapted": adapted} | mean


def choose_images(records: list[Record], groups: np.ndarray, seed: int) -> np.ndarray:
    """Which images to adapt on, bool (N,): whole groups, class by class in turn, at most half of each class."""
    rng = random.Random(seed)
    sizes = Counter(record.label for record in records)
    taken: Counter[str] = Counter()
    waiting: dict[str, list[int]] = {label: [] for label in sorted(sizes)}
    label_of = {int(group): record.label for group, record in zip(groups, records, strict=True)}
    for group, label in label_of.items():
        waiting[label].append(group)
    for some in waiting.values():
        rng.shuffle(some)
    chosen = np.zeros(len(records), bool)
    while any(waiting.values()):
        for label, some in waiting.items():
            rows = np.flatnonzero(groups == some.pop()) if some else np.array([], int)
            fits = taken[label] + len(rows) <= sizes[label] // 2 and chosen.sum() + len(rows) <= MAX_CELLS
            if len(rows) and fits:
                chosen[rows] = True
                taken[label] += len(rows)
    return chosen


def adapt_model(model: Path, data_dir: Path, cells: str, seed: int) -> dict[str, Any]:
    """Adapt as the app does; the model before, where the new one was refused."""
    work_dir, settings = data_dir / f"{cells}-run", load_settings()
    cache = settings.home / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    source = SourceSpec(cells, cells, groups="each")
    spec = AdaptSpec(cells, str(model), source, held_share=HELD_SHARE, seed=seed)
    try:
        report = run_adapt(work_dir, spec, model, data_dir, cache, Control())
    except RunError as error:
        return {"folder": str(model), "refused": str(error)}
    return {"folder": str(work_dir / MODEL_DIR), "seconds": report["seconds"]}


if __name__ == "__main__":
    main()
