"""Figures of many runs as the results of trials, k-fold and search show them: their words, tables, remarks."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from bloodcell.plots.experiments import METRIC_TITLES
from bloodcell.ui.datasets.splits_tab import LEAKY_TEXT
from bloodcell.ui.shared.messages import escape_md

_COLUMNS = {
    "trial": "Trial",
    "seed": "Seed",
    "state": "State",
    "images": "Pictures",
    "source_cells": "Source cells",
    "epochs": "Epochs",
    "converged": "Converged",
    "seconds": "Seconds",
}
_SHARE_METRICS = ("accuracy", "balanced_accuracy")


def show_runs(runs: pd.DataFrame, key: str, words: dict[str, str] | None = None) -> None:
    """Show a table with a row a run; columns that have no words, here or in `words`, are left out."""
    names = _COLUMNS | METRIC_TITLES | (words or {})
    shown = runs[[name for name in runs.columns if name in names]].rename(columns=names)
    shares = {METRIC_TITLES[name]: st.column_config.NumberColumn(format="percent") for name in _SHARE_METRICS}
    st.dataframe(
        shown,
        hide_index=True,
        key=key,
        placeholder="-",
        column_config=shares | {METRIC_TITLES["log_loss"]: st.column_config.NumberColumn(format="%.4f")},
    )


def show_remarks(remarks: Sequence[str], leaky: Sequence[str]) -> None:
    """Say how the figures came about, and that they are too good where copies of one cell leaked."""
    if leaky:
        st.error(f"The split of {escape_md(', '.join(leaky))} is {LEAKY_TEXT}.", icon=":material/warning:")
    for remark in remarks:
        st.caption(escape_md(remark[0].upper() + remark[1:].removesuffix(".") + "."))


def format_percent(value: float | None, interval: Sequence[float] = ()) -> str:
    """A share for people: ``88.2 %``, with its interval ``88.2 % (76.0 to 97.1)``; ``-`` for none."""
    if value is None or value != value:
        return "-"
    text = f"{100 * value:.1f} %"
    return f"{text} ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})" if interval else text


def format_number(value: float | None) -> str:
    """A figure that is no share, with three places; ``-`` for none."""
    return "-" if value is None or value != value else f"{value:.3f}"
