"""Explanations as one image with text, for files: the crop, its map and its colour bar; or layers in rows."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bloodcell.explain.explanation import LayerMaps
from bloodcell.plots.cell_images import pad_to_square
from bloodcell.plots.explanation_maps import render_channel, render_map

SIDE_PX, GAP_PX, LINE_PX = 360, 16, 24
BAR_PX = 16
CHANNEL_PX, NAME_PX = 64, 300
TEXT_PX, SMALL_PX = 16, 13
INK, FAINT_INK = (38, 34, 47), (107, 107, 118)


def draw_map_sheet(
    rgb: np.ndarray, values: np.ndarray, max_value: float, *, signed: bool, lines: Sequence[str], unit: str
) -> np.ndarray:
    """Draw a crop, its map and a colour bar on one white sheet, under some lines of text.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
        The crop; enlarged where it is small.
    values, max_value, signed
        As in `plots.explanation_maps.plot_map`.
    lines : sequence of str
        What stands above; the first is the title.
    unit : str
        What a value is.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
    """
    crop, overlay = pad_to_square(rgb, SIDE_PX), pad_to_square(render_map(rgb, values, max_value), SIDE_PX)
    width = 2 * SIDE_PX + 3 * GAP_PX
    top = GAP_PX + LINE_PX * len(lines) + GAP_PX // 2
    sheet = Image.new("RGB", (width, top + SIDE_PX + GAP_PX + BAR_PX + 2 * LINE_PX + GAP_PX), "white")
    draw = ImageDraw.Draw(sheet)
    _write_lines(draw, lines)
    right = 2 * GAP_PX + SIDE_PX
    sheet.paste(Image.fromarray(crop), (GAP_PX, top))
    sheet.paste(Image.fromarray(overlay), (right, top))
    ramp = np.linspace(-max_value if signed else 0, max_value, SIDE_PX)[None].repeat(BAR_PX, axis=0)
    bar = render_map(np.full((BAR_PX, SIDE_PX, 3), 255, np.uint8), ramp, max_value)
    bar_top = top + SIDE_PX + GAP_PX
    sheet.paste(Image.fromarray(bar), (right, bar_top))
    ends = (f"{-max_value if signed else 0:.2g}", unit, f"{max_value:.2g}")
    for text, anchor, x in zip(ends, ("la", "ma", "ra"), (right, right + SIDE_PX // 2, right + SIDE_PX), strict=True):
        draw.text((x, bar_top + BAR_PX + 4), text, FAINT_INK, _load_font(SMALL_PX), anchor=anchor)
    draw.text((GAP_PX, bar_top), "Input of the network", FAINT_INK, _load_font(SMALL_PX))
    return np.asarray(sheet)


def draw_layer_sheet(layers: Sequence[LayerMaps], lines: Sequence[str]) -> np.ndarray:
    """Draw the layers of a network below each other, each with its most active channels.

    Parameters
    ----------
    layers : sequence of LayerMaps
        One or more, from the input on.
    lines : sequence of str
        What stands above; the first is the title.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
    """
    n_columns = max(len(layer.channels) for layer in layers)
    step = CHANNEL_PX + GAP_PX // 2
    top = GAP_PX + LINE_PX * len(lines) + GAP_PX // 2
    sheet = Image.new("RGB", (NAME_PX + n_columns * step + GAP_PX, top + len(layers) * step + GAP_PX), "white")
    draw = ImageDraw.Draw(sheet)
    _write_lines(draw, lines)
    for row, layer in enumerate(layers):
        y = top + row * step
        draw.text((GAP_PX, y + 8), layer.name, INK, _load_font(TEXT_PX))
        draw.text((GAP_PX, y + 8 + LINE_PX), layer.description, FAINT_INK, _load_font(SMALL_PX))
        for column, values in enumerate(layer.maps):
            tile = pad_to_square(render_channel(values, CHANNEL_PX), CHANNEL_PX)
            sheet.paste(Image.fromarray(tile), (NAME_PX + column * step, y))
    return np.asarray(sheet)


def _write_lines(draw: ImageDraw.ImageDraw, lines: Sequence[str]) -> None:
    for number, line in enumerate(lines):
        colour, size = (INK, TEXT_PX) if number == 0 else (FAINT_INK, SMALL_PX)
        draw.text((GAP_PX, GAP_PX + number * LINE_PX), line, colour, _load_font(size))


def _load_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)
