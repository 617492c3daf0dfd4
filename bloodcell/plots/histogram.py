"""The grayscale histogram of one crop, with its threshold."""

import numpy as np
import plotly.graph_objects as go

from bloodcell.plots import theme

HEIGHT_PX = 170


def plot_gray_histogram(counts: np.ndarray, threshold: int, otsu: int) -> go.Figure:
    """Draw how many pixels of a crop have each gray level.

    Parameters
    ----------
    counts : int array of shape (256,), pixels per gray level 0-255
    threshold : gray level up to which a pixel counts as dark; drawn as a solid line
    otsu : Otsu's threshold for the same crop; drawn as a dotted line

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
    return theme.apply_compact_layout(figure, HEIGHT_PX)
