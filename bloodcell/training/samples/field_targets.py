"""What a detector is to predict for a tile: heat maps of centres, and the sides of the boxes around each centre."""

from typing import Final

import numpy as np
import numpy.typing as npt

from bloodcell.core.labels import DETECTED
from bloodcell.model_store.detectors import STRIDE
from bloodcell.training.samples.field_tiles import Tile

N_CLASSES: Final = len(DETECTED)
# The heat of a cell falls to exp(-1/2) at this share of half its side from the centre.
_SPREAD: Final = 0.36
_MIN_SPREAD: Final = 0.6  # in cells of the map
# Sides are learned where the heat is at least this.
_MIN_HEAT: Final = 0.4


def make_targets(tile: Tile) -> npt.NDArray[np.float32]:
    """Make the targets of one tile.

    Parameters
    ----------
    tile : Tile

    Returns
    -------
    ndarray of float32, shape (tile_px / 4, tile_px / 4, 6 * n_classes)
        By class: the heat (1 at the centre of a cell); then the weight of its sides, which add up to 1 for each cell;
        then four distances to the sides of its box, in units of the stride. Where cells of one class overlap, the
        heat is the larger one, and the sides are those of the smaller cell.
    """
    side = tile.rgb.shape[0] // STRIDE
    heat = np.zeros((side, side, N_CLASSES), np.float32)
    weight = np.zeros_like(heat)
    sides = np.zeros((side, side, N_CLASSES, 4), np.float32)
    middles = np.arange(side) + 0.5
    areas = (tile.boxes[:, 2:] - tile.boxes[:, :2]).prod(axis=1)
    for number in np.argsort(-areas, kind="stable"):
        top, left, bottom, right = tile.boxes[number] / STRIDE
        class_index = tile.class_index[number]
        row, col = (top + bottom) / 2, (left + right) / 2
        at_row, at_col = min(int(row), side - 1), min(int(col), side - 1)
        spread_row = max(_MIN_SPREAD, _SPREAD * (bottom - top) / 2)
        spread_col = max(_MIN_SPREAD, _SPREAD * (right - left) / 2)
        own = np.exp(
            -(((middles - at_row - 0.5) / spread_row) ** 2)[:, None] / 2
            - (((middles - at_col - 0.5) / spread_col) ** 2)[None] / 2
        ).astype(np.float32)
        heat[..., class_index] = np.maximum(heat[..., class_index], own)
        # Only where the centre pixel looks out of the box on no side.
        near = own >= _MIN_HEAT
        near &= ((middles > top) & (middles < bottom))[:, None] & ((middles > left) & (middles < right))[None]
        near[at_row, at_col] = True
        weight[..., class_index][near] = own[near] / own[near].sum()
        distances = np.stack(
            np.broadcast_arrays(
                (middles - top)[:, None], (middles - left)[None], (bottom - middles)[:, None], (right - middles)[None]
            ),
            axis=-1,
        )
        sides[:, :, class_index][near] = np.maximum(distances, 0.1)[near]
    return np.concatenate([heat, weight, sides.reshape(side, side, -1)], axis=-1)
