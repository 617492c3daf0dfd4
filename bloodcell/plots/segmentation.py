"""Charts that compare segmentation methods: Dice and area of each."""

import pandas as pd
import plotly.graph_objects as go

from bloodcell.imaging.segment import METHODS
from bloodcell.plots import theme

PARTS = (("dice_nucleus", "Nucleus", "#0072b2"), ("dice_cell", "Whole cell", "#e69f00"))
ROW_PX = 46
MIN_ROW_PX, CLASS_ROW_PX = 46, 15
MAX_CLASSES = 10


def plot_dice(table: pd.DataFrame) -> go.Figure:
    """Draw Dice's coefficient of every method against the true masks.

    Parameters
    ----------
    table : DataFrame
        `datasets.catalog.exploration.Comparison.table`.

    Returns
    -------
    plotly Figure
        A horizontal box for each method; one trace for the nucleus and one for the whole cell. A part without true
        masks has no trace.
    """
    figure = go.Figure()
    for column, name, colour in PARTS:
        known = table[table[column].notna()]
        if len(known):
            _add_boxes(figure, known, known[column], name, colour, "Dice %{x:.3f}")
    figure.update_xaxes(
        title="Dice's coefficient with the true mask (0: no overlap, 1: identical)", range=[-0.02, 1.02]
    )
    return _finish(figure, "Overlap of each method with the true masks", ROW_PX * len(METHODS) + 150)


def plot_areas(table: pd.DataFrame, *, by_class: bool = False) -> go.Figure:
    """Draw how much of the image every method marks.

    Parameters
    ----------
    table : DataFrame
        `datasets.catalog.exploration.Comparison.table`.
    by_class : bool, default False
        One box for each method and class instead of one for each method; ignored for more than `MAX_CLASSES` classes.

    Returns
    -------
    plotly Figure
        One trace, or one for each class.
    """
    figure = go.Figure()
    labels = sorted(set(table["label"]))
    is_split = by_class and 1 < len(labels) <= MAX_CLASSES
    if is_split:
        styles = theme.assign_class_styles(labels)
        for label in labels:
            part = table[table["label"] == label]
            name = theme.format_chart_label(label)
            _add_boxes(figure, part, 100 * part["area_share"], name, styles[label].colour, "%{x:.1f} %")
    else:
        _add_boxes(figure, table, 100 * table["area_share"], "All classes", theme.ACCENT_COLOUR, "%{x:.1f} %")
    figure.update_xaxes(title="Marked area (% of the image without its black border)", rangemode="tozero")
    row_px = max(MIN_ROW_PX, CLASS_ROW_PX * len(labels) + 16) if is_split else MIN_ROW_PX
    return _finish(figure, "Area marked by each method", row_px * len(METHODS) + 150)


def _add_boxes(figure: go.Figure, part: pd.DataFrame, values: pd.Series, name: str, colour: str, hover: str) -> None:
    figure.add_box(
        orientation="h",
        x=values.round(4).tolist(),
        y=[METHODS[method] for method in part["method"]],
        name=name,
        marker={"color": colour, "size": 3},
        line={"width": 1.5},
        boxpoints="outliers",
        text=[theme.format_chart_label(file) for file in part["file"]],
        hovertemplate=hover + "<br>%{text}<extra>%{fullData.name}</extra>",
    )


def _finish(figure: go.Figure, title: str, height_px: int) -> go.Figure:
    figure.update_yaxes(
        categoryorder="array", categoryarray=list(METHODS.values()), autorange="reversed", ticksuffix="  "
    )
    figure.update_layout(
        boxmode="group",
        boxgap=0.25,
        boxgroupgap=0.1,
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "traceorder": "normal"},
        showlegend=len(figure.data) > 1,
    )
    return theme.apply_titled_layout(figure, title, height_px)
