"""The result of trials: how much the metrics vary, and how many trials converged."""

import pandas as pd
import streamlit as st

from bloodcell.core.settings import load_settings
from bloodcell.experiments.results.trials import read_trials
from bloodcell.jobs.store import Job
from bloodcell.plots.experiments import METRIC_TITLES, plot_runs
from bloodcell.reports.numbers import format_count, format_number, format_percent
from bloodcell.ui.shared.image_grid import NO_MODEBAR
from bloodcell.ui.shared.messages import escape_md
from bloodcell.ui.train.results.wording import show_remarks, show_runs


def show(job: Job) -> None:
    """Show the metrics of finished trials; RunError where their folder is gone or damaged."""
    result = read_trials(load_settings().runs_dir / job.result)
    left, right = st.columns([2, 3], gap="medium")
    with left:
        st.metric("Converged", f"{result.converged} of {format_count(len(result.trials), 'trial')}")
        st.caption(escape_md(result.rule))
        st.dataframe(_format_spread(result.spread), hide_index=True, key=f"train-spread-{job.id}")
        show_remarks(result.remarks, result.leaky)
    means = dict(zip(result.spread["figure"], result.spread["mean"], strict=True))
    right.plotly_chart(
        plot_runs(result.trials, "Trial", means),
        config=NO_MODEBAR,
        key=f"train-trials-{job.id}",
        alt="Accuracy and balanced accuracy of every trial, with their means",
    )
    with st.expander("Every trial", icon=":material/table:"):
        show_runs(result.trials, f"train-trials-table-{job.id}")


def _format_spread(spread: pd.DataFrame) -> pd.DataFrame:
    """Mean, SD, minimum and maximum of each metric, for people."""
    names = {"mean": "Mean", "sd": "SD", "min": "Min", "max": "Max"}
    rows = []
    for row in spread.to_dict("records"):
        form = format_number if row["figure"] == "log_loss" else format_percent
        rows.append(
            {"Metric": METRIC_TITLES[row["figure"]]} | {title: form(row[name]) for name, title in names.items()}
        )
    return pd.DataFrame(rows)
