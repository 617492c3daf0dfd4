"""The stain of a smear: its background colour, and how much each pixel absorbs beyond it."""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

# Rotated copies of an image have black corners; JPEG blurs them up to about this level.
BLACK_BORDER_LEVEL = 25
# A pixel belongs to the background when no channel differs from it by more.
BACKGROUND_TOLERANCE = 22

_DENSITY_OF_LEVEL = (-np.log((np.arange(256) + 1.0) / 256.0)).astype(np.float32)


class Background(NamedTuple):
    """The clear part of a smear.

    Attributes
    ----------
    rgb : tuple of 3 int
        Colour of the clear background, 0-255 per channel.
    share : float
        Share of the valid pixels, 0 to 1, that have this colour.
    valid : ndarray of bool, shape (H, W)
        False in black borders of rotation.
    """

    rgb: tuple[int, int, int]
    share: float
    valid: npt.NDArray[np.bool_]


def mask_lit_pixels(rgb: np.ndarray) -> npt.NDArray[np.bool_]:
    """Separate the image from the black borders that a rotation left in it.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)

    Returns
    -------
    ndarray of bool, shape (H, W)
        False where no channel exceeds `BLACK_BORDER_LEVEL`, and in the next pixel, which JPEG blurs.
    """
    return _mask_lit(*cv2.split(rgb)) > 0


def find_background(rgb: np.ndarray) -> Background | None:
    """Find the background colour of an image: the median of its brightest quarter.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)

    Returns
    -------
    Background
        Or None where more than four fifths of the image are black.
    """
    red, green, blue = cv2.split(rgb)
    valid = _mask_lit(red, green, blue)
    n_valid = int(cv2.countNonZero(valid))
    if n_valid < 0.2 * valid.size:
        return None
    total = cv2.add(cv2.add(red, green, dtype=cv2.CV_16U), blue, dtype=cv2.CV_16U)
    bright = cv2.bitwise_and(cv2.inRange(total, (_find_level(total, valid, 0.75),), (3 * 255,)), valid)
    colour = (_find_level(red, bright, 0.5), _find_level(green, bright, 0.5), _find_level(blue, bright, 0.5))
    lowest = tuple(level - BACKGROUND_TOLERANCE for level in colour)
    highest = tuple(level + BACKGROUND_TOLERANCE for level in colour)
    near = cv2.inRange(rgb, lowest, highest)
    share = cv2.countNonZero(cv2.bitwise_and(near, valid)) / n_valid
    return Background(colour, share, valid > 0)


def _mask_lit(red: np.ndarray, green: np.ndarray, blue: np.ndarray) -> np.ndarray:
    lit = cv2.inRange(cv2.max(cv2.max(red, green), blue), (BLACK_BORDER_LEVEL + 1,), (255,))
    return cv2.erode(lit, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=255)


def _find_level(values: np.ndarray, mask: np.ndarray, share: float) -> int:
    """Return the smallest level that at least `share` of the masked values do not exceed."""
    n_levels = 256 if values.dtype == np.uint8 else 3 * 255 + 1
    reached = np.cumsum(cv2.calcHist([values], [0], mask, [n_levels], [0, n_levels]))
    return int(np.searchsorted(reached, share * reached[-1]))


def measure_optical_density(rgb: np.ndarray, channel: int, background: Background) -> npt.NDArray[np.float32]:
    """Measure how much more one channel absorbs than the background (Beer-Lambert, natural logarithm).

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
    channel : int
        0 red, 1 green, 2 blue.
    background : Background
        Of the same image.

    Returns
    -------
    ndarray of float32, shape (H, W)
        >= 0; 0 in black borders.
    """
    beyond = np.maximum(_DENSITY_OF_LEVEL - _DENSITY_OF_LEVEL[background.rgb[channel]], 0)
    density = np.asarray(cv2.LUT(cv2.extractChannel(rgb, channel), beyond), np.float32)
    density[~background.valid] = 0
    return density
