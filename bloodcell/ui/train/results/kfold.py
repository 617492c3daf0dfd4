"""The result of k-fold: figures of all cells, and of each part when it was held out."""

from typing import Any

import pandas as pd
import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.experiments.results.read import read_kfold
from bloodcell.jobs.store import Job
from bloodcell.plots.experiments import run_dots
from bloodcell.plots.theme import label_words
from bloodcell.ui.shared.image_rows import NO_BAR
from bloodcell.ui.train.results.wording import number, percent, show_remarks, show_runs

PART = "Part"


def show(job: Job) -> None:
    """Show the figures of finished k-fold; RunError where their folder is gone or damaged."""
    result = read_kfold(load_settings().runs_dir / job.result)
    figures = result.figures
    shown = {
        "Accuracy": percent(figures["accuracy"], figures["interval"]),
        "Balanced accuracy": percent(figures["balanced_accuracy"], figures["balanced_interval"]),
        "Log loss": number(figures["log_loss"]),
        "Source cells": f"{figures['source_cells']:,}",
        "Pictures": f"{figures['images']:,}",
    }
    for column, (name, words) in zip(st.columns([3, 3, 2, 2, 2]), shown.items(), strict=True):
        column.metric(name, words)
    st.caption("In brackets: the range that holds the true value with 95 % probability, over source cells.")
    show_remarks(result.remarks, result.leaky)
    parts = result.folds.assign(part=result.folds["fold"] + 1)
    left, right = st.columns(2, gap="medium")
    with left:
        show_runs(parts[["part", *result.folds.columns]], f"train-parts-{job.id}", {"part": PART})
        st.dataframe(_more_figures(figures), hide_index=True, key=f"train-kfold-{job.id}")
    means = {name: figures[name] for name in ("accuracy", "balanced_accuracy")}
    right.plotly_chart(
        run_dots(parts, PART, means, "all cells, with the interval of the accuracy", figures["interval"]),
        config=NO_BAR,
        key=f"train-kfold-dots-{job.id}",
        alt="Accuracy and balanced accuracy of every part, with those of all cells",
    )


def _more_figures(figures: dict[str, Any]) -> pd.DataFrame:
    """What else is known of all cells: how far to trust the statuses, and each class."""
    rows = {
        "Confident and right": percent(figures["confident_right"]),
        "Held back for a look": percent(figures["held_back"]),
        "Calibration error": percent(figures["ece"]),
    }
    for name, one in figures["recall"].items():
        rows[f"{label_words(name)} found"] = percent(one["recall"], one["interval"] or ())
    return pd.DataFrame({"Of all cells": list(rows), " ": list(rows.values())})
