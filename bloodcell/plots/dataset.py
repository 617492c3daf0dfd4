"""Charts of the contents of a labelled set: images per class, sizes, formats."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from bloodcell.plots import theme

ROW_PX = 28
MAX_BUBBLES = 150  # a heat map is drawn for more different sizes
MAX_LABELLED_BUBBLES = 12
LARGEST_BUBBLE_PX = 46


def plot_class_balance(counts: Mapping[str, int]) -> go.Figure:
    """Draw how many images each class has.

    Parameters
    ----------
    counts : mapping of str to int
        Images by class name, in the order to show.

    Returns
    -------
    plotly Figure
        One trace: a horizontal bar for each class with its count and its share.
    """
    names, values = list(counts), [int(value) for value in counts.values()]
    styles = theme.assign_class_styles(names)
    return _plot_bars(
        [theme.format_chart_label(name) for name in names],
        values,
        [styles[name].colour for name in names],
        "Images per class",
    )


def plot_formats(table: pd.DataFrame) -> go.Figure:
    """Draw how many images each file format has, and how many are unreadable.

    Parameters
    ----------
    table : DataFrame
        `datasets.catalog.exploration.survey_images`; its column `format` is "" where the image is unreadable.

    Returns
    -------
    plotly Figure
        One trace: a horizontal bar for each format.
    """
    counts = table["format"].replace("", "unreadable").value_counts()
    colours = [theme.OTHER_COLOUR if name == "unreadable" else theme.ACCENT_COLOUR for name in counts.index]
    return _plot_bars(counts.index.tolist(), counts.tolist(), colours, "Images per file format")


def plot_image_sizes(table: pd.DataFrame) -> go.Figure:
    """Draw which sizes the images have and how many have each.

    Parameters
    ----------
    table : DataFrame
        `datasets.catalog.exploration.survey_images`; images without a size (0) are left out.

    Returns
    -------
    plotly Figure
        A bubble for each size, its area showing the count; a heat map of counts for more than `MAX_BUBBLES` sizes.
    """
    known = table[table["width_px"] > 0]
    sizes = known.groupby(["width_px", "height_px"]).size().reset_index(name="n").sort_values("n", ascending=False)
    figure = go.Figure()
    if len(sizes) > MAX_BUBBLES:
        counts, widths, heights = np.histogram2d(known["width_px"], known["height_px"], bins=40)
        figure.add_heatmap(
            x=((widths[1:] + widths[:-1]) / 2).round(1).tolist(),
            y=((heights[1:] + heights[:-1]) / 2).round(1).tolist(),
            z=[[int(n) or None for n in column] for column in counts.T],
            colorscale="Viridis",
            reversescale=True,
            colorbar={"title": "Images"},
            hovertemplate="about %{x:.0f} × %{y:.0f} px: %{z} images<extra></extra>",
        )
    elif len(sizes):
        share = np.sqrt(sizes["n"] / sizes["n"].max())
        figure.add_scatter(
            x=sizes["width_px"].tolist(),
            y=sizes["height_px"].tolist(),
            mode="markers+text" if len(sizes) <= MAX_LABELLED_BUBBLES else "markers",
            text=[f"{n:,}" for n in sizes["n"]],
            textposition="top center",
            customdata=sizes["n"].tolist(),
            marker={
                "size": (6 + (LARGEST_BUBBLE_PX - 6) * share).round(1).tolist(),
                "color": theme.ACCENT_COLOUR,
                "opacity": 0.6,
                "line": {"width": 1, "color": "#ffffff"},
            },
            hovertemplate="%{x} × %{y} px: %{customdata} images<extra></extra>",
        )
    figure.update_xaxes(title="Width (px)", range=_axis_range(known["width_px"]))
    figure.update_yaxes(title="Height (px)", range=_axis_range(known["height_px"]))
    return theme.apply_titled_layout(figure, "Image sizes", 380)


def _axis_range(values: pd.Series) -> list[float]:
    """Return a range from below the smallest to above the largest value, with room for bubbles."""
    if not len(values):
        return [0, 1]
    low, high = float(values.min()), float(values.max())
    room = max(0.15 * (high - low), 0.05 * high)
    return [max(0.0, low - room), high + room]


def _plot_bars(names: list[str], values: list[int], colours: list[str], title: str) -> go.Figure:
    """Plot horizontal bars; they are placed by number, as two names may read alike."""
    total = max(sum(values), 1)
    rows = list(range(len(names)))
    figure = go.Figure(
        go.Bar(
            orientation="h",
            y=rows,
            x=values,
            marker_color=colours,
            text=[f" {value:,} ({100 * value / total:.1f} %)" for value in values],
            textposition="outside",
            cliponaxis=False,
            customdata=names,
            hovertemplate="%{customdata}: %{x:,} images<extra></extra>",
            showlegend=False,
        )
    )
    figure.update_layout(bargap=0.3)
    figure.update_xaxes(title="Images", range=[0, max(values, default=1) * 1.22 or 1], tickformat=",d")
    figure.update_yaxes(tickvals=rows, ticktext=[f"{name}  " for name in names], autorange="reversed", showgrid=False)
    return theme.apply_titled_layout(figure, title, ROW_PX * len(names) + 120)
