"""Charts of one evaluation: figures with intervals, ROC and precision-recall, reliability, risk against coverage."""

import html
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from bloodcell.evaluation.metrics.ranking import count_positives, rank_scores
from bloodcell.evaluation.metrics.reliability import Bin
from bloodcell.plots import theme

MAX_CURVE_POINTS: Final = 600  # of a curve, more cannot be told apart


def plot_metric_intervals(metrics: Mapping[str, Mapping[str, Any]]) -> go.Figure:
    """Draw shares with their interval over source cells, and the one over images in grey.

    Parameters
    ----------
    figures : words -> {value, interval, plain_interval}, from 0 to 1; those without a value are left out

    Returns
    -------
    plotly Figure, with the traces "single pictures" and "source cells"
    """
    rows = [(name, one) for name, one in metrics.items() if one["value"] is not None]
    figure = go.Figure()
    for way, key, colour, width, shift in (
        ("over single pictures", "plain_interval", "#b9b6c4", 7, 0.16),
        ("over source cells", "interval", theme.ACCENT_COLOUR, 2.5, -0.1),
    ):
        bounds = [one[key] or [one["value"]] * 2 for _, one in rows]
        figure.add_scatter(
            x=[one["value"] for _, one in rows],
            y=[number + shift for number in range(len(rows))],
            name=way,
            mode="markers",
            marker={"color": colour, "size": 10 if key == "interval" else 1},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [max(0.0, high - one["value"]) for (_, one), (_, high) in zip(rows, bounds, strict=True)],
                "arrayminus": [max(0.0, one["value"] - low) for (_, one), (low, _) in zip(rows, bounds, strict=True)],
                "color": colour,
                "thickness": width,
                "width": 0 if key == "plain_interval" else 5,
            },
            customdata=[[name, low, high] for (name, _), (low, high) in zip(rows, bounds, strict=True)],
            hovertemplate="%{customdata[0]}: %{x:.3f} (%{customdata[1]:.3f} to %{customdata[2]:.3f}) "
            + way
            + "<extra></extra>",
        )
    theme.apply_titled_layout(figure, "With 95 % intervals", 40 * len(rows) + 120)
    figure.update_layout(
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 1, "xanchor": "right"}, dragmode=False
    )
    figure.update_xaxes(range=[-0.02, 1.02], tickformat=".0%", fixedrange=True)
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[name for name, _ in rows],
        range=[len(rows) - 0.5, -0.5],
        showgrid=False,
        ticksuffix="  ",
        fixedrange=True,
    )
    return figure


def plot_accuracies(table: pd.DataFrame) -> go.Figure:
    """Draw accuracy and balanced accuracy of each model with intervals over source cells.

    Parameters
    ----------
    table : as `evaluation.leaderboard.build_leaderboard` gives it; the models stand in its order, from the top
    """
    rows = list(range(len(table)))
    figure = go.Figure()
    for name, words, low, high, colour, shift in (
        ("balanced_accuracy", "classes equal", "balanced_low", "balanced_high", theme.ACCENT_COLOUR, -0.12),
        ("accuracy", "right", "accuracy_low", "accuracy_high", theme.BAR_COLOUR, 0.12),
    ):
        figure.add_scatter(
            x=table[name].tolist(),
            y=[row + shift for row in rows],
            name=words,
            mode="markers",
            marker={"color": colour, "size": 10},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": (table[high] - table[name]).fillna(0).tolist(),
                "arrayminus": (table[name] - table[low]).fillna(0).tolist(),
                "color": colour,
                "thickness": 2,
                "width": 4,
            },
            hovertemplate="%{x:.1%} " + words + "<extra></extra>",
        )
    theme.apply_titled_layout(figure, "With 95 % intervals", 44 * len(rows) + 130)
    figure.update_layout(
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 1, "xanchor": "right"}, dragmode=False
    )
    figure.update_xaxes(tickformat=".0%", fixedrange=True, range=[None, 1.005])
    figure.update_yaxes(
        tickvals=rows,
        ticktext=[html.escape(name[:40], quote=False) for name in table["model"]],
        range=[len(rows) - 0.5, -0.5],
        showgrid=False,
        ticksuffix="  ",
        fixedrange=True,
    )
    return figure


def plot_roc_curves(y_true: np.ndarray, probs: np.ndarray, class_names: Sequence[str]) -> go.Figure:
    """Draw the ROC curve of each class against the others; a class with all pictures or none has none.

    Parameters
    ----------
    y_true : int array of shape (N,)
    probs : float array of shape (N, C)
    """
    figure = _plot_class_curves(y_true, probs, class_names, lambda true, false: (false / false[-1], true / true[-1]))
    _add_diagonal(figure)
    theme.apply_titled_layout(figure, "ROC, each class against the others", 380)
    return _set_share_axes(figure, "False alarms, of the other classes", "Found, of the class")


def plot_precision_recall_curves(y_true: np.ndarray, probs: np.ndarray, class_names: Sequence[str]) -> go.Figure:
    """Draw precision against recall of each class; parameters as `plot_roc_curves`."""
    figure = _plot_class_curves(
        y_true, probs, class_names, lambda true, false: (true / true[-1], true / (true + false))
    )
    theme.apply_titled_layout(figure, "Precision and recall of each class", 380)
    return _set_share_axes(figure, "Recall: found, of the class", "Precision: right, of so called")


def _plot_class_curves(y_true: np.ndarray, probs: np.ndarray, class_names: Sequence[str], points: Any) -> go.Figure:
    figure, styles = go.Figure(), theme.assign_class_styles(class_names)
    for index, name in enumerate(class_names):
        positive = y_true == index
        if positive.all() or not positive.any():
            continue
        true, false = (
            one[0] for one in count_positives(rank_scores(positive, probs[:, index]), np.ones((1, len(y_true))))
        )
        x, y = points(true, false)
        some = np.unique(np.linspace(0, len(x) - 1, min(len(x), MAX_CURVE_POINTS)).round().astype(int))
        style = styles[name]
        figure.add_scatter(
            x=x[some].tolist(),
            y=y[some].tolist(),
            name=theme.format_chart_label(name),
            mode="lines",
            line={"color": style.colour, "dash": style.dash, "width": 2},
            hovertemplate=theme.format_chart_label(name) + ": %{x:.3f}, %{y:.3f}<extra></extra>",
        )
    return figure


def plot_reliability(bins: Sequence[Bin]) -> go.Figure:
    """Draw how often answers are right against how sure the model was; a well calibrated model follows the diagonal."""
    figure = go.Figure()
    figure.add_bar(
        x=[(one.low + one.high) / 2 for one in bins],
        y=[one.accuracy for one in bins],
        width=[0.94 * (one.high - one.low) for one in bins],
        marker_color="#b795c4",
        customdata=[[one.images, one.confidence, one.low, one.high] for one in bins],
        hovertemplate="probability %{customdata[2]:.2f} to %{customdata[3]:.2f}: %{customdata[0]:,} pictures"
        "<br>said %{customdata[1]:.1%}, right %{y:.1%}<extra></extra>",
        showlegend=False,
    )
    figure.add_scatter(
        x=[one.confidence for one in bins],
        y=[one.accuracy for one in bins],
        mode="markers",
        marker={
            "color": theme.ACCENT_COLOUR,
            "size": [6 + 18 * np.sqrt(one.images / max(each.images for each in bins)) for one in bins],
        },
        hoverinfo="skip",
        showlegend=False,
    )
    _add_diagonal(figure)
    theme.apply_titled_layout(figure, "Does a probability mean what it says?", 380)
    return _set_share_axes(figure, "Probability of the answer", "Right answers")


def plot_risk_coverage(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]], points: Mapping[str, tuple[float, float]]
) -> go.Figure:
    """Draw the share of wrong answers among the surest pictures against the share that is answered.

    Parameters
    ----------
    curves : words -> coverage and risk, of `evaluation.metrics.reliability.risk_coverage`
    points : words -> (coverage, risk) of single ways to choose, such as the confident ones
    """
    figure = go.Figure()
    for number, (name, (coverage, risk)) in enumerate(curves.items()):
        some = np.unique(np.linspace(0, len(coverage) - 1, min(len(coverage), MAX_CURVE_POINTS)).round().astype(int))
        figure.add_scatter(
            x=coverage[some].tolist(),
            y=risk[some].tolist(),
            name=name,
            mode="lines",
            line={"color": theme.PALETTE[number % len(theme.PALETTE)], "width": 2},
            hovertemplate="answered %{x:.1%}, of them wrong %{y:.2%}<extra></extra>",
        )
    for name, (covered, wrong) in points.items():
        figure.add_scatter(
            x=[covered],
            y=[wrong],
            name=name,
            mode="markers",
            marker={"size": 12, "symbol": "diamond", "color": theme.ACCENT_COLOUR},
            hovertemplate=name + ": answered %{x:.1%}, of them wrong %{y:.2%}<extra></extra>",
        )
    theme.apply_titled_layout(figure, "Wrong answers, if only the surest are given", 380)
    _set_share_axes(figure, "Pictures answered, the surest first", "Wrong among them")
    figure.update_yaxes(range=None, rangemode="tozero", tickformat=".1%")
    return figure


def _add_diagonal(figure: go.Figure) -> None:
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": "#a9a4ba", "dash": "dot"}, showlegend=False, hoverinfo="skip"
    )


def _set_share_axes(figure: go.Figure, x: str, y: str) -> go.Figure:
    figure.update_layout(
        legend={"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0, "xanchor": "left"}, dragmode=False
    )
    figure.update_xaxes(title=x, range=[-0.01, 1.01], tickformat=".0%", fixedrange=True)
    figure.update_yaxes(title=y, range=[-0.01, 1.01], tickformat=".0%", fixedrange=True)
    return figure
