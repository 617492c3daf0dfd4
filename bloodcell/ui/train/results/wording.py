"""Metrics of many runs as the results of trials, k-fold and search show them: formats, tables, remarks."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from bloodcell.plots.experiments import METRIC_TITLES
from bloodcell.reports.numbers import format_percent
from bloodcell.ui.datasets.splits_tab import LEAKY_TEXT
from bloodcell.ui.shared.messages import escape_md

_COLUMNS = {
    "trial": "Trial",
    "seed": "Seed",
    "state": "State",
    "images": "Images",
    "source_cells": "Source cells",
    "epochs": "Epochs",
    "converged": "Converged",
    "seconds": "Seconds",
}
_SHARE_METRICS = ("accuracy", "balanced_accuracy")


def show_runs(runs: pd.DataFrame, key: str, titles: dict[str, str] | None = None) -> None:
    """Show a table with a row per run.

    Parameters
    ----------
    runs : DataFrame
        The runs of an experiment, as their result folder has them.
    key : str
        Key of the table.
    titles : dict of str to str, optional
        Titles of further columns. A column without a title is left out.
    """
    titles = _COLUMNS | METRIC_TITLES | (titles or {})
    shown = runs[[name for name in runs.columns if name in titles]].rename(columns=titles)
    shares = {METRIC_TITLES[name]: st.column_config.NumberColumn(format="percent") for name in _SHARE_METRICS}
    st.dataframe(
        shown,
        hide_index=True,
        key=key,
        placeholder="-",
        column_config=shares | {METRIC_TITLES["log_loss"]: st.column_config.NumberColumn(format="%.4f")},
    )


def show_remarks(remarks: Sequence[str], leaky: Sequence[str]) -> None:
    """Say how the metrics were measured, and warn where a leaky split makes them too high.

    Parameters
    ----------
    remarks : sequence of str
        Sentences; a capital and a full stop are added.
    leaky : sequence of str
        Names of the datasets whose split is leaky.
    """
    if leaky:
        st.error(f"The split of {escape_md(', '.join(leaky))} is {LEAKY_TEXT}.", icon=":material/warning:")
    for remark in remarks:
        st.caption(escape_md(remark[0].upper() + remark[1:].removesuffix(".") + "."))


def format_share(share: float | None, interval: Sequence[float] = ()) -> str:
    """Format a share in percent, with its interval if there is one; ``-`` for None and NaN.

    Examples
    --------
    >>> format_share(0.8824)
    '88.2 %'
    >>> format_share(0.8824, (0.76, 0.971))
    '88.2 % (76.0 to 97.1)'
    >>> format_share(None, (0.76, 0.971))
    '-'
    """
    text = format_percent(share)
    return text if text == "-" or not interval else f"{text} ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"
