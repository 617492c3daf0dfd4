"""Charts of many runs: metrics of each run, progress of a search, effect of a setting, recall before and after."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from bloodcell.plots import theme

METRIC_TITLES = {"accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy", "log_loss": "Log loss"}
COLOURS = {"accuracy": theme.PALETTE[0], "balanced_accuracy": theme.PALETTE[1]}
HEIGHT_PX, SETTING_HEIGHT_PX = 340, 260
DOT_OFFSET = 0.08  # of a run's width, so that equal metrics do not hide each other
STATE_ROW_SHARE = 0.07  # of the height, for each state of trials without a metric
MAX_TICKS = 20
STAGES = ("before", "after")
ROW_PX = 56
_STYLES = {"before": (theme.BAR_COLOUR, "circle-open", -0.14), "after": (theme.ACCENT_COLOUR, "circle", 0.14)}


def plot_runs(
    runs: pd.DataFrame,
    run_noun: str,
    means: Mapping[str, float],
    mean_title: str = "mean",
    interval: tuple[float, float] | None = None,
) -> go.Figure:
    """Draw accuracy and balanced accuracy of every run as a dot each, and their means as lines.

    Parameters
    ----------
    runs : DataFrame
        With a column named `run_noun` in small letters, the number of the run; accuracy and balanced_accuracy, from 0 to
        1; and, if some runs did not converge, converged (bool): dots are hollow where it is False.
    run_noun : str
        What a run is called, such as "Trial".
    means : mapping of str to float
        Where the line of each metric is drawn.
    mean_title : str, default "mean"
        What the lines are.
    interval : tuple of two floats, optional
        Of the accuracy, drawn as a band.

    Returns
    -------
    plotly Figure
        A trace of dots for each of the two metrics, beside each other, and one more for each that has hollow dots.
    """
    number = run_noun.lower()
    converged = runs["converged"].astype(bool) if "converged" in runs else pd.Series(True, index=runs.index)
    figure = go.Figure()
    if interval is not None:
        figure.add_hrect(*interval, fillcolor=COLOURS["accuracy"], opacity=0.12, line_width=0)
    for offset, (name, colour) in zip((-DOT_OFFSET, DOT_OFFSET), COLOURS.items(), strict=True):
        figure.add_hline(means[name], line={"color": colour, "width": 1.5, "dash": "dash"})
        for symbol, suffix, rows in (
            ("circle", "", runs[converged]),
            ("circle-open", ", did not converge", runs[~converged]),
        ):
            if rows.empty:
                continue
            figure.add_scatter(
                x=(rows[number] + offset).tolist(),
                y=rows[name].tolist(),
                customdata=rows[number].tolist(),
                name=METRIC_TITLES[name] + suffix,
                mode="markers",
                marker={"color": colour, "size": 10, "symbol": symbol, "line": {"width": 2, "color": colour}},
                hovertemplate=f"{number} %{{customdata}}{suffix}: {METRIC_TITLES[name].lower()} %{{y:.1%}}<extra></extra>",
            )
    _lay_out(figure, f"Metrics of each {number} (dashed: {mean_title})", HEIGHT_PX)
    _number_runs(figure, runs[number], run_noun)
    figure.update_yaxes(tickformat=".0%")
    return figure


def plot_search_progress(trials: pd.DataFrame, metric: str, *, is_minimised: bool) -> go.Figure:
    """Draw the metric of every trial of a search as a dot, and the best so far as a line.

    Parameters
    ----------
    trials : DataFrame
        With trial (number), state, epochs, and the column `metric`, NaN where a trial has none; those are marked in a
        strip below, a row for each of their states.
    metric : str
        One of `METRIC_TITLES`.
    is_minimised : bool
        Whether less is better.

    Returns
    -------
    plotly Figure
        The dots, the best so far, then a trace for each state without a metric.
    """
    ordered = trials.sort_values("trial")
    done, others = ordered[ordered[metric].notna()], ordered[ordered[metric].isna()]
    states = list(dict.fromkeys(others["state"]))
    strip = max(0.001, STATE_ROW_SHARE * len(states))
    plot = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[1 - strip, strip], vertical_spacing=0.04)
    plot.add_scatter(
        x=done["trial"].tolist(),
        y=done[metric].tolist(),
        name="one trial",
        mode="markers",
        marker={"color": theme.PALETTE[0], "size": 9},
        hovertemplate=f"trial %{{x}}: {METRIC_TITLES[metric].lower()} %{{y:.4f}}<extra></extra>",
    )
    best = done[metric].cummin() if is_minimised else done[metric].cummax()
    plot.add_scatter(
        x=done["trial"].tolist(),
        y=best.tolist(),
        name="best so far",
        mode="lines",
        line={"color": theme.PALETTE[1], "width": 2, "shape": "hv"},
        hovertemplate="best so far: %{y:.4f}<extra></extra>",
    )
    for state in states:
        rows = others[others["state"] == state]
        plot.add_scatter(
            x=rows["trial"].tolist(),
            y=[state] * len(rows),
            customdata=rows["epochs"].tolist(),
            mode="markers",
            marker={"color": theme.OTHER_COLOUR, "size": 9, "symbol": "x-thin", "line": {"width": 2}},
            showlegend=False,
            hovertemplate=f"trial %{{x}}: {state} after %{{customdata}} epochs<extra></extra>",
            row=2,
            col=1,
        )
    better = "lower" if is_minimised else "higher"
    _lay_out(plot, f"{METRIC_TITLES[metric]} of each trial ({better} is better)", HEIGHT_PX)
    _number_runs(plot, ordered["trial"], "Trial")
    plot.update_xaxes(title="", row=1, col=1)
    plot.update_yaxes(showgrid=False, row=2, col=1)
    return plot


def plot_setting_effect(
    trials: pd.DataFrame, setting: str, title: str, metric: str, best: int, values: Mapping[str, Any]
) -> go.Figure:
    """Draw the metric against one searched setting, a dot for each trial; the best trial is marked.

    Parameters
    ----------
    trials : DataFrame
        With trial and the columns `setting` and `metric`; trials without a metric are left out.
    setting : str
    title : str
        What the setting is called.
    metric : str
        One of `METRIC_TITLES`.
    best : int
        Number of the best trial.
    values : mapping of str to Any
        What was searched: low, high and log, drawn along a scale, or choices, drawn side by side.

    Returns
    -------
    plotly Figure
        With one trace.
    """
    done = trials[trials[metric].notna()]
    is_range = "choices" not in values
    x = done[setting].tolist() if is_range else [format_setting(value) for value in done[setting]]
    is_best = (done["trial"] == best).tolist()
    plot = go.Figure()
    plot.add_scatter(
        x=x,
        y=done[metric].tolist(),
        customdata=done["trial"].tolist(),
        mode="markers",
        marker={
            "color": [theme.PALETTE[1] if best else theme.PALETTE[0] for best in is_best],
            "size": [14 if best else 8 for best in is_best],
            "symbol": ["star" if best else "circle" for best in is_best],
            "opacity": 0.85,
        },
        hovertemplate=f"%{{x}}: {METRIC_TITLES[metric].lower()} %{{y:.4f}}, trial %{{customdata}}<extra></extra>",
    )
    theme.apply_titled_layout(plot, title, SETTING_HEIGHT_PX)
    plot.update_layout(showlegend=False, dragmode=False)
    plot.update_yaxes(title=METRIC_TITLES[metric], fixedrange=True)
    if is_range:
        plot.update_xaxes(type="log" if values.get("log") else "linear", fixedrange=True)
    else:
        order = [format_setting(value) for value in values["choices"]]
        plot.update_xaxes(type="category", categoryorder="array", categoryarray=order, fixedrange=True)
        plot.update_xaxes(range=[-0.5, len(order) - 0.5])
    return plot


def plot_recall_before_after(table: pd.DataFrame) -> go.Figure:
    """Draw the recall of each class before and after a model was adapted, with intervals.

    Parameters
    ----------
    table : DataFrame
        With class_name, n_cells (held out), and before, before_low, before_high, after, after_low, after_high: shares
        from 0 to 1, NaN for a class of which no cell was held out.

    Returns
    -------
    plotly Figure
        With the traces before and after; the classes stand in the order of the table, from the top.
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
    class_names = [
        f"{theme.format_chart_label(name)} ({n})"
        for name, n in table[["class_name", "n_cells"]].itertuples(index=False)
    ]
    theme.apply_titled_layout(figure, "Recall of each class", ROW_PX * len(rows) + 130)
    figure.update_layout(
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 1, "xanchor": "right", "traceorder": "normal"},
        dragmode=False,
    )
    figure.update_xaxes(title="Recall, with 95 % interval", tickformat=".0%", range=[-0.03, 1.03], fixedrange=True)
    figure.update_yaxes(
        tickvals=rows,
        ticktext=class_names,
        range=[len(rows) - 0.5, -0.5],
        showgrid=False,
        fixedrange=True,
        ticksuffix="  ",
    )
    return figure


def format_setting(value: Any) -> str:
    """Return a value of a setting as people read it.

    Examples
    --------
    >>> format_setting([8, 12]), format_setting(0.0012345)
    ('8, 12', '0.00123')
    """
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _lay_out(figure: go.Figure, title: str, height_px: int) -> None:
    theme.apply_titled_layout(figure, title, height_px)
    figure.update_layout(
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
        showlegend=True,
        dragmode=False,
    )
    figure.update_yaxes(fixedrange=True)


def _number_runs(figure: go.Figure, numbers: pd.Series, run_noun: str) -> None:
    first, last = int(numbers.min()), int(numbers.max())
    figure.update_xaxes(
        title=run_noun,
        range=[first - 0.5, last + 0.5],
        tick0=first,
        dtick=-(-(last - first + 1) // MAX_TICKS),
        fixedrange=True,
    )
