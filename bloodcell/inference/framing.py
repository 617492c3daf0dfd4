"""What a network sees of a picture: background hidden where the model asks for it, then a cell cut out, or all of it."""

from pathlib import Path

import numpy as np

from bloodcell.core.errors import ModelError
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.crop import crop_cell, resize_image
from bloodcell.imaging.otsu import find_otsu_threshold, mask_below
from bloodcell.inference.masks import MaskEngine
from bloodcell.model_store.io_spec import CELL, IMAGE, MASK_NONE, MASK_UNET, ModelIOSpec

GREEN = 1  # in it the nucleus stands out most
BLACK = (0, 0, 0)


class Framing:
    """Makes a network's input; training and serving both come through here.

    Parameters
    ----------
    takes : Takes of the network
    mask_file : network of masks, where `io_spec.mask` is "unet"

    Raises
    ------
    ModelError
        If `io_spec.mask` is "unet" and `mask_file` is missing or damaged.
    """

    def __init__(self, io_spec: ModelIOSpec, mask_file: Path | None = None) -> None:
        self.io_spec = io_spec
        if io_spec.mask == MASK_UNET and mask_file is None:
            raise ModelError("A model that hides the background by a U-Net needs its file. Received: none.")
        self._masks = None if mask_file is None or io_spec.mask != MASK_UNET else MaskEngine(mask_file)

    def hide_background(self, rgb: np.ndarray, background_rgb: tuple[int, int, int] = BLACK) -> np.ndarray:
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
        if self.io_spec.mask == MASK_NONE:
            return rgb
        if self._masks is None:
            green = np.ascontiguousarray(rgb[..., GREEN])
            kept = mask_below(green, find_otsu_threshold(green, ignore_black=True))
        else:
            kept = self._masks.mask(rgb)
        hidden = rgb.copy()
        hidden[~kept] = background_rgb if self.io_spec.input == CELL else BLACK
        return hidden

    def cut(
        self, rgb: np.ndarray, box: Box, background_rgb: tuple[int, int, int] | None = None, magnification: int = 1
    ) -> np.ndarray:
        """Make the input of one cell from a picture that `hide_background` gave; uint8 (height_px, width_px, 3).

        `magnification` gives the same frame with so many times the pixels a side, for people.
        """
        height_px, width_px = self.io_spec.height_px * magnification, self.io_spec.width_px * magnification
        if self.io_spec.input == IMAGE:
            return resize_image(rgb, height_px, width_px)
        return crop_cell(rgb, box, height_px, self.io_spec.context, background_rgb, width_px)
