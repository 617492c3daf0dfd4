"""Measure how strong the stain augmentation should be, so that cells of another laboratory are still recognised.

Networks trained on pbc alone are scored on kaggle-wbc TRAIN (every eighth image) and on wbc-masks. Writes
docs/measured/stain_variation.json.

    python benchmarks/measure_stain_augmentation.py --runs DIR

A run that is in DIR already is not trained again (about five minutes each on one core). What is chosen for a model that is
later scored on one of the two laboratories must be chosen on the other.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from measurements import DATA, PROJECT, require_path, write_measurement
from scoring import score_model

from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.source_spec import (
    SourceSpec,
    assign_source_cells,
    list_source_records,
    open_source_file,
)
from bloodcell.datasets.sources.contents import Contents
from bloodcell.imaging.augment import Augmentation
from bloodcell.imaging.scale import ScalingName
from bloodcell.training.specs.train_spec import TrainSpec

STRONG = Augmentation(zoom=0.25, stain=0.5, mixing=0.15, light=8.0, blur=0.4)
VERY_STRONG = replace(STRONG, stain=0.7, mixing=0.3, light=10.0, blur=0.5)
RUNS: dict[str, tuple[ScalingName, Augmentation]] = {
    "strong": ("-1..1", STRONG),
    "very strong": ("-1..1", VERY_STRONG),
    "strong, own levels": ("crop", STRONG),
    "very strong, own levels": ("crop", VERY_STRONG),
}
EVERY = 8
METRIC_NAMES = ("images", "source_cells", "accuracy", "interval", "balanced_accuracy", "recall")


def build_spec(name: str) -> TrainSpec:
    scaling, augmentation = RUNS[name]
    source = SourceSpec("pbc", "pbc.zip", groups="each", weight=0.5)
    short: dict[str, Any] = {"context": 1.25, "epochs": 6, "images_per_epoch": 3000, "unknown_share": 0.1}
    return TrainSpec(name=name, sources=(source,), scaling=scaling, augment=augmentation, **short)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True)
    runs = parser.parse_args().runs
    train = Contents(require_path(DATA / "kaggle-wbc" / "TRAIN"))
    train_records = list_source_records(SourceSpec("TRAIN", "TRAIN"), train)[::EVERY]
    masks, mask_records = open_source_file(PROJECT / "specs" / "wbc-masks.json")
    sets = {
        "kaggle-wbc TRAIN": (train, train_records, assign_source_cells("pixels", train, train_records)),
        "wbc-masks": (masks, mask_records, np.arange(len(mask_records))),
    }
    write_measurement(
        "stain_variation",
        {
            name: {
                one: score_model(_train_if_missing(name, runs), *images_and_records, METRIC_NAMES)
                for one, images_and_records in sets.items()
            }
            for name in RUNS
        },
    )


def _train_if_missing(name: str, runs: Path) -> Path:
    folder = runs / name.replace(",", "").replace(" ", "-")
    if not folder.is_dir():
        from bloodcell.core.progress import Control
        from bloodcell.training.fitting.train import train

        cache = load_settings().home / "cache"
        cache.mkdir(parents=True, exist_ok=True)
        train(build_spec(name), DATA, folder, cache, Control())
    return folder


if __name__ == "__main__":
    main()
