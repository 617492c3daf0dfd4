"""Curves of training runs: loss and accuracy an epoch, on the learned and on the held-out images."""

import html
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from bloodcell.plots import theme

# Column of history.csv -> (what it is called, kind of line).
LOSS_LINES = {"loss": ("learning", "dot"), "val_loss": ("validation", "solid")}
ACCURACY_LINES = {
    "accuracy": ("learning", "dot"),
    "val_accuracy": ("validation", "solid"),
    "val_balanced": ("validation, classes equal", "dash"),
}
MASK_LINES = {"val_dice": ("Dice", "solid"), "val_iou": ("IoU", "dash")}
_DASH_NAMES = {"dot": "dotted", "solid": "solid", "dash": "dashed"}
HEIGHT_PX = 340
MAX_TICKS = 12
MAX_MARKED = 30  # epochs; markers on more would hide the line


def plot_loss_curves(runs: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Draw the loss of every epoch, low is good.

    Parameters
    ----------
    runs : name -> table with the columns epoch, loss and, where something was held out, val_loss; an empty table is
        left out. Runs differ by colour, what was measured by the kind of line; the legend names the runs, of a
        single one what was measured.

    Returns
    -------
    plotly Figure with a trace for each run and column that it has
    """
    return _plot_curves(runs, LOSS_LINES, "Loss", "%{y:.3f}")


def plot_accuracy_curves(runs: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Draw the share of right answers of every epoch, from 0 to 100 %; `runs` as in `plot_loss_curves`.

    Columns: accuracy, val_accuracy and val_balanced, the mean of the classes' recalls.
    """
    figure = _plot_curves(runs, ACCURACY_LINES, "Right answers", "%{y:.1%}")
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return figure


def plot_dice_curves(runs: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Draw how well the masks of held-back pictures are met in every epoch, from 0 to 1; `runs` as in `plot_loss_curves`.

    Columns: val_dice and val_iou.
    """
    figure = _plot_curves(runs, MASK_LINES, "Masks met, held-back pictures", "%{y:.3f}")
    figure.update_yaxes(rangemode="tozero")
    return figure


def _plot_curves(
    runs: Mapping[str, pd.DataFrame], lines: Mapping[str, tuple[str, str]], title: str, value: str
) -> go.Figure:
    figure, is_alone = go.Figure(), len(runs) == 1
    for number, (name, history) in enumerate(runs.items()):
        colour = theme.PALETTE[number % len(theme.PALETTE)]
        shown = html.escape(name, quote=False)
        in_legend = True
        for column, (words, dash) in lines.items():
            if column not in history or history[column].isna().all():
                continue
            figure.add_scatter(
                x=history["epoch"].tolist(),
                y=history[column].tolist(),
                name=words if is_alone else shown,
                legendgroup=None if is_alone else shown,
                showlegend=is_alone or in_legend,
                mode="lines+markers" if len(history) <= MAX_MARKED else "lines",
                line={"color": colour, "dash": dash, "width": 2},
                marker={"size": 6},
                hovertemplate=f"epoch %{{x}}, {words}: {value}",
            )
            in_legend = False
    titled = theme.apply_titled_layout(figure, title, HEIGHT_PX)
    if not is_alone:
        words = ", ".join(f"{_DASH_NAMES[dash]} {words}" for words, dash in lines.values())
        titled.update_layout(title_subtitle={"text": words, "font": {"size": 13, "weight": "normal"}}, margin_t=76)
    titled.update_layout(
        legend={"orientation": "h", "y": -0.3, "yanchor": "top", "x": 0}, showlegend=True, dragmode=False
    )
    last = max((int(history["epoch"].max()) for history in runs.values() if len(history)), default=1)
    ticks = {"tick0": 0 if last > MAX_TICKS else 1, "dtick": -(-last // MAX_TICKS)}
    titled.update_xaxes(title="Epoch", range=[0.8, max(last, 2) + 0.2], fixedrange=True, **ticks)
    titled.update_yaxes(fixedrange=True)
    return titled
