"""What a network sees of an image: the background hidden where the model asks for it, then one cell or all of it."""

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import ModelError
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.crop import crop_cell, resize_image
from bloodcell.imaging.otsu import find_otsu_threshold, mask_below
from bloodcell.inference.masks import MaskEngine
from bloodcell.model_store.io_spec import CELL, IMAGE, MASK_NONE, MASK_UNET, PHYSICAL_FRAME, ModelIOSpec

GREEN: Final = 1  # the channel in which the nucleus stands out most
BLACK: Final = (0, 0, 0)


class Framing:
    """Makes a network's input; training and inference both come through here.

    Parameters
    ----------
    io_spec : ModelIOSpec
        Input of the network.
    mask_file : Path, optional
        The U-Net; needed where `io_spec.mask` is "unet".

    Raises
    ------
    ModelError
        If `io_spec.mask` is "unet" and `mask_file` is missing or damaged.
    """

    def __init__(self, io_spec: ModelIOSpec, mask_file: Path | None = None) -> None:
        self.io_spec = io_spec
        if io_spec.mask == MASK_UNET and mask_file is None:
            raise ModelError(
                "A model that hides the background by a U-Net needs the file of the U-Net. Received: none."
            )
        self._masks = None if mask_file is None or io_spec.mask != MASK_UNET else MaskEngine(mask_file)

    def hide_background(
        self, rgb: npt.NDArray[np.uint8], background_rgb: tuple[int, int, int] = BLACK
    ) -> npt.NDArray[np.uint8]:
        """Hide what is not part of a cell.

        Parameters
        ----------
        rgb : ndarray of uint8, shape (H, W, 3)
        background_rgb : tuple of int, default black
            Colour of the image's clear background, which is put around cells that are cut out. In whole images the
            background becomes black, as published.

        Returns
        -------
        ndarray of uint8, shape (H, W, 3)
            `rgb` itself where nothing is hidden.
        """
        if self.io_spec.mask == MASK_NONE:
            return rgb
        if self._masks is None:
            green = np.ascontiguousarray(rgb[..., GREEN])
            is_cell = mask_below(green, find_otsu_threshold(green, ignore_black=True))
        else:
            is_cell = self._masks.predict_mask(rgb)
        hidden = rgb.copy()
        hidden[~is_cell] = background_rgb if self.io_spec.input == CELL else BLACK
        return hidden

    def make_input(
        self,
        rgb: npt.NDArray[np.uint8],
        box: Box,
        background_rgb: tuple[int, int, int] | None = None,
        magnification: int = 1,
        red_cell_px: float | None = None,
    ) -> npt.NDArray[np.uint8]:
        """Make the network's input for one cell.

        Parameters
        ----------
        rgb : ndarray of uint8, shape (H, W, 3)
            As `hide_background` gives it.
        box : Box
            The cell; without meaning for a network whose input is the whole image.
        background_rgb : tuple of int, optional
            Colour of the image's clear background; None leaves the levels as they are.
        magnification : int, default 1
            More pixels on each side of the same frame, for people.
        red_cell_px : float, optional
            Diameter of red cells in the image; needed where `io_spec.frame` is "physical".

        Returns
        -------
        ndarray of uint8, shape (magnification * height_px, magnification * width_px, 3)

        Raises
        ------
        ModelError
            If the frame is physical and the diameter is not known.
        """
        height_px, width_px = self.io_spec.height_px * magnification, self.io_spec.width_px * magnification
        if self.io_spec.input == IMAGE:
            return resize_image(rgb, height_px, width_px)
        if self.io_spec.frame == PHYSICAL_FRAME:
            box = _make_scale_box(box, red_cell_px)
        return crop_cell(rgb, box, height_px, self.io_spec.context, background_rgb, width_px)


def _make_scale_box(box: Box, red_cell_px: float | None) -> Box:
    """Return the square of one red-cell diameter about the middle of a cell."""
    if red_cell_px is None:
        raise ModelError("This model sees cells at their real size, so the diameter of red cells must be known.")
    row, col = box.centre
    side_px = max(1, round(red_cell_px))
    top, left = round(row - side_px / 2), round(col - side_px / 2)
    return Box(top, left, top + side_px, left + side_px)
