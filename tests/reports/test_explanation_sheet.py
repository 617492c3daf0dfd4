"""Sheets of explanations: the crop beside its map, layers below each other."""

import numpy as np

from bloodcell.explain.explanation import LayerMaps
from bloodcell.plots.explanation_maps import FOR_RGB
from bloodcell.reports.explanation_sheet import CHANNEL_PX, SIDE_PX, draw_layer_sheet, draw_map_sheet


def gray(height, width, level=200):
    return np.full((height, width, 3), level, np.uint8)


def test_a_sheet_has_both_images_and_texts():
    lines = ["title", "more"]
    sheet = draw_map_sheet(gray(64, 64), np.ones((64, 64), np.float32), 1.0, signed=False, lines=lines, unit="share")
    assert sheet.dtype == np.uint8
    assert sheet.shape[1] > 2 * SIDE_PX
    found = {tuple(colour) for colour in sheet.reshape(-1, 3)[::7].tolist()}
    assert (200, 200, 200) in found
    assert tuple(round(200 * 0.15 + one * 0.85) for one in FOR_RGB) in found


def test_a_sheet_of_layers_has_a_row_each():
    few = LayerMaps("a", "convolution", 4, 4, 9, (1, 2), np.ones((2, 4, 4)))
    one = LayerMaps("b", "pooling", 1, 2, 9, (5,), np.zeros((1, 1, 2)))
    short, tall = draw_layer_sheet([few], ["t"]), draw_layer_sheet([few, one], ["t"])
    assert tall.shape[0] - short.shape[0] == CHANNEL_PX + 8
    assert tall.shape[1] == short.shape[1]
