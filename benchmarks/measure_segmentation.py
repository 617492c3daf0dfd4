"""Measure every way to segment against the true masks of all 300 wbc-masks: Dice of nucleus and of whole cell."""

from typing import Any

import numpy as np
import pandas as pd
from measurements import DATA, PROJECT, require_path, write_measurement

from bloodcell.datasets.catalog.exploration import compare_methods
from bloodcell.datasets.catalog.source_spec import open_source_file
from bloodcell.datasets.masks.true_masks import pair_masks
from bloodcell.evaluation.metrics.bootstrap import cluster_bootstrap
from bloodcell.imaging.segment import METHODS


def summarise_values(values: np.ndarray) -> dict[str, Any]:
    """Mean over images with a 95 % bootstrap interval over images, and the median."""
    interval = cluster_bootstrap(lambda rows: float(values[rows].mean()), np.arange(len(values)))
    return {
        "mean": round(float(values.mean()), 4),
        "interval": [round(edge, 4) for edge in interval],
        "median": round(float(np.median(values)), 4),
    }


def summarise_method(rows: pd.DataFrame) -> dict[str, Any]:
    return {
        "dice_nucleus": summarise_values(rows["dice_nucleus"].to_numpy()),
        "dice_cell": summarise_values(rows["dice_cell"].to_numpy()),
        "area_share_median": round(float(rows["area_share"].median()), 4),
    }


def main() -> None:
    require_path(DATA / "wbc-masks")
    images, records = open_source_file(PROJECT / "specs" / "wbc-masks.json")
    records, mask_by_image = pair_masks(images, records)
    compared = compare_methods(images, records, mask_by_image)
    if compared.problems or compared.n_masks != len(records):
        raise SystemExit(f"error: not every image has a mask that can be used: {compared.problems[:3]}.")
    table = compared.table
    write_measurement(
        "segmentation",
        {
            "images": compared.n_images,
            "methods": {method: summarise_method(table[table["method"] == method]) for method in METHODS},
        },
    )


if __name__ == "__main__":
    main()
