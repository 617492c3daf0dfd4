"""Measure what copies do to an accuracy: one spec on kaggle-wbc TRAIN, split closed over source cells and at random.

    python benchmarks/measure_leaky_split.py --workers 2

Both trainings learn from as many images and are asked about as many; only the split differs. In the random one (the
source's `groups` set to "each") copies of a held-out image are in the training data. TEST is not touched. Intervals are over
source cells in both rows. Each training runs on one core.
"""

import argparse
from dataclasses import replace

import numpy as np
from measure_imbalance import WITHOUT_SHORTAGE, add_options, concatenate_predictions, read_variants, train_all
from measurements import DATA, require_path, write_measurement

from bloodcell.core.settings import load_settings
from bloodcell.evaluation.metrics.measure import summarise_metrics
from bloodcell.inference.engine import Engine
from bloodcell.training.samples.engine_predictions import predict_with_engine
from bloodcell.training.samples.folds import assign_folds
from bloodcell.training.samples.samples import OOD, load_samples
from bloodcell.training.specs.train_spec import TrainSpec

CLOSED, AT_RANDOM = "source cells kept together", "images at random (leaky)"
METRIC_NAMES = (
    "images",
    "source_cells",
    "accuracy",
    "interval",
    "plain_interval",
    "balanced_accuracy",
    "balanced_interval",
    "recall",
)


def build_specs() -> dict[str, TrainSpec]:
    """Name of the split -> spec."""
    closed = read_variants()[WITHOUT_SHORTAGE]
    alone = tuple(replace(source, groups="each") for source in closed.sources)
    return {CLOSED: closed, AT_RANDOM: replace(closed, name="leaky", sources=alone)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    args = parser.parse_args()
    require_path(DATA / "kaggle-wbc" / "TRAIN")
    cache_dir = load_settings().home / "cache"
    wanted = build_specs()
    cells = load_samples(wanted[CLOSED], DATA, cache_dir)
    run_folders = train_all(wanted, args)
    measured = {}
    for name, spec in wanted.items():
        folds = assign_folds(spec, load_samples(spec, DATA, cache_dir))
        known = cells.class_index != OOD
        parts = [
            predict_with_engine(Engine(run_folders[name, fold] / "run"), cells.take((folds == fold) & known))
            for fold in args.folds
        ]
        found = summarise_metrics(concatenate_predictions(parts))
        learned = [set(cells.group[(folds != fold) & known].tolist()) for fold in args.folds]
        held = [cells.group[(folds == fold) & known] for fold in args.folds]
        also = [np.isin(groups, list(seen)) for groups, seen in zip(held, learned, strict=True)]
        measured[name] = {
            "share_with_a_learned_copy": round(float(np.concatenate(also).mean()), 4),
            **{figure: found[figure] for figure in METRIC_NAMES},
        }
    write_measurement(
        "leaky_split",
        {
            "protocol": f"folds {args.folds} of {wanted[CLOSED].folds} of kaggle-wbc TRAIN held out, one training each;"
            " images in which no cell was found are left out",
            "training": {
                name: getattr(wanted[CLOSED], name)
                for name in ("model", "stage_widths", "height_px", "epochs", "images_per_epoch", "seed")
            },
            "splits": measured,
        },
    )


if __name__ == "__main__":
    main()
