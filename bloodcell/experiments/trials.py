"""Train one spec several times with different seeds: how far its metrics spread, and how many trials converge."""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bloodcell.core.progress import Control
from bloodcell.experiments.results.trials import TrialRow, TrialsSummary, write_trials
from bloodcell.training.fitting.cross_validation import (
    FinalMetrics,
    compute_final_metrics,
    format_selection_note,
    predict_fold,
)
from bloodcell.training.fitting.run_setup import TrainingRun, open_training_run
from bloodcell.training.output.history import HistoryRow
from bloodcell.training.output.result_folder import TRIALS_TABLE, write_table
from bloodcell.training.samples.samples import OOD
from bloodcell.training.specs.choices import METRICS
from bloodcell.training.specs.trials_spec import TrialsSpec, describe_convergence_rule, has_converged, summarise_spread


def run_trials(work_dir: Path, spec: TrialsSpec, data_dir: Path, cache_dir: Path, control: Control) -> TrialsSummary:
    """Run the trials inside one folder, resuming where an earlier call ended; finished trials are not run again.

    After each trial its row is in trials.csv of `work_dir`. In the end the folder `result` has trials.json, trials.csv
    and the history of each trial. No model is kept.

    Parameters
    ----------
    work_dir : Path
        Folder of the run.
    spec : TrialsSpec
        The training spec, and how many trials.
    data_dir : Path
        Folder that the sources' paths start from.
    cache_dir : Path
        Folder for crops, shared by runs.
    control : Control
        Follows the trials, as fits, and may stop them.

    Returns
    -------
    TrialsSummary
        Contents of trials.json.

    Raises
    ------
    StoppedError
        If the user stopped them; the finished epochs are kept.
    RunError
        If the checkpoints are of another run.
    DatasetError
        If a source cannot be read, or a class has no cell.
    """
    training_run = open_training_run(work_dir, spec.train, data_dir, cache_dir, spec.n, control)
    rows = _run_each(work_dir, spec, training_run)
    summary = _summarise(spec, training_run, rows)
    write_trials(work_dir, summary, training_run.context.checkpoints.read_history())
    return summary


def _run_each(work_dir: Path, spec: TrialsSpec, training_run: TrainingRun) -> list[TrialRow]:
    train, control = spec.train, training_run.context.control
    held_out = training_run.take_fold(train.fold)
    rows: list[TrialRow] = []
    for trial, seed in enumerate(spec.seeds, start=1):
        control.log(f"trial {trial} of {spec.n}, seed {seed}")
        outputs, epochs = predict_fold(replace(training_run, spec=replace(train, seed=seed)), train.fold, trial)
        metrics = compute_final_metrics(held_out, outputs)
        rows.append(_build_row(trial, seed, metrics, epochs, len(train.class_names)))
        write_table(work_dir / TRIALS_TABLE, rows)
        control.log(f"trial {trial}: {'converged' if rows[-1]['converged'] else 'did not converge'}, {rows[-1]}")
    return rows


def _build_row(trial: int, seed: int, metrics: FinalMetrics, epochs: Sequence[HistoryRow], n_classes: int) -> TrialRow:
    losses = [epoch.loss for epoch in epochs]
    finite_losses = [loss if math.isfinite(loss) else None for loss in losses]
    return {
        "trial": trial,
        "seed": seed,
        **metrics,
        "epochs": len(epochs),
        "first_loss": finite_losses[0] if finite_losses else None,
        "last_loss": finite_losses[-1] if finite_losses else None,
        "converged": has_converged(metrics["balanced_accuracy"], losses, n_classes),
        "seconds": epochs[-1].seconds if epochs else None,
    }


def _summarise(spec: TrialsSpec, training_run: TrainingRun, rows: list[TrialRow]) -> TrialsSummary:
    train, held_out = spec.train, training_run.take_fold(spec.train.fold)
    has_class = held_out.class_index != OOD
    n_converged = sum(row["converged"] for row in rows)
    return {
        "kind": "trials",
        "name": train.name,
        "n": spec.n,
        "rule": describe_convergence_rule(len(train.class_names)),
        "converged": n_converged,
        "converged_share": round(n_converged / spec.n, 4),
        "figures": {name: summarise_spread([row[name] for row in rows]) for name in METRICS},
        "validation": {
            "protocol": f"fold {train.fold} of {train.folds}, source cells that no trial was trained on",
            "leaky": training_run.leaky,
            "note": format_selection_note(train),
            "images": int(has_class.sum()),
            "source_cells": len(np.unique(held_out.group[has_class])),
            "no_cell": training_run.samples.no_cell,
        },
        "trials": rows,
        "seconds": round(time.time() - training_run.started),
        "training": train.to_dict(),
    }
