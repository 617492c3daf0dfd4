"""The recall of each class before and after a model was adapted, with intervals."""

import pandas as pd
import plotly.graph_objects as go

from bloodcell.plots import theme

STAGES = ("before", "after")
ROW_PX = 56
_STYLES = {"before": (theme.BAR_COLOUR, "circle-open", -0.14), "after": (theme.ACCENT_COLOUR, "circle", 0.14)}


def plot_recall_before_after(table: pd.DataFrame) -> go.Figure:
    """Draw two points with their intervals for each class, one above the other.

    Parameters
    ----------
    table : DataFrame with the columns class_name, n_cells (held back), and before, before_low, before_high, after,
        after_low, after_high: shares from 0 to 1, NaN for a class of which no cell was held back

    Returns
    -------
    plotly Figure with the traces before and after; the classes stand in the order of the table, from the top
    """
    rows = list(range(len(table)))
    figure = go.Figure()
    for stage in STAGES:
        colour, symbol, shift = _STYLES[stage]
        value, low, high = (table[name].astype(float) for name in (stage, f"{stage}_low", f"{stage}_high"))
        figure.add_scatter(
            x=value.tolist(),
            y=[row + shift for row in rows],
            name=stage,
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 11, "line": {"width": 2, "color": colour}},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": (high - value).tolist(),
                "arrayminus": (value - low).tolist(),
                "color": colour,
                "thickness": 1.5,
                "width": 5,
            },
            customdata=[[100 * a, 100 * b] for a, b in zip(low, high, strict=True)],
            hovertemplate=stage + ": %{x:.1%} (%{customdata[0]:.1f} to %{customdata[1]:.1f})<extra></extra>",
        )
    words = [
        f"{theme.format_chart_label(name)} ({n})"
        for name, n in table[["class_name", "n_cells"]].itertuples(index=False)
    ]
    titled = theme.apply_titled_layout(figure, "Recall of each class", ROW_PX * len(rows) + 130)
    titled.update_layout(
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 1, "xanchor": "right", "traceorder": "normal"},
        dragmode=False,
    )
    titled.update_xaxes(title="Recall, with 95 % interval", tickformat=".0%", range=[-0.03, 1.03], fixedrange=True)
    titled.update_yaxes(
        tickvals=rows, ticktext=words, range=[len(rows) - 0.5, -0.5], showgrid=False, fixedrange=True, ticksuffix="  "
    )
    return titled
