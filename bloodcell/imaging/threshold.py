"""Thresholds on grey by the laboratory's presets and by Otsu, and the masks they produce."""

from typing import Final

import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import ImageError
from bloodcell.imaging.histogram import convert_to_gray
from bloodcell.imaging.otsu import find_otsu_threshold, mask_below
from bloodcell.imaging.read import require_rgb
from bloodcell.imaging.stain import mask_lit_pixels

# Grey level up to which a pixel counts as dark, by what is then marked: the dark nucleus of the white cell, all cells
# (red cells too), everything but the clear background.
PRESETS: Final = {"white cell": 150, "cells": 180, "background": 200}
OTSU: Final = "Otsu"
CHOICES: Final = (*PRESETS, OTSU)


def find_threshold_level(rgb: np.ndarray, choice: str | int) -> int:
    """Look up or compute the grey level up to which a pixel counts as dark.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
    choice : str or int
        A name of `CHOICES`, or a grey level 0..255. Otsu's threshold is computed without the black borders of a
        rotation.

    Returns
    -------
    int
        0..255; by Otsu 0 if the image is black throughout.

    Raises
    ------
    ImageError
        If `rgb` is not uint8 with three channels, or `choice` is not one of these.
    """
    levels = convert_to_gray(rgb)
    if isinstance(choice, int) and 0 <= choice <= 255:
        return choice
    if choice in PRESETS:
        return PRESETS[str(choice)]
    if choice == OTSU:
        return find_otsu_threshold_within(levels, mask_lit_pixels(rgb))
    raise ImageError(f"A threshold must be one of {CHOICES} or from 0 to 255. Received: {choice!r}.")


def mask_by_threshold(rgb: np.ndarray, choice: str | int, *, ignore_black: bool = True) -> npt.NDArray[np.bool_]:
    """Mark the pixels that are dark by a threshold on grey.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
    choice : str or int
        As for `find_threshold_level`.
    ignore_black : bool, default True
        Leave the black borders of a rotation unmarked.

    Returns
    -------
    ndarray of bool, shape (H, W)
        True at or below the threshold.

    Raises
    ------
    ImageError
        As `find_threshold_level`.
    """
    mask = mask_below(convert_to_gray(rgb), find_threshold_level(rgb, choice))
    return mask & mask_lit_pixels(rgb) if ignore_black else mask


def mask_cell_by_otsu(rgb: np.ndarray) -> npt.NDArray[np.bool_]:
    """Mark what is stained by Otsu's threshold on green, where the nucleus, and with it the cell, stands out most.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)

    Returns
    -------
    ndarray of bool, shape (H, W)
        Black borders of a rotation are unmarked.

    Raises
    ------
    ImageError
        If `rgb` is not uint8 with three channels.
    """
    require_rgb(rgb)
    lit, green = mask_lit_pixels(rgb), rgb[..., 1]
    return np.asarray(mask_below(green, find_otsu_threshold_within(green, lit)) & lit)


def find_otsu_threshold_within(channel: np.ndarray, where: np.ndarray) -> int:
    """Find Otsu's threshold of the pixels of a uint8 (H, W) channel where a bool (H, W) mask is True; 0 if none is."""
    values = channel[where]
    return find_otsu_threshold(values[None]) if values.size else 0
