"""Confusion matrices: of one model, and of a second against the first; their cells can be clicked."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go

from bloodcell.plots import theme

COUNTS, ROW_NORMALISED, COLUMN_NORMALISED = "counts", "label", "answer"
ROW_PX: Final = 46
_SHADES: Final = [[0.0, "#ffffff"], [0.02, "#f3eef6"], [0.5, "#b795c4"], [1.0, "#54246a"]]
_DIFFERENCE_SHADES: Final = [[0.0, "#d55e00"], [0.5, "#ffffff"], [1.0, "#0072b2"]]
_WHITE_TEXT_FROM: Final = 0.55  # share of the scale from which letters are white
_NO_PREDICTION: Final = "No answer"


def plot_confusion_matrix(
    matrix: Sequence[Sequence[int]], class_names: Sequence[str], normalisation: str = COUNTS
) -> go.Figure:
    """Draw a confusion matrix whose cells can be clicked.

    Parameters
    ----------
    matrix : counts (C, C + 1), rows true, columns predicted, the last not answered; that one is shown if it holds any
    class_names : C
    shows : `COUNTS`; `ROW_NORMALISED`, shares of each row; or `COLUMN_NORMALISED`, shares of each column

    Returns
    -------
    plotly Figure
        A heat map, and above it one scatter whose points are the cells: customdata of each is [row, column], numbers
        of the classes, and C for not answered
    """
    table = np.asarray(matrix, float)
    n_columns = table.shape[1] if table[:, -1].any() else table.shape[1] - 1
    table = table[:, :n_columns]
    whole = {COUNTS: np.ones_like(table), ROW_NORMALISED: table.sum(axis=1, keepdims=True)}.get(
        normalisation, table.sum(axis=0, keepdims=True)
    )
    values = np.divide(table, whole, out=np.zeros_like(table), where=whole > 0)
    of_row = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    shade = of_row if normalisation == COUNTS else values
    words = [[f"{n:,.0f}" if normalisation == COUNTS else f"{100 * n:.1f} %" for n in row] for row in values]
    return _build_clickable_figure(
        shade,
        words,
        table,
        _list_column_names(class_names, n_columns),
        class_names,
        [[0, 1], _SHADES],
        _format_shares(table),
    )


def plot_confusion_difference(
    first: Sequence[Sequence[int]], second: Sequence[Sequence[int]], class_names: Sequence[str]
) -> go.Figure:
    """Draw what the second of two models answers more or less often than the first, on the same pictures; as above."""
    gained = np.asarray(second, float) - np.asarray(first, float)
    n_columns = gained.shape[1] if np.asarray(first)[:, -1].any() or np.asarray(second)[:, -1].any() else len(first)
    gained = gained[:, :n_columns]
    reach = max(1.0, float(np.abs(gained).max()))
    words = [[f"{n:+,.0f}" if n else "0" for n in row] for row in gained]
    # Blue is better: more on the diagonal, fewer beside it.
    sign = np.where(np.eye(len(first), n_columns, dtype=bool), 1, -1)
    return _build_clickable_figure(
        gained * sign / reach,
        words,
        gained,
        _list_column_names(class_names, n_columns),
        class_names,
        [[-1, 1], _DIFFERENCE_SHADES],
        None,
    )


def _list_column_names(class_names: Sequence[str], n_columns: int) -> list[str]:
    words = [theme.format_chart_label(name) for name in class_names]
    return words + [_NO_PREDICTION] * (n_columns - len(class_names))


def _format_shares(table: np.ndarray) -> list[list[str]]:
    rows, columns = table.sum(axis=1, keepdims=True), table.sum(axis=0, keepdims=True)
    return [
        [
            f"{n:,.0f} pictures<br>{100 * n / max(1, rows[i, 0]):.1f} % of this label"
            f"<br>{100 * n / max(1, columns[0, j]):.1f} % of this answer"
            for j, n in enumerate(row)
        ]
        for i, row in enumerate(table)
    ]


def _build_clickable_figure(
    shade: np.ndarray,
    words: list[list[str]],
    table: np.ndarray,
    columns: list[str],
    class_names: Sequence[str],
    scale: list[Any],
    shares: list[list[str]] | None,
) -> go.Figure:
    labels = [theme.format_chart_label(name) for name in class_names]
    (low, high), colours = scale
    n_rows, n_columns = shade.shape
    figure = go.Figure()
    figure.add_heatmap(
        z=shade, zmin=low, zmax=high, colorscale=colours, showscale=False, xgap=3, ygap=3, hoverinfo="skip"
    )
    cells = [(row, column) for row in range(n_rows) for column in range(n_columns)]
    dark = [abs(shade[cell]) > _WHITE_TEXT_FROM * high for cell in cells]
    figure.add_scatter(
        x=[column for _, column in cells],
        y=[row for row, _ in cells],
        mode="markers+text",
        text=[words[row][column] for row, column in cells],
        textfont={"color": ["#ffffff" if one else theme.TEXT_COLOUR for one in dark], "size": 14},
        marker={"symbol": "square", "size": 44, "opacity": 0, "color": theme.ACCENT_COLOUR},
        selected={"marker": {"opacity": 0}, "textfont": {"color": theme.TEXT_COLOUR}},
        unselected={"marker": {"opacity": 0}},
        customdata=[list(cell) for cell in cells],
        hovertext=[
            f"{labels[row]} called {columns[column].lower()}: "
            + (shares[row][column] if shares else f"{words[row][column]} pictures")
            for row, column in cells
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )
    theme.apply_compact_layout(figure, ROW_PX * n_rows + 70)
    figure.update_layout(
        clickmode="event+select", hovermode="closest", hoverdistance=60, margin={"l": 0, "r": 0, "t": 46, "b": 0}
    )
    figure.update_xaxes(
        tickvals=list(range(n_columns)),
        ticktext=columns,
        side="top",
        title="Answer of the model",
        title_standoff=6,
        showgrid=False,
        zeroline=False,
        range=[-0.5, n_columns - 0.5],
    )
    figure.update_yaxes(
        tickvals=list(range(n_rows)),
        ticktext=labels,
        ticksuffix="  ",
        title="Label",
        showgrid=False,
        zeroline=False,
        range=[n_rows - 0.5, -0.5],
    )
    return figure
