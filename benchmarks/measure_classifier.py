"""Score models on kaggle-wbc TEST and on wbc-masks, by the same pipeline as the app.

    python benchmarks/measure_classifier.py --shipped models/wbc4 --alone RUN RUN RUN

`--alone` are runs trained on kaggle-wbc TRAIN alone (specs/train-only.json with seeds 0, 1, 2). TEST is scored once per
model and nothing is chosen by it. Copies of one cell are found from the pixels (bloodcell/datasets/copies/groups.py).
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from measurements import DATA, PROJECT, require_path, write_measurement
from scoring import score_model, write_tests

from bloodcell.datasets.catalog.source_spec import assign_source_cells, open_source_file
from bloodcell.datasets.labels.listing import list_sorted_records
from bloodcell.datasets.sources.contents import Contents

METRIC_NAMES = (
    "images",
    "source_cells",
    "not_answered",
    "accuracy",
    "interval",
    "plain_interval",
    "balanced_accuracy",
    "balanced_interval",
    "vote_accuracy",
    "vote_interval",
    "recall",
    "ece",
    "confident_right",
    "held_back",
    "wrong_not_confident",
    "status",
    "confusion",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shipped", type=Path, default=PROJECT / "models" / "wbc4")
    parser.add_argument("--alone", type=Path, nargs="*", default=[])
    parser.add_argument("--groups", default="pixels", help="source cells of TEST: pixels, or a CSV (file,group)")
    args = parser.parse_args()
    test = Contents(require_path(DATA / "kaggle-wbc" / "TEST"))
    test_records = list_sorted_records(test.path)
    groups = assign_source_cells(args.groups, test, test_records)
    masks, mask_records = open_source_file(PROJECT / "specs" / "wbc-masks.json")
    each = np.arange(len(mask_records))
    alone = [score_model(folder, test, test_records, groups, METRIC_NAMES) for folder in args.alone]
    measured: dict[str, Any] = {
        "shipped_test": score_model(args.shipped, test, test_records, groups, METRIC_NAMES),
        "shipped_masks": score_model(args.shipped, masks, mask_records, each, METRIC_NAMES),
        "alone_test": alone,
        "alone_masks": [score_model(folder, masks, mask_records, each, METRIC_NAMES) for folder in args.alone],
    }
    if alone:
        accuracies = [one["accuracy"] for one in alone]
        measured["alone_mean_accuracy"] = round(float(np.mean(accuracies)), 4)
        measured["alone_sd_accuracy"] = round(float(np.std(accuracies, ddof=1)), 4) if len(alone) > 1 else None
    write_measurement("classifier", measured)
    tests = {
        "kaggle-wbc TEST": measured["shipped_test"],
        "wbc-masks, a laboratory it has not seen": measured["shipped_masks"],
    }
    write_tests(args.shipped, tests)


if __name__ == "__main__":
    main()
