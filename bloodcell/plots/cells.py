"""Charts of the labels of a batch and of the probabilities of a cell."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from bloodcell.core.labels import CELL_STATUSES, EXTRA_DECISIONS
from bloodcell.plots import theme

ROW_PX = 26


def plot_class_counts(table: pd.DataFrame, class_names: Sequence[str]) -> go.Figure:
    """Count the cells of each label, split by status.

    Parameters
    ----------
    table : DataFrame
        A row for each cell, with the columns label and status.
    class_names : sequence of str
        The model's classes in their order; shown even where no cell has them.

    Returns
    -------
    plotly Figure
        A horizontal stacked bar for each label, a trace for each status, and one of the totals. The extra decisions
        (other cell, not a white cell) get a bar only where a cell has them.
    """
    labels = list(class_names) + [name for name in EXTRA_DECISIONS if (table["label"] == name).any()]
    counts = pd.crosstab(table["label"], table["status"]) if len(table) else pd.DataFrame()
    counts = counts.reindex(index=labels, columns=list(CELL_STATUSES), fill_value=0).fillna(0).astype(int)
    names = [theme.format_label(label) for label in labels]
    totals = counts.sum(axis=1).to_numpy()
    figure = go.Figure()
    for status in CELL_STATUSES:
        style = theme.STATUS_STYLES[status]
        figure.add_bar(
            name=f"{style.sign} {style.word}",
            orientation="h",
            y=names,
            x=counts[status].tolist(),
            marker_color=style.colour,
            hovertemplate="%{y}: %{x} " + style.word.lower() + "<extra></extra>",
        )
    figure.add_scatter(
        y=names,
        x=totals.tolist(),
        mode="text",
        text=[f" {total}" for total in totals],
        textposition="middle right",
        cliponaxis=False,
        showlegend=False,
        hoverinfo="skip",
    )
    figure.update_layout(
        barmode="stack",
        bargap=0.35,
        legend={"orientation": "h", "y": -0.02, "yanchor": "top", "x": 0, "traceorder": "normal"},
    )
    figure.update_yaxes(autorange="reversed", title=None, ticksuffix="  ")
    figure.update_xaxes(visible=False, range=[0, max(int(totals.max(initial=0)) * 1.12, 1)])
    return theme.apply_compact_layout(figure, ROW_PX * len(labels) + 44)


def plot_probabilities(class_names: Sequence[str], probs: Sequence[float], label: str = "") -> go.Figure:
    """Draw the probabilities of a cell, a horizontal bar for each class in the model's order.

    Parameters
    ----------
    class_names : sequence of str, length C
        The model's classes.
    probs : sequence of float, length C
    label : str, default ""
        The current label; its name is bold if it is a class of the model.

    Returns
    -------
    plotly Figure
        One trace.
    """
    values = np.asarray(probs, dtype=float)
    shown_names = [theme.format_label(name) for name in class_names]
    ticks = [
        f"<b>{shown}</b>" if name == label else shown for name, shown in zip(class_names, shown_names, strict=True)
    ]
    figure = go.Figure(
        go.Bar(
            orientation="h",
            y=ticks,
            x=values.tolist(),
            marker_color=[theme.get_class_colour(name) for name in class_names],
            text=[f"{100 * value:.1f} %" for value in values],
            textposition="outside",
            cliponaxis=False,
            hoverinfo="skip",
        )
    )
    figure.update_yaxes(autorange="reversed", ticksuffix="  ")
    figure.update_xaxes(visible=False, range=[0, 1.2])
    figure.update_layout(bargap=0.35)
    return theme.apply_compact_layout(figure, ROW_PX * len(class_names) + 8)
