"""Explanation maps over the crop; images of the outputs of layers."""

import base64

import cv2
import numpy as np
import plotly.graph_objects as go

from bloodcell.imaging.read import encode_png
from bloodcell.plots import theme
from bloodcell.plots.cell_images import render_gray

HEIGHT_PX = 270
MAX_MAP_SIDE = 96  # longer side of what is sent to the browser, which smooths it
# How much the strongest value covers the image. Weak ones are transparent, so that the cell stays visible.
OPACITY = 0.85
FOR_RGB, AGAINST_RGB = (213, 94, 0), (0, 114, 178)  # orange and blue of `theme.PALETTE`: told apart by every eye
# A drop of probability below this is not drawn stronger than it is: one map in strong colours would say too much.
MIN_RANGE = 0.1


def find_map_range(values: np.ndarray) -> float:
    """Return the value of the strongest colour of a map of probability drops: its largest drop or rise, at least 0.1."""
    return max(MIN_RANGE, float(np.abs(values).max()))


def plot_map(rgb: np.ndarray, values: np.ndarray, title: str, max_value: float, *, signed: bool) -> go.Figure:
    """Draw a map over its crop in gray, with a bar that says what the colours mean.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
        The crop.
    values : ndarray of float, shape (h, w)
        Over the whole of `rgb`.
    title : str
        What a value is, with its unit.
    max_value : float
        Value of the strongest colour.
    signed : bool
        Also show values below 0, in the other colour.

    Returns
    -------
    plotly Figure
        With two traces: the image, and the map.
    """
    scale = min(1.0, MAX_MAP_SIDE / max(values.shape))
    height, width = (max(1, round(side * scale)) for side in values.shape)
    downscaled = cv2.resize(values.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    step_x, step_y = rgb.shape[1] / width, rgb.shape[0] / height
    source = "data:image/png;base64," + base64.b64encode(encode_png(render_gray(rgb))).decode("ascii")
    figure = go.Figure(go.Image(source=source, hoverinfo="skip"))
    figure.add_heatmap(
        z=downscaled,
        x0=(step_x - 1) / 2,
        dx=step_x,
        y0=(step_y - 1) / 2,
        dy=step_y,
        zmin=-max_value if signed else 0,
        zmax=max_value,
        zsmooth="best",
        colorscale=_build_colour_scale(signed),
        hovertemplate="%{z:.3f}<extra></extra>",
        colorbar={
            "orientation": "h",
            "thickness": 10,
            "len": 1.0,
            "y": -0.02,
            "yanchor": "top",
            "title": {"text": title, "side": "bottom", "font": {"size": 12}},
            "nticks": 5,
            "tickfont": {"size": 11},
            "outlinewidth": 0,
        },
    )
    theme.apply_compact_layout(figure, HEIGHT_PX)
    figure.update_xaxes(visible=False, range=[-0.5, rgb.shape[1] - 0.5], constrain="domain")
    figure.update_yaxes(visible=False, range=[rgb.shape[0] - 0.5, -0.5], constrain="domain", scaleanchor="x")
    return figure


def render_map(rgb: np.ndarray, values: np.ndarray, max_value: float) -> np.ndarray:
    """Render a map over its crop in gray, as `plot_map` does; the map is resized to the crop.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
    values : ndarray of float, shape (h, w)
        Those below 0 become blue.
    max_value : float
        Value of the strongest colour.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    size = (rgb.shape[1], rgb.shape[0])
    share = cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)[..., None] / max_value
    colour = np.where(share >= 0, np.array(FOR_RGB, np.float32), np.array(AGAINST_RGB, np.float32))
    cover = OPACITY * np.clip(np.abs(share), 0, 1)
    blended: np.ndarray = (render_gray(rgb) * (1 - cover) + colour * cover).round().astype(np.uint8)
    return blended


def render_channel(values: np.ndarray, side_px: int = 64) -> np.ndarray:
    """Render the output of one channel of a layer: 0 black, 1 white, each position a square of the same size.

    Parameters
    ----------
    values : ndarray of float, shape (h, w)
        From 0 to 1.
    side_px : int, default 64
        Longer side of the result, about; not less than that of `values`.

    Returns
    -------
    ndarray of uint8, shape (side_px, side_px, 3), about
    """
    levels = (np.clip(values, 0, 1) * 255).round().astype(np.uint8)
    times = max(1, side_px // max(levels.shape))
    enlarged = levels.repeat(times, axis=0).repeat(times, axis=1)
    return np.repeat(enlarged[..., None], 3, axis=2)


def _build_colour_scale(signed: bool) -> list[tuple[float, str]]:
    opaque, transparent = _rgba(FOR_RGB, OPACITY), _rgba(FOR_RGB, 0)
    if not signed:
        return [(0.0, transparent), (1.0, opaque)]
    return [(0.0, _rgba(AGAINST_RGB, OPACITY)), (0.5, _rgba(AGAINST_RGB, 0)), (0.5, transparent), (1.0, opaque)]


def _rgba(rgb: tuple[int, int, int], alpha: float) -> str:
    return f"rgba({rgb[0]},{rgb[1]},{rgb[2]},{alpha})"
