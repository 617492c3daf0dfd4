"""Several runs of one spec with different seeds: how far their figures spread, and how many converge."""

import math
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from bloodcell.core.io import write_json
from bloodcell.core.progress import Control
from bloodcell.training.fitting.cross_validation import compute_final_metrics, format_selection_note, predict_fold
from bloodcell.training.fitting.run_setup import open_training_run
from bloodcell.training.output.result_folder import (
    METRICS,
    TRIALS_FILE,
    TRIALS_TABLE,
    create_result_folder,
    write_histories,
    write_table,
)
from bloodcell.training.samples.samples import OOD
from bloodcell.training.specs.trials_spec import TrialsSpec, describe_convergence_rule, has_converged, summarise_spread


def run_trials(work_dir: Path, spec: TrialsSpec, data_dir: Path, cache_dir: Path, control: Control) -> dict[str, Any]:
    """Run the trials inside one folder, going on where an earlier call ended; finished trials are not run again.

    After each trial its row is in trials.csv of `work_dir`. In the end the folder `result` holds trials.json,
    trials.csv and the history of each trial. No model is kept.

    Parameters
    ----------
    work_dir : folder of the run
    data_dir : folder that the sources' paths start from
    cache_dir : folder for crops, shared by runs
    control : follows the trials (as fits) and may stop them

    Returns
    -------
    dict, as trials.json
        rule : of convergence, in words; converged : number of trials, converged_share
        figures : accuracy, balanced_accuracy, log_loss -> mean, sd, min, max over the trials
        trials : per trial its number, seed, figures, epochs, first_loss, last_loss, converged, seconds

    Raises
    ------
    StoppedError, RunError, DatasetError
    """
    train = spec.train
    training_run = open_training_run(work_dir, train, data_dir, cache_dir, spec.n, control)
    held_out = training_run.samples.take(training_run.folds == train.fold)
    rows = []
    for number, seed in enumerate(spec.seeds, start=1):
        control.log(f"trial {number} of {spec.n}, seed {seed}")
        outputs, epochs = predict_fold(replace(train, seed=seed), training_run, train.fold, number)
        rows.append(
            {"trial": number, "seed": seed}
            | _build_row(compute_final_metrics(held_out, outputs), epochs, len(train.class_names))
        )
        write_table(work_dir / TRIALS_TABLE, rows)
        control.log(f"trial {number}: {'converged' if rows[-1]['converged'] else 'did not converge'}, {rows[-1]}")
    converged = sum(row["converged"] for row in rows)
    known = held_out.class_index != OOD
    summary = {
        "kind": "trials",
        "name": train.name,
        "n": spec.n,
        "rule": describe_convergence_rule(len(train.class_names)),
        "converged": converged,
        "converged_share": round(converged / spec.n, 4),
        "figures": {name: summarise_spread([row[name] for row in rows]) for name in METRICS},
        "validation": {
            "protocol": f"fold {train.fold} of {train.folds}, source cells that no trial learned from",
            "leaky": training_run.leaky,
            "note": format_selection_note(train),
            "images": int(known.sum()),
            "source_cells": len(np.unique(held_out.group[known])),
            "no_cell": training_run.samples.no_cell,
        },
        "trials": rows,
        "seconds": round(time.time() - training_run.started),
        "training": asdict(train),
    }
    result = create_result_folder(work_dir)
    write_json(result / TRIALS_FILE, summary)
    write_table(result / TRIALS_TABLE, rows)
    write_histories(result, training_run.work.checkpoints.rows(), "trial")
    return summary


def _build_row(metrics: dict[str, float | None], epochs: list[dict], n_classes: int) -> dict[str, Any]:
    losses = [epoch["loss"] for epoch in epochs]
    shown = [loss if math.isfinite(loss) else None for loss in losses]
    return metrics | {
        "epochs": len(epochs),
        "first_loss": shown[0] if shown else None,
        "last_loss": shown[-1] if shown else None,
        "converged": has_converged(metrics["balanced_accuracy"] or 0.0, losses, n_classes),
        "seconds": epochs[-1]["seconds"] if epochs else None,
    }
