"""What a network sees of a picture: background hidden where the model asks for it, then a cell cut out, or all of it."""

from pathlib import Path

import numpy as np

from bloodcell.core.errors import ModelError
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.crop import crop_cell, whole_picture
from bloodcell.imaging.otsu import mask_below, otsu_threshold
from bloodcell.inference.masks import MaskEngine
from bloodcell.model_store.io_spec import CELL, IMAGE, MASK_NONE, MASK_UNET, Takes

GREEN = 1  # in it the nucleus stands out most
BLACK = (0, 0, 0)


class Framing:
    """Makes a network's input; training and serving both come through here.

    Parameters
    ----------
    takes : Takes of the network
    mask_file : network of masks, where `takes.mask` is "unet"

    Raises
    ------
    ModelError
        If `takes.mask` is "unet" and `mask_file` is missing or damaged.
    """

    def __init__(self, takes: Takes, mask_file: Path | None = None) -> None:
        self.takes = takes
        if takes.mask == MASK_UNET and mask_file is None:
            raise ModelError("A model that hides the background by a U-Net needs its file. Received: none.")
        self._masks = None if mask_file is None or takes.mask != MASK_UNET else MaskEngine(mask_file)

    def hide(self, rgb: np.ndarray, background_rgb: tuple[int, int, int] = BLACK) -> np.ndarray:
        """Hide what is no part of a cell: black in whole pictures, as published; clear background around cut-out cells.

        Parameters
        ----------
        rgb : uint8 array of shape (H, W, 3)
        background_rgb : colour of the picture's clear background

        Returns
        -------
        uint8 array of shape (H, W, 3)
            `rgb` itself where nothing is hidden.
        """
        if self.takes.mask == MASK_NONE:
            return rgb
        if self._masks is None:
            green = np.ascontiguousarray(rgb[..., GREEN])
            kept = mask_below(green, otsu_threshold(green, ignore_black=True))
        else:
            kept = self._masks.mask(rgb)
        hidden = rgb.copy()
        hidden[~kept] = background_rgb if self.takes.input == CELL else BLACK
        return hidden

    def cut(
        self, rgb: np.ndarray, box: Box, background_rgb: tuple[int, int, int] | None = None, enlarged: int = 1
    ) -> np.ndarray:
        """Make the input of one cell from a picture that `hide` gave; uint8 (height_px, width_px, 3).

        `enlarged` gives the same frame with so many times the pixels a side, for people.
        """
        height_px, width_px = self.takes.height_px * enlarged, self.takes.width_px * enlarged
        if self.takes.input == IMAGE:
            return whole_picture(rgb, height_px, width_px)
        return crop_cell(rgb, box, height_px, self.takes.context, background_rgb, width_px)
