"""Cross-validation: every fold is left out once, and what the networks answer for the cells left out is scored."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bloodcell.core.errors import DatasetError
from bloodcell.core.io import write_whole
from bloodcell.core.progress import Control
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.splits.split import Split
from bloodcell.datasets.splits.split_file import split_csv
from bloodcell.evaluation.metrics.summary import figures
from bloodcell.evaluation.predict import predictions_csv
from bloodcell.training.fitting.cross_validation import final_figures, how_judged, out_of_fold, scored
from bloodcell.training.fitting.run_setup import Opened, open_run
from bloodcell.training.output.calibration import Outputs
from bloodcell.training.output.result_folder import KFOLD_FILE, new_result, write_histories, write_json, write_table
from bloodcell.training.samples.samples import UNKNOWN
from bloodcell.training.specs.train_spec import TrainSpec

FOLDS_TABLE, PREDICTIONS_FILE, SPLIT_FILE = "folds.csv", "predictions.csv", "split.csv"


def run_k_fold(work_dir: Path, spec: TrainSpec, data_dir: Path, cache_dir: Path, control: Control) -> dict[str, Any]:
    """Train once for each fold and score the answers out of fold, going on where an earlier call ended.

    The folder `result` holds kfold.json, folds.csv (figures of each fold), predictions.csv (a row a cell), split.csv
    (which fold each cell lay in) and the history of each fold. No model is kept; the spec's own `fold` does not matter.

    Parameters
    ----------
    work_dir : folder of the run
    data_dir : folder that the sources' paths start from
    cache_dir : folder for crops, shared by runs
    control : follows the fits and may stop them

    Returns
    -------
    dict, as kfold.json: all of `evaluation.metrics.summary.figures` over the cells of all folds, intervals over source cells,
    with probabilities and statuses as calibrated on these answers; log_loss; folds, the rows of folds.csv; no_cell,
    source -> labelled images without a white cell, which are not scored

    Raises
    ------
    StoppedError, RunError
    DatasetError
        Also if the split has no folds, or others than the spec.
    """
    opened = open_run(work_dir, spec, data_dir, cache_dir, spec.folds, control)
    there = np.unique(opened.folds).tolist()
    if there != list(range(spec.folds)):
        raise DatasetError(
            f"k-fold needs a split with the folds 0 to {spec.folds - 1}, each with cells; one into train and validation"
            f" has one part to hold out. Found: {', '.join(map(str, there))}."
        )
    outputs = out_of_fold(spec, opened)
    predictions = scored(spec, opened.samples, outputs)
    folds = [_of_fold(opened, outputs, fold) for fold in range(spec.folds)]
    summary = {
        "kind": "kfold",
        "name": spec.name,
        "n_folds": spec.folds,
        "protocol": f"each source cell answered by a run that had not learned from it ({spec.folds} folds);"
        " temperature and thresholds were set on these answers",
        "note": how_judged(spec),
        "leaky": opened.leaky,
        "log_loss": final_figures(opened.samples, outputs)["log_loss"],
        **figures(predictions),
        "no_cell": opened.samples.no_cell,
        "folds": folds,
        "seconds": round(time.time() - opened.started),
        "training": asdict(spec),
    }
    result = new_result(work_dir)
    write_json(result / KFOLD_FILE, summary)
    write_table(result / FOLDS_TABLE, folds)
    records = [Record(one.file, one.label) for one in _table(spec, opened).itertuples()]
    write_whole(result / PREDICTIONS_FILE, predictions_csv(records, predictions).encode())
    write_whole(result / SPLIT_FILE, split_csv(Split(_table(spec, opened), leaky=bool(opened.leaky), warnings=())))
    write_histories(result, opened.work.checkpoints.rows(), "fold")
    return summary


def _of_fold(opened: Opened, outputs: Outputs, fold: int) -> dict[str, Any]:
    rows = np.flatnonzero(opened.folds == fold)
    known = None if outputs.known is None else outputs.known[rows]
    held = opened.samples.take(rows)
    is_known = held.class_index != UNKNOWN
    return {
        "fold": fold,
        "images": int(is_known.sum()),
        "source_cells": len(np.unique(held.group[is_known])),
        **final_figures(held, Outputs(outputs.logits[rows], known, outputs.distance[rows])),
    }


def _table(spec: TrainSpec, opened: Opened) -> pd.DataFrame:
    """file, group, label and split of the samples of known classes."""
    samples = opened.samples
    rows = np.flatnonzero(samples.class_index != UNKNOWN)
    return pd.DataFrame(
        {
            "file": [samples.file[row] for row in rows],
            "group": [str(samples.group[row]) for row in rows],
            "label": [spec.class_names[samples.class_index[row]] for row in rows],
            "split": [f"fold{opened.folds[row]}" for row in rows],
        }
    )
