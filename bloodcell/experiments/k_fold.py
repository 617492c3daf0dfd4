"""Cross-validation: every fold is left out once, and what the networks answer for the cells left out is scored."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bloodcell.core.errors import DatasetError
from bloodcell.core.io import write_atomic, write_json
from bloodcell.core.progress import Control
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.splits.split import Split
from bloodcell.datasets.splits.split_file import encode_split_csv
from bloodcell.evaluation.metrics.measure import summarise_metrics
from bloodcell.evaluation.predict import format_predictions_csv
from bloodcell.training.fitting.cross_validation import (
    build_predictions,
    compute_final_metrics,
    format_selection_note,
    predict_out_of_fold,
)
from bloodcell.training.fitting.run_setup import TrainingRun, open_training_run
from bloodcell.training.output.calibration import Outputs
from bloodcell.training.output.result_folder import KFOLD_FILE, create_result_folder, write_histories, write_table
from bloodcell.training.samples.samples import OOD
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
    dict, as kfold.json: all of `evaluation.metrics.measure.summarise_metrics` over the cells of all folds, intervals over source cells,
    with probabilities and statuses as calibrated on these answers; log_loss; folds, the rows of folds.csv; no_cell,
    source -> labelled images without a white cell, which are not scored

    Raises
    ------
    StoppedError, RunError
    DatasetError
        Also if the split has no folds, or others than the spec.
    """
    training_run = open_training_run(work_dir, spec, data_dir, cache_dir, spec.folds, control)
    there = np.unique(training_run.folds).tolist()
    if there != list(range(spec.folds)):
        raise DatasetError(
            f"k-fold needs a split with the folds 0 to {spec.folds - 1}, each with cells; one into train and validation"
            f" has one part to hold out. Found: {', '.join(map(str, there))}."
        )
    outputs = predict_out_of_fold(spec, training_run)
    predictions = build_predictions(spec, training_run.samples, outputs)
    folds = [_score_fold(training_run, outputs, fold) for fold in range(spec.folds)]
    summary = {
        "kind": "kfold",
        "name": spec.name,
        "n_folds": spec.folds,
        "protocol": f"each source cell answered by a run that had not learned from it ({spec.folds} folds);"
        " temperature and thresholds were set on these answers",
        "note": format_selection_note(spec),
        "leaky": training_run.leaky,
        "log_loss": compute_final_metrics(training_run.samples, outputs)["log_loss"],
        **summarise_metrics(predictions),
        "no_cell": training_run.samples.no_cell,
        "folds": folds,
        "seconds": round(time.time() - training_run.started),
        "training": asdict(spec),
    }
    result = create_result_folder(work_dir)
    write_json(result / KFOLD_FILE, summary)
    write_table(result / FOLDS_TABLE, folds)
    records = [Record(one.file, one.label) for one in _build_fold_table(spec, training_run).itertuples()]
    write_atomic(result / PREDICTIONS_FILE, format_predictions_csv(records, predictions).encode())
    write_atomic(
        result / SPLIT_FILE,
        encode_split_csv(Split(_build_fold_table(spec, training_run), leaky=bool(training_run.leaky), warnings=())),
    )
    write_histories(result, training_run.work.checkpoints.rows(), "fold")
    return summary


def _score_fold(training_run: TrainingRun, outputs: Outputs, fold: int) -> dict[str, Any]:
    rows = np.flatnonzero(training_run.folds == fold)
    known = None if outputs.known is None else outputs.known[rows]
    held_out = training_run.samples.take(rows)
    is_known = held_out.class_index != OOD
    return {
        "fold": fold,
        "images": int(is_known.sum()),
        "source_cells": len(np.unique(held_out.group[is_known])),
        **compute_final_metrics(held_out, Outputs(outputs.logits[rows], known, outputs.distance[rows])),
    }


def _build_fold_table(spec: TrainSpec, training_run: TrainingRun) -> pd.DataFrame:
    """file, group, label and split of the samples of known classes."""
    samples = training_run.samples
    rows = np.flatnonzero(samples.class_index != OOD)
    return pd.DataFrame(
        {
            "file": [samples.file[row] for row in rows],
            "group": [str(samples.group[row]) for row in rows],
            "label": [spec.class_names[samples.class_index[row]] for row in rows],
            "split": [f"fold{training_run.folds[row]}" for row in rows],
        }
    )
