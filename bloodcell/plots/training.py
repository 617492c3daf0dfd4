"""Curves of training runs: loss and metrics of every epoch, on the training and on the validation images."""

import html
from collections.abc import Mapping
from typing import Final

import pandas as pd
import plotly.graph_objects as go

from bloodcell.plots import theme

# Column of history.csv -> (what it is called, kind of line).
LOSS_LINES: Final = {"loss": ("training", "dot"), "val_loss": ("validation", "solid")}
ACCURACY_LINES: Final = {
    "accuracy": ("training", "dot"),
    "val_accuracy": ("validation", "solid"),
    "val_balanced": ("validation, balanced accuracy", "dash"),
}
MASK_LINES: Final = {"val_dice": ("Dice", "solid"), "val_iou": ("IoU", "dash")}
_DASH_NAMES: Final = {"dot": "dotted", "solid": "solid", "dash": "dashed"}
HEIGHT_PX: Final = 340
MAX_TICKS: Final = 12
MAX_MARKED: Final = 30  # epochs; markers on more would hide the line


def plot_loss_curves(runs: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Draw the loss of every epoch; low is good.

    Parameters
    ----------
    runs : mapping of str to DataFrame
        History by name of the run, with the columns epoch, loss and, where something was held out, val_loss; an empty
        table is left out. Runs differ by colour, training and validation by the kind of line. The legend names the runs;
        of a single one it names the lines.

    Returns
    -------
    plotly Figure
        A trace for each run and column that it has.
    """
    return _plot_curves(runs, LOSS_LINES, "Loss", "%{y:.3f}")


def plot_accuracy_curves(runs: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Draw the accuracy of every epoch, from 0 to 100 %; `runs` as in `plot_loss_curves`.

    Columns: accuracy, val_accuracy and val_balanced (balanced accuracy).
    """
    figure = _plot_curves(runs, ACCURACY_LINES, "Accuracy", "%{y:.1%}")
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return figure


def plot_dice_curves(runs: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Draw how well predicted masks match the true ones in every epoch, from 0 to 1; `runs` as in `plot_loss_curves`.

    Columns: val_dice and val_iou.
    """
    figure = _plot_curves(runs, MASK_LINES, "Overlap with the true masks, validation images", "%{y:.3f}")
    figure.update_yaxes(rangemode="tozero")
    return figure


def _plot_curves(
    runs: Mapping[str, pd.DataFrame], lines: Mapping[str, tuple[str, str]], title: str, value_format: str
) -> go.Figure:
    figure, is_single = go.Figure(), len(runs) == 1
    for number, (run_name, history) in enumerate(runs.items()):
        colour = theme.PALETTE[number % len(theme.PALETTE)]
        safe_name = html.escape(run_name, quote=False)
        in_legend = True
        for column, (line_name, dash) in lines.items():
            if column not in history or history[column].isna().all():
                continue
            figure.add_scatter(
                x=history["epoch"].tolist(),
                y=history[column].tolist(),
                name=line_name if is_single else safe_name,
                legendgroup=None if is_single else safe_name,
                showlegend=is_single or in_legend,
                mode="lines+markers" if len(history) <= MAX_MARKED else "lines",
                line={"color": colour, "dash": dash, "width": 2},
                marker={"size": 6},
                hovertemplate=f"epoch %{{x}}, {line_name}: {value_format}",
            )
            in_legend = False
    theme.apply_titled_layout(figure, title, HEIGHT_PX)
    if not is_single:
        subtitle = ", ".join(f"{_DASH_NAMES[dash]}: {line_name}" for line_name, dash in lines.values())
        figure.update_layout(title_subtitle={"text": subtitle, "font": {"size": 13, "weight": "normal"}}, margin_t=76)
    figure.update_layout(
        legend={"orientation": "h", "y": -0.3, "yanchor": "top", "x": 0}, showlegend=True, dragmode=False
    )
    last_epoch = max((int(history["epoch"].max()) for history in runs.values() if len(history)), default=1)
    ticks = {"tick0": 0 if last_epoch > MAX_TICKS else 1, "dtick": -(-last_epoch // MAX_TICKS)}
    figure.update_xaxes(title="Epoch", range=[0.8, max(last_epoch, 2) + 0.2], fixedrange=True, **ticks)
    figure.update_yaxes(fixedrange=True)
    return figure
