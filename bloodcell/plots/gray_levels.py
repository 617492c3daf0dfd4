"""Charts of gray levels: one image, one crop, the images of each class, mean and spread by class, classes overlaid."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb
from plotly.subplots import make_subplots

from bloodcell.imaging.gray_levels import GrayLevels, LevelStatistics
from bloodcell.imaging.threshold import PRESETS
from bloodcell.plots import theme

LEVELS = list(range(256))
LEVEL_TITLE = "Gray level (0 black, 255 white)"
SHARE_TITLE = "Pixels (%)"
# A background of nearly one colour is a peak beside which all else is flat. Peaks are cut at this many times this
# percentile of the values.
PEAK_FACTOR, PEAK_PERCENTILE = 6, 95
PANEL_PX = 190
MAX_COLUMNS = 4
LINE_COLOUR = "#777777"
CROP_HEIGHT_PX = 170


def plot_image_histogram(levels: GrayLevels, name: str, *, ignore_black: bool = True) -> go.Figure:
    """Draw the gray levels of one image, with the preset thresholds and its own Otsu threshold as lines.

    Parameters
    ----------
    levels : GrayLevels
    name : str
        Of the image, for the title; any text.
    ignore_black : bool, default True
        Leave out the black border of a rotation; its share stands in the title.

    Returns
    -------
    plotly Figure
        With one trace, percent of the shown pixels at each level.
    """
    counts = levels.lit if ignore_black else levels.counts
    figure = go.Figure(
        go.Bar(
            x=LEVELS,
            y=_to_percent(counts / max(int(counts.sum()), 1)),
            marker={"color": theme.BAR_COLOUR, "line": {"width": 0}},
            hovertemplate="Gray %{x}: %{y:.2f} % of the pixels<extra></extra>",
            showlegend=False,
        )
    )
    figure.update_layout(bargap=0)
    _add_threshold_lines(figure, levels.otsu)
    peak_note = _set_level_axes(figure)
    title = (
        f"Gray levels of {theme.format_chart_label(name)} · black border {100 * levels.border_share:.1f} %{peak_note}"
    )
    return theme.apply_titled_layout(figure, title, 300)


def plot_gray_histogram(counts: np.ndarray, threshold: int, otsu: int) -> go.Figure:
    """Draw how many pixels of a crop have each gray level.

    Parameters
    ----------
    counts : ndarray of int, shape (256,)
        Pixels at each gray level.
    threshold : int
        Gray level up to which a pixel counts as dark; drawn as a solid line.
    otsu : int
        Otsu's threshold of the same crop; drawn as a dotted line.

    Returns
    -------
    plotly Figure
        Two bar traces, dark (level <= threshold) and light, of 256 bars together.
    """
    levels = np.arange(len(counts))
    dark = levels <= threshold
    total = max(int(counts.sum()), 1)
    share = 100 * counts[dark].sum() / total
    figure = go.Figure()
    for name, part, colour in (
        (f"Dark: {share:.0f} % of the crop", dark, theme.ACCENT_COLOUR),
        (f"Light: {100 - share:.0f} %", ~dark, theme.BAR_COLOUR),
    ):
        figure.add_bar(
            name=name,
            x=levels[part].tolist(),
            y=counts[part].tolist(),
            marker={"color": colour, "line": {"width": 0}},
            hovertemplate="Gray %{x}: %{y} pixels<extra></extra>",
        )
    figure.add_vline(x=threshold + 0.5, line={"color": theme.ACCENT_COLOUR, "width": 2})
    figure.add_vline(
        x=otsu + 0.5,
        line={"color": "#444444", "width": 1, "dash": "dot"},
        annotation={"text": "Otsu", "font": {"size": 11}, "yanchor": "top", "y": 1},
    )
    figure.update_layout(
        bargap=0,
        barmode="overlay",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )
    figure.update_xaxes(range=[-1, 256], tickvals=[0, 50, 100, 150, 200, 255], title=None)
    figure.update_yaxes(title=None, showticklabels=False)
    return theme.apply_compact_layout(figure, CROP_HEIGHT_PX)


def plot_images_by_class(
    images: Sequence[GrayLevels], labels: Sequence[str], names: Sequence[str], *, ignore_black: bool = True
) -> go.Figure:
    """Draw the gray levels of single images, a thin line each, in one panel for each class.

    Parameters
    ----------
    images : sequence of GrayLevels, length N
    labels, names : sequence of str, length N
        The name shows under the pointer.
    ignore_black : bool, default True
        Leave out the black borders of rotations.

    Returns
    -------
    plotly Figure
        With one trace for each image.
    """
    classes = sorted(set(labels))
    figure, places = _make_panels([theme.format_chart_label(name) for name in classes])
    styles = theme.assign_class_styles(classes)
    for levels, label, name in zip(images, labels, names, strict=True):
        counts = levels.lit if ignore_black else levels.counts
        figure.add_scatter(
            x=LEVELS,
            y=_to_percent(counts / max(int(counts.sum()), 1)),
            mode="lines",
            line={"color": styles[label].colour, "width": 1},
            opacity=0.6,
            name=theme.format_chart_label(name),
            hovertemplate="Gray %{x}: %{y:.2f} %<extra>%{fullData.name}</extra>",
            showlegend=False,
            row=places[classes.index(label)][0],
            col=places[classes.index(label)][1],
        )
    return _finish_panels(figure, len(classes), "Gray levels of single images")


def plot_class_means(statistics: Mapping[str, LevelStatistics]) -> go.Figure:
    """Draw mean and spread of each class in a panel of its own.

    Parameters
    ----------
    statistics : mapping of str to LevelStatistics
        By class, from `imaging.gray_levels.summarise_levels_by_class`.

    Returns
    -------
    plotly Figure
        Two traces for each class: the band of mean ± one standard deviation over the images (cut at 0), and the mean.
    """
    styles = theme.assign_class_styles(list(statistics))
    titles = [f"{theme.format_chart_label(name)} · {summary.n_images:,}" for name, summary in statistics.items()]
    figure, places = _make_panels(titles)
    for (name, summary), (row, column) in zip(statistics.items(), places, strict=True):
        class_name = theme.format_chart_label(name)
        low, high = (
            _to_percent(np.maximum(summary.mean - summary.spread, 0)),
            _to_percent(summary.mean + summary.spread),
        )
        figure.add_scatter(
            x=LEVELS + LEVELS[::-1],
            y=high + low[::-1],
            fill="toself",
            fillcolor=_make_transparent(styles[name].colour),
            line={"width": 0},
            hoverinfo="skip",
            name=f"{class_name}, spread",
            showlegend=False,
            row=row,
            col=column,
        )
        figure.add_scatter(
            x=LEVELS,
            y=_to_percent(summary.mean),
            mode="lines",
            line={"color": styles[name].colour, "width": 2},
            name=class_name,
            customdata=_to_percent(summary.spread),
            hovertemplate="Gray %{x}: %{y:.2f} ± %{customdata:.2f} %<extra>%{fullData.name}</extra>",
            showlegend=False,
            row=row,
            col=column,
        )
    return _finish_panels(figure, len(statistics), "Mean gray levels, with the spread over images (± 1 SD)")


def plot_classes_overlaid(statistics: Mapping[str, LevelStatistics]) -> go.Figure:
    """Draw the mean gray levels of all classes in one chart.

    Parameters
    ----------
    statistics : mapping of str to LevelStatistics
        By class, from `imaging.gray_levels.summarise_levels_by_class`.

    Returns
    -------
    plotly Figure
        One trace for each class; the legend gives its images and its share of black border.
    """
    styles = theme.assign_class_styles(list(statistics))
    figure = go.Figure()
    for name, summary in statistics.items():
        border = f"border {100 * summary.border_share:.1f} %"
        figure.add_scatter(
            x=LEVELS,
            y=_to_percent(summary.mean),
            mode="lines",
            line={"color": styles[name].colour, "dash": styles[name].dash, "width": 2},
            name=f"{theme.format_chart_label(name)} · {summary.n_images:,} images · {border}",
            hovertemplate="Gray %{x}: %{y:.2f} %<extra>%{fullData.name}</extra>",
            showlegend=True,
        )
    _add_threshold_lines(figure)
    peak_note = _set_level_axes(figure)
    theme.apply_titled_layout(
        figure, f"Mean gray levels of all classes{peak_note}", max(420, 22 * len(statistics) + 120)
    )
    figure.update_layout(legend={"x": 1.01, "y": 1, "yanchor": "top"})
    return figure


def _to_percent(share: np.ndarray) -> list[float]:
    percent: list[float] = (100 * share).round(4).tolist()
    return percent


def _make_transparent(colour: str) -> str:
    red, green, blue = hex_to_rgb(colour)
    return f"rgba({red},{green},{blue},0.22)"


def _add_threshold_lines(figure: go.Figure, otsu: int | None = None) -> None:
    """Add the preset thresholds as dashed lines with their names above the chart, and Otsu's as a solid one."""
    lines = [(level, f"{level} {name}", "dash") for name, level in PRESETS.items()]
    if otsu is not None:
        lines.append((otsu, f"{otsu} Otsu", "solid"))
    for number, (level, text, dash) in enumerate(lines):
        figure.add_vline(
            x=level + 0.5,  # a pixel at the threshold is dark
            line={"color": theme.ACCENT_COLOUR if dash == "solid" else LINE_COLOUR, "width": 1, "dash": dash},
            annotation={
                "text": text,
                "font": {"size": 11},
                "textangle": 0,
                "xanchor": "right" if number < len(PRESETS) else "left",
                "y": 1.0 - 0.07 * number,
                "yanchor": "top",
                "bgcolor": "rgba(255,255,255,0.8)",
            },
        )


def _set_level_axes(figure: go.Figure) -> str:
    """Title and scale the axes; return a note for the chart's title where peaks are cut."""
    figure.update_xaxes(title=LEVEL_TITLE, range=[-1, 256], tickvals=[0, 50, 100, 150, 200, 255])
    figure.update_yaxes(title=SHARE_TITLE)
    return _set_share_range(figure)


def _set_share_range(figure: go.Figure) -> str:
    """Set the range of all y axes (panels share it, which Plotly's own range gets wrong); return where peaks are cut."""
    values = np.concatenate([[0.0], *(np.asarray(trace.y, float) for trace in figure.data)])
    top = float(values.max())
    limit = PEAK_FACTOR * float(np.percentile(values[values > 0], PEAK_PERCENTILE)) if top else 1.0
    figure.update_yaxes(range=[0, 1.06 * min(top or limit, limit)])
    return f" · peaks cut at {limit:.1f} %" if top > limit else ""


def _make_panels(titles: Sequence[str]) -> tuple[go.Figure, list[tuple[int, int]]]:
    """Make a panel for each title, at most `MAX_COLUMNS` to a row; rows and columns count from 1, as in Plotly."""
    n_columns = max(1, min(MAX_COLUMNS, len(titles)))
    n_rows = max(1, -(-len(titles) // n_columns))
    figure = make_subplots(
        rows=n_rows,
        cols=n_columns,
        shared_xaxes="all",
        shared_yaxes="all",
        subplot_titles=list(titles) or None,
        horizontal_spacing=0.02,
        vertical_spacing=min(0.14, 0.32 / n_rows),
    )
    return figure, [(number // n_columns + 1, number % n_columns + 1) for number in range(len(titles))]


def _finish_panels(figure: go.Figure, n_panels: int, title: str) -> go.Figure:
    n_columns = max(1, min(MAX_COLUMNS, n_panels))
    n_rows = max(1, -(-n_panels // n_columns))
    # All at once: Plotly's add_vline takes seconds for thirty panels.
    figure.update_layout(
        shapes=[
            {
                "type": "line",
                "xref": f"x{panel}",
                "yref": f"y{panel} domain",
                "x0": level + 0.5,
                "x1": level + 0.5,
                "y0": 0,
                "y1": 1,
                "line": {"color": LINE_COLOUR, "width": 1, "dash": "dot"},
            }
            for panel in ["", *range(2, n_panels + 1)][:n_panels]
            for level in PRESETS.values()
        ]
    )
    figure.update_annotations(font_size=13)
    theme.apply_titled_layout(figure, title + _set_share_range(figure), PANEL_PX * n_rows + 110)
    figure.update_xaxes(range=[-1, 256], tickvals=[0, 100, 200], showticklabels=True)
    figure.update_xaxes(title={"text": "Gray level", "font": {"size": 13}}, row=n_rows)
    figure.update_yaxes(title={"text": SHARE_TITLE, "font": {"size": 13}}, col=1)
    return figure
