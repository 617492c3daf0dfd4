"""Charts of evaluations: metrics with intervals, ROC and precision-recall, reliability, risk against coverage."""

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from bloodcell.evaluation.metrics.ranking import count_positives, rank_scores
from bloodcell.evaluation.metrics.reliability import Bin
from bloodcell.evaluation.metrics.report import Metric
from bloodcell.plots import theme

MAX_CURVE_POINTS: Final = 600  # of a curve, more cannot be told apart
_IMAGE_INTERVAL_COLOUR: Final = "#b9b6c4"


def plot_metric_intervals(metrics: Mapping[str, Metric]) -> go.Figure:
    """Draw shares with their interval over source cells, and the one over images in grey.

    Parameters
    ----------
    metrics : mapping of str to Metric
        By title, from 0 to 1; those without a value are left out.

    Returns
    -------
    plotly Figure
        With the traces "over images" and "over source cells".
    """
    rows = [(title, metric.value, metric) for title, metric in metrics.items() if metric.value is not None]
    image_bounds = [metric.image_interval or (value, value) for _, value, metric in rows]
    cell_bounds = [metric.interval or (value, value) for _, value, metric in rows]
    figure = go.Figure()
    for name, all_bounds, marker_px, bar, shift in (
        ("over images", image_bounds, 1, {"color": _IMAGE_INTERVAL_COLOUR, "thickness": 7, "width": 0}, 0.16),
        ("over source cells", cell_bounds, 10, {"color": theme.ACCENT_COLOUR, "thickness": 2.5, "width": 5}, -0.1),
    ):
        values = [value for _, value, _ in rows]
        figure.add_scatter(
            x=values,
            y=[number + shift for number in range(len(rows))],
            name=name,
            mode="markers",
            marker={"color": bar["color"], "size": marker_px},
            error_x=_make_error_bars(values, all_bounds) | bar,
            customdata=[[title, *bounds] for (title, _, _), bounds in zip(rows, all_bounds, strict=True)],
            hovertemplate="%{customdata[0]}: %{x:.3f} (%{customdata[1]:.3f} to %{customdata[2]:.3f}) "
            + name
            + "<extra></extra>",
        )
    _lay_out_rows(figure, "With 95 % intervals", [title for title, _, _ in rows], 40 * len(rows) + 120)
    figure.update_xaxes(range=[-0.02, 1.02])
    return figure


def plot_accuracies(table: pd.DataFrame) -> go.Figure:
    """Draw accuracy and balanced accuracy of each model with intervals over source cells.

    Parameters
    ----------
    table : DataFrame
        As `evaluation.leaderboard.build_leaderboard` returns it; the models stand in its order, from the top.

    Returns
    -------
    plotly Figure
        With the traces "balanced accuracy" and "accuracy".
    """
    figure = go.Figure()
    for column, colour, shift in (
        ("balanced_accuracy", theme.ACCENT_COLOUR, -0.12),
        ("accuracy", theme.BAR_COLOUR, 0.12),
    ):
        name = column.replace("_", " ")
        bounds = table[[f"{column}_low", f"{column}_high"]].to_numpy(float)
        bounds = np.where(np.isnan(bounds), table[[column]].to_numpy(float), bounds)
        figure.add_scatter(
            x=table[column].tolist(),
            y=[row + shift for row in range(len(table))],
            name=name,
            mode="markers",
            marker={"color": colour, "size": 10},
            error_x=_make_error_bars(table[column].tolist(), bounds.tolist())
            | {"color": colour, "thickness": 2, "width": 4},
            hovertemplate="%{x:.1%} " + name + "<extra></extra>",
        )
    names = [html.escape(name[:40], quote=False) for name in table["model"]]
    _lay_out_rows(figure, "With 95 % intervals", names, 44 * len(table) + 130)
    figure.update_xaxes(range=[None, 1.005])
    return figure


def _make_error_bars(values: Sequence[float], bounds: Sequence[Sequence[float]]) -> dict[str, object]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(0.0, high - value) for value, (_, high) in zip(values, bounds, strict=True)],
        "arrayminus": [max(0.0, value - low) for value, (low, _) in zip(values, bounds, strict=True)],
    }


def _lay_out_rows(figure: go.Figure, title: str, row_names: Sequence[str], height_px: int) -> None:
    theme.apply_titled_layout(figure, title, height_px)
    figure.update_layout(
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 1, "xanchor": "right"}, dragmode=False
    )
    figure.update_xaxes(tickformat=".0%", fixedrange=True)
    figure.update_yaxes(
        tickvals=list(range(len(row_names))),
        ticktext=list(row_names),
        range=[len(row_names) - 0.5, -0.5],
        showgrid=False,
        ticksuffix="  ",
        fixedrange=True,
    )


def plot_roc_curves(y_true: np.ndarray, probs: np.ndarray, class_names: Sequence[str]) -> go.Figure:
    """Draw the ROC curve of each class against the others.

    Parameters
    ----------
    y_true : ndarray of int, shape (N,)
    probs : ndarray of float, shape (N, C)
    class_names : sequence of str, length C

    Returns
    -------
    plotly Figure
        A trace for each class, but for those with all images or none; and the diagonal.
    """
    figure = _plot_class_curves(y_true, probs, class_names, lambda true, false: (false / false[-1], true / true[-1]))
    _add_diagonal(figure)
    theme.apply_titled_layout(figure, "ROC curve of each class against the others", 380)
    return _set_share_axes(figure, "False positive rate", "True positive rate")


def plot_precision_recall_curves(y_true: np.ndarray, probs: np.ndarray, class_names: Sequence[str]) -> go.Figure:
    """Draw precision against recall of each class; parameters as `plot_roc_curves`."""
    figure = _plot_class_curves(
        y_true, probs, class_names, lambda true, false: (true / true[-1], true / (true + false))
    )
    theme.apply_titled_layout(figure, "Precision and recall of each class", 380)
    return _set_share_axes(figure, "Recall", "Precision")


def _plot_class_curves(
    y_true: np.ndarray,
    probs: np.ndarray,
    class_names: Sequence[str],
    compute_points: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
) -> go.Figure:
    figure, styles = go.Figure(), theme.assign_class_styles(class_names)
    for index, class_name in enumerate(class_names):
        positive = y_true == index
        if positive.all() or not positive.any():
            continue
        counts = count_positives(rank_scores(positive, probs[:, index]), np.ones((1, len(y_true))))
        x, y = compute_points(counts[0][0], counts[1][0])
        shown = _choose_points(len(x))
        style = styles[class_name]
        figure.add_scatter(
            x=x[shown].tolist(),
            y=y[shown].tolist(),
            name=theme.format_chart_label(class_name),
            mode="lines",
            line={"color": style.colour, "dash": style.dash, "width": 2},
            hovertemplate=theme.format_chart_label(class_name) + ": %{x:.3f}, %{y:.3f}<extra></extra>",
        )
    return figure


def _choose_points(n_points: int) -> np.ndarray:
    """Choose at most `MAX_CURVE_POINTS` of the points of a curve, its ends among them."""
    return np.unique(np.linspace(0, n_points - 1, min(n_points, MAX_CURVE_POINTS)).round().astype(int))


def plot_reliability(bins: Sequence[Bin]) -> go.Figure:
    """Draw accuracy against predicted probability; a well calibrated model follows the diagonal.

    Parameters
    ----------
    bins : sequence of Bin
        As `evaluation.metrics.reliability.reliability_bins` returns them.

    Returns
    -------
    plotly Figure
        With the bars, a point for each, and the diagonal.
    """
    max_images = max((each.n_images for each in bins), default=1)
    figure = go.Figure()
    figure.add_bar(
        x=[(each.low + each.high) / 2 for each in bins],
        y=[each.accuracy for each in bins],
        width=[0.94 * (each.high - each.low) for each in bins],
        marker_color="#b795c4",
        customdata=[[each.n_images, each.confidence, each.low, each.high] for each in bins],
        hovertemplate="probability %{customdata[2]:.2f} to %{customdata[3]:.2f}<br>images: %{customdata[0]:,}"
        "<br>mean probability %{customdata[1]:.1%}, accuracy %{y:.1%}<extra></extra>",
        showlegend=False,
    )
    figure.add_scatter(
        x=[each.confidence for each in bins],
        y=[each.accuracy for each in bins],
        mode="markers",
        marker={
            "color": theme.ACCENT_COLOUR,
            "size": [6 + 18 * np.sqrt(each.n_images / max_images) for each in bins],
        },
        hoverinfo="skip",
        showlegend=False,
    )
    _add_diagonal(figure)
    theme.apply_titled_layout(figure, "Reliability diagram", 380)
    return _set_share_axes(figure, "Predicted probability", "Accuracy")


def plot_risk_coverage(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]], points: Mapping[str, tuple[float, float]]
) -> go.Figure:
    """Draw the error rate of the most confident images against the share of images that is kept.

    Parameters
    ----------
    curves : mapping of str to (coverage, risk)
        By name, of `evaluation.metrics.reliability.risk_coverage`.
    points : mapping of str to (coverage, risk)
        By name, of single ways to select, such as the status confident.

    Returns
    -------
    plotly Figure
        A trace for each curve, then one for each point.
    """
    figure = go.Figure()
    hover = "coverage %{x:.1%}, error rate %{y:.2%}<extra></extra>"
    for number, (name, (coverage, risk)) in enumerate(curves.items()):
        shown = _choose_points(len(coverage))
        figure.add_scatter(
            x=coverage[shown].tolist(),
            y=risk[shown].tolist(),
            name=name,
            mode="lines",
            line={"color": theme.PALETTE[number % len(theme.PALETTE)], "width": 2},
            hovertemplate=hover,
        )
    for name, (coverage_point, risk_point) in points.items():
        figure.add_scatter(
            x=[coverage_point],
            y=[risk_point],
            name=name,
            mode="markers",
            marker={"size": 12, "symbol": "diamond", "color": theme.ACCENT_COLOUR},
            hovertemplate=f"{name}: {hover}",
        )
    theme.apply_titled_layout(figure, "Error rate against coverage", 380)
    _set_share_axes(figure, "Coverage: images kept, the most confident first", "Error rate")
    figure.update_yaxes(range=None, rangemode="tozero", tickformat=".1%")
    return figure


def _add_diagonal(figure: go.Figure) -> None:
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": "#a9a4ba", "dash": "dot"}, showlegend=False, hoverinfo="skip"
    )


def _set_share_axes(figure: go.Figure, x_title: str, y_title: str) -> go.Figure:
    figure.update_layout(
        legend={"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0, "xanchor": "left"}, dragmode=False
    )
    figure.update_xaxes(title=x_title, range=[-0.01, 1.01], tickformat=".0%", fixedrange=True)
    figure.update_yaxes(title=y_title, range=[-0.01, 1.01], tickformat=".0%", fixedrange=True)
    return figure
