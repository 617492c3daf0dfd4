"""The result of k-fold: metrics of all cells, and of each fold when it was held out."""

from typing import Any

import pandas as pd
import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.experiments.results.k_fold import read_kfold
from bloodcell.jobs.store import Job
from bloodcell.plots.experiments import plot_runs
from bloodcell.plots.theme import format_label
from bloodcell.reports.numbers import format_number
from bloodcell.ui.shared.image_grid import NO_MODEBAR
from bloodcell.ui.train.results.wording import format_share, show_remarks, show_runs

FOLD = "Fold"


def show(job: Job) -> None:
    """Show the metrics of a finished k-fold; RunError where their folder is gone or damaged."""
    result = read_kfold(load_settings().runs_dir / job.result)
    metrics = result.metrics
    tiles = {
        "Accuracy": format_share(metrics["accuracy"], metrics["interval"]),
        "Balanced accuracy": format_share(metrics["balanced_accuracy"], metrics["balanced_interval"]),
        "Log loss": format_number(metrics["log_loss"]),
        "Source cells": f"{metrics['source_cells']:,}",
        "Images": f"{metrics['images']:,}",
    }
    for column, (name, value) in zip(st.columns([3, 3, 2, 2, 2]), tiles.items(), strict=True):
        column.metric(name, value)
    st.caption("In brackets: the 95 % interval over source cells.")
    show_remarks(result.remarks, result.leaky)
    folds = result.folds.assign(fold=result.folds["fold"] + 1)  # people count from 1
    left, right = st.columns(2, gap="medium")
    with left:
        show_runs(folds, f"train-parts-{job.id}", {"fold": FOLD})
        st.dataframe(_make_metrics_table(metrics), hide_index=True, key=f"train-kfold-{job.id}")
    means = {name: metrics[name] for name in ("accuracy", "balanced_accuracy")}
    right.plotly_chart(
        plot_runs(folds, FOLD, means, "all cells, with the interval of the accuracy", metrics["interval"]),
        config=NO_MODEBAR,
        key=f"train-kfold-dots-{job.id}",
        alt="Accuracy and balanced accuracy of every fold, with those of all cells",
    )


def _make_metrics_table(metrics: dict[str, Any]) -> pd.DataFrame:
    """Make the table of the other metrics of all cells: of the statuses, and the recall of each class."""
    rows = {
        "Accuracy where confident": format_share(metrics["confident_right"]),
        "Flagged for review": format_share(metrics["held_back"]),
        "Calibration error": format_share(metrics["ece"]),
    }
    for name, recall in metrics["recall"].items():
        rows[f"Recall, {format_label(name)}"] = format_share(recall["recall"], recall["interval"] or ())
    return pd.DataFrame({"All cells": list(rows), " ": list(rows.values())})
