"""Confusion matrices whose cells can be clicked: of one model, and of a second against the first."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go

from bloodcell.core.text import inflect_noun
from bloodcell.plots import theme

# As pages keep them in their session.
COUNTS, ROW_NORMALISED, COLUMN_NORMALISED = "counts", "label", "answer"
ROW_PX: Final = 46
_SHADES: Final = [[0.0, "#ffffff"], [0.02, "#f3eef6"], [0.5, "#b795c4"], [1.0, "#54246a"]]
_DIFFERENCE_SHADES: Final = [[0.0, "#d55e00"], [0.5, "#ffffff"], [1.0, "#0072b2"]]
_WHITE_TEXT_FROM: Final = 0.55  # share of the scale from which letters are white
_NO_PREDICTION: Final = "No prediction"


def plot_confusion_matrix(
    matrix: Sequence[Sequence[int]], class_names: Sequence[str], normalisation: str = COUNTS
) -> go.Figure:
    """Draw a confusion matrix whose cells can be clicked.

    Parameters
    ----------
    matrix : sequence of sequences of int, shape (C, C + 1)
        Counts; rows are true classes, columns predicted ones, the last column is no prediction and is shown only if it
        holds any.
    class_names : sequence of str, length C
    normalisation : str, default `COUNTS`
        Or `ROW_NORMALISED`, the share of each true class (its diagonal is the recall), or `COLUMN_NORMALISED`, the share
        of each predicted class (its diagonal is the precision).

    Returns
    -------
    plotly Figure
        A heat map, and above it a scatter whose points are the cells; customdata of each is [row, column], numbers of
        the classes, and C for no prediction.
    """
    counts = np.asarray(matrix, float)
    counts = counts[:, : counts.shape[1] if counts[:, -1].any() else -1]
    row_shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    column_shares = counts / np.maximum(counts.sum(axis=0, keepdims=True), 1)
    shades = column_shares if normalisation == COLUMN_NORMALISED else row_shares
    texts = (
        [[f"{n:,.0f}" for n in row] for row in counts]
        if normalisation == COUNTS
        else [[f"{100 * share:.1f} %" for share in row] for row in shades]
    )
    hover_texts = [
        [
            f"{_format_images(n)}<br>{100 * row_shares[row, column]:.1f} % of the true class"
            f"<br>{100 * column_shares[row, column]:.1f} % of the predicted class"
            for column, n in enumerate(row_counts)
        ]
        for row, row_counts in enumerate(counts)
    ]
    return _build_clickable_figure(shades, texts, hover_texts, class_names, (0, 1), _SHADES)


def plot_confusion_difference(
    first: Sequence[Sequence[int]], second: Sequence[Sequence[int]], class_names: Sequence[str]
) -> go.Figure:
    """Draw how the predictions of a second model differ in number from those of a first, on the same images.

    Parameters
    ----------
    first, second : sequence of sequences of int, shape (C, C + 1)
        Confusion matrices as `plot_confusion_matrix` takes them.
    class_names : sequence of str, length C

    Returns
    -------
    plotly Figure
        As of `plot_confusion_matrix`. Blue is better: more images on the diagonal, fewer beside it; orange is worse.
    """
    both = np.asarray([first, second], float)
    both = both[:, :, : both.shape[2] if both[:, :, -1].any() else -1]
    difference = both[1] - both[0]
    is_better_if_more = np.where(np.eye(len(first), difference.shape[1], dtype=bool), 1, -1)
    shades = difference * is_better_if_more / max(1.0, float(np.abs(difference).max()))
    texts = [[f"{n:+,.0f}" if n else "0" for n in row] for row in difference]
    hover_texts = [[_format_images(n, "+") if n else "0 images" for n in row] for row in difference]
    return _build_clickable_figure(shades, texts, hover_texts, class_names, (-1, 1), _DIFFERENCE_SHADES)


def _format_images(n: float, sign: str = "") -> str:
    return f"{n:{sign},.0f} {inflect_noun(abs(n), 'image')}"


def _build_clickable_figure(
    shades: np.ndarray,
    texts: list[list[str]],
    hover_texts: list[list[str]],
    class_names: Sequence[str],
    shade_range: tuple[float, float],
    colour_scale: list[list[Any]],
) -> go.Figure:
    """Build a figure of R rows and K columns of cells."""
    n_rows, n_columns = shades.shape
    row_names = [theme.format_chart_label(name) for name in class_names]
    column_names = [*row_names, _NO_PREDICTION][:n_columns]
    figure = go.Figure()
    figure.add_heatmap(
        z=shades,
        zmin=shade_range[0],
        zmax=shade_range[1],
        colorscale=colour_scale,
        showscale=False,
        xgap=3,
        ygap=3,
        hoverinfo="skip",
    )
    cells = [(row, column) for row in range(n_rows) for column in range(n_columns)]
    is_dark = [abs(shades[cell]) > _WHITE_TEXT_FROM * shade_range[1] for cell in cells]
    figure.add_scatter(
        x=[column for _, column in cells],
        y=[row for row, _ in cells],
        mode="markers+text",
        text=[texts[row][column] for row, column in cells],
        textfont={"color": ["#ffffff" if dark else theme.TEXT_COLOUR for dark in is_dark], "size": 14},
        marker={"symbol": "square", "size": 44, "opacity": 0, "color": theme.ACCENT_COLOUR},
        selected={"marker": {"opacity": 0}, "textfont": {"color": theme.TEXT_COLOUR}},
        unselected={"marker": {"opacity": 0}},
        customdata=[list(cell) for cell in cells],
        hovertext=[
            f"True {row_names[row]}, predicted {column_names[column]}: {hover_texts[row][column]}"
            if column < len(row_names)
            else f"True {row_names[row]}, no prediction: {hover_texts[row][column]}"
            for row, column in cells
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )
    theme.apply_compact_layout(figure, ROW_PX * n_rows + 70)
    figure.update_layout(
        clickmode="event+select", hovermode="closest", hoverdistance=60, margin={"l": 0, "r": 0, "t": 46, "b": 0}
    )
    grid_off = {"showgrid": False, "zeroline": False}
    figure.update_xaxes(
        tickvals=list(range(n_columns)),
        ticktext=column_names,
        side="top",
        title="Predicted class",
        title_standoff=6,
        range=[-0.5, n_columns - 0.5],
        **grid_off,
    )
    figure.update_yaxes(
        tickvals=list(range(n_rows)),
        ticktext=row_names,
        ticksuffix="  ",
        title="True class",
        range=[n_rows - 0.5, -0.5],
        **grid_off,
    )
    return figure
