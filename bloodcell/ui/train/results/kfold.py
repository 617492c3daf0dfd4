"""The result of k-fold: figures of all cells, and of each part when it was held out."""

from typing import Any

import pandas as pd
import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.experiments.results.read import read_kfold
from bloodcell.jobs.store import Job
from bloodcell.plots.experiments import plot_runs
from bloodcell.plots.theme import format_label
from bloodcell.ui.shared.image_grid import NO_MODEBAR
from bloodcell.ui.train.results.wording import format_number, format_percent, show_remarks, show_runs

FOLD = "Part"


def show(job: Job) -> None:
    """Show the figures of finished k-fold; RunError where their folder is gone or damaged."""
    result = read_kfold(load_settings().runs_dir / job.result)
    metrics = result.metrics
    shown = {
        "Accuracy": format_percent(metrics["accuracy"], metrics["interval"]),
        "Balanced accuracy": format_percent(metrics["balanced_accuracy"], metrics["balanced_interval"]),
        "Log loss": format_number(metrics["log_loss"]),
        "Source cells": f"{metrics['source_cells']:,}",
        "Pictures": f"{metrics['images']:,}",
    }
    for column, (name, words) in zip(st.columns([3, 3, 2, 2, 2]), shown.items(), strict=True):
        column.metric(name, words)
    st.caption("In brackets: the range that holds the true value with 95 % probability, over source cells.")
    show_remarks(result.remarks, result.leaky)
    folds = result.folds.assign(part=result.folds["fold"] + 1)
    left, right = st.columns(2, gap="medium")
    with left:
        show_runs(folds[["part", *result.folds.columns]], f"train-parts-{job.id}", {"part": FOLD})
        st.dataframe(_make_metrics_table(metrics), hide_index=True, key=f"train-kfold-{job.id}")
    means = {name: metrics[name] for name in ("accuracy", "balanced_accuracy")}
    right.plotly_chart(
        plot_runs(folds, FOLD, means, "all cells, with the interval of the accuracy", metrics["interval"]),
        config=NO_MODEBAR,
        key=f"train-kfold-dots-{job.id}",
        alt="Accuracy and balanced accuracy of every part, with those of all cells",
    )


def _make_metrics_table(metrics: dict[str, Any]) -> pd.DataFrame:
    """What else is known of all cells: how far to trust the statuses, and each class."""
    rows = {
        "Confident and right": format_percent(metrics["confident_right"]),
        "Held back for a look": format_percent(metrics["held_back"]),
        "Calibration error": format_percent(metrics["ece"]),
    }
    for name, one in metrics["recall"].items():
        rows[f"{format_label(name)} found"] = format_percent(one["recall"], one["interval"] or ())
    return pd.DataFrame({"Of all cells": list(rows), " ": list(rows.values())})
