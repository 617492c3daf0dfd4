"""Cross-validation: train once per fold, each held out once, and measure the predictions of the held-out cells."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bloodcell.core.errors import DatasetError
from bloodcell.core.progress import Control
from bloodcell.datasets.splits.split import Split
from bloodcell.evaluation.metrics.measure import summarise_metrics
from bloodcell.experiments.results.k_fold import FoldRow, write_k_fold
from bloodcell.training.fitting.cross_validation import (
    build_predictions,
    compute_final_metrics,
    format_selection_note,
    predict_out_of_fold,
)
from bloodcell.training.fitting.run_setup import TrainingRun, open_training_run
from bloodcell.training.output.calibration import Outputs
from bloodcell.training.samples.samples import OOD
from bloodcell.training.specs.train_spec import TrainSpec


def run_k_fold(work_dir: Path, spec: TrainSpec, data_dir: Path, cache_dir: Path, control: Control) -> dict[str, Any]:
    """Train once per fold and measure the out-of-fold predictions, resuming where an earlier call ended.

    The folder `result` has kfold.json, folds.csv (metrics of each fold), predictions.csv (a row per cell), split.csv
    (the fold of each cell) and the history of each fold. No model is kept; the spec's own `fold` does not matter.

    Parameters
    ----------
    work_dir : Path
        Folder of the run.
    spec : TrainSpec
        Settings of the fits.
    data_dir : Path
        Folder that the sources' paths start from.
    cache_dir : Path
        Folder for crops, shared by runs.
    control : Control
        Follows the fits and may stop them.

    Returns
    -------
    dict
        Contents of kfold.json: all of `evaluation.metrics.measure.summarise_metrics` over the cells of all folds, with
        intervals over source cells, and probabilities and statuses as calibrated on these predictions; log_loss; folds,
        the rows of folds.csv; no_cell, source -> labelled images without a white cell, which do not count.

    Raises
    ------
    StoppedError
        If the user stopped it; the finished epochs are kept.
    RunError
        If the checkpoints are of another run, or a fold diverged.
    DatasetError
        If a source cannot be read, or the split has no folds or others than the spec.
    """
    training_run = open_training_run(work_dir, spec, data_dir, cache_dir, spec.folds, control)
    _check_folds(training_run)
    outputs = predict_out_of_fold(training_run)
    predictions = build_predictions(spec, training_run.samples, outputs)
    summary = {
        "kind": "kfold",
        "name": spec.name,
        "n_folds": spec.folds,
        "protocol": f"each source cell predicted by a fit that was not trained on it ({spec.folds} folds);"
        " temperature and thresholds were set on these predictions",
        "note": format_selection_note(spec),
        "leaky": training_run.leaky,
        "log_loss": compute_final_metrics(training_run.samples, outputs)["log_loss"],
        **summarise_metrics(predictions),
        "no_cell": training_run.samples.no_cell,
        "folds": [_measure_fold(training_run, outputs, fold) for fold in range(spec.folds)],
        "seconds": round(time.time() - training_run.started),
        "training": spec.to_dict(),
    }
    split = Split(_build_fold_table(training_run), leaky=bool(training_run.leaky), warnings=())
    write_k_fold(work_dir, summary, predictions, split, training_run.context.checkpoints.read_history())
    return summary


def _check_folds(training_run: TrainingRun) -> None:
    folds, n_folds = np.unique(training_run.folds).tolist(), training_run.spec.folds
    if folds != list(range(n_folds)):
        raise DatasetError(
            f"k-fold needs a split with the folds 0 to {n_folds - 1}, each with cells; a split into train and"
            f" validation has one part to hold out. Found: {', '.join(map(str, folds))}."
        )


def _measure_fold(training_run: TrainingRun, outputs: Outputs, fold: int) -> FoldRow:
    held_out = training_run.take_fold(fold)
    has_class = held_out.class_index != OOD
    return {
        "fold": fold,
        "images": int(has_class.sum()),
        "source_cells": len(np.unique(held_out.group[has_class])),
        **compute_final_metrics(held_out, outputs.take(training_run.folds == fold)),
    }


def _build_fold_table(training_run: TrainingRun) -> pd.DataFrame:
    """File, group, label and split of the samples of the classes."""
    samples = training_run.samples
    rows = np.flatnonzero(samples.class_index != OOD)
    return pd.DataFrame(
        {
            "file": [samples.file[row] for row in rows],
            "group": [str(samples.group[row]) for row in rows],
            "label": [training_run.spec.class_names[samples.class_index[row]] for row in rows],
            "split": [f"fold{training_run.folds[row]}" for row in rows],
        }
    )
