"""The stain of a smear: its background colour, and how much each pixel absorbs beyond it."""

from typing import NamedTuple

import cv2
import numpy as np

# Rotated copies of an image have black corners; JPEG blurs them up to about this level.
BLACK_BORDER_LEVEL = 25
# A pixel belongs to the background when no channel differs from it by more.
BACKGROUND_TOLERANCE = 22

_DENSITY_OF_LEVEL = (-np.log((np.arange(256) + 1.0) / 256.0)).astype(np.float32)


class Background(NamedTuple):
    """The clear part of a smear.

    rgb : colour of the clear background, 0-255 per channel
    share : part of the valid pixels (0-1) that has this colour
    valid : bool (H, W), False in black borders of rotation
    """

    rgb: tuple[int, int, int]
    share: float
    valid: np.ndarray


def find_background(rgb: np.ndarray) -> Background | None:
    """Take the median colour of the brightest quarter of an image as its background.

    Parameters
    ----------
    rgb : uint8 array of shape (H, W, 3)

    Returns
    -------
    Background, or None where more than four fifths of the image are black.
    """
    brightest = cv2.max(cv2.max(rgb[..., 0], rgb[..., 1]), rgb[..., 2])
    lit = (brightest > BLACK_BORDER_LEVEL).astype(np.uint8)
    valid = cv2.erode(lit, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=1)
    n_valid = int(cv2.countNonZero(valid))
    if n_valid < 0.2 * valid.size:
        return None
    total = rgb[..., 0].astype(np.uint16) + rgb[..., 1] + rgb[..., 2]
    counts = np.bincount(total[valid > 0], minlength=766)
    bright_from = int(np.searchsorted(np.cumsum(counts), 0.75 * n_valid))
    bright = ((total >= bright_from) & (valid > 0)).astype(np.uint8)
    colour = tuple(_median_level(rgb, channel, bright) for channel in range(3))
    lowest = np.array([max(0, level - BACKGROUND_TOLERANCE) for level in colour], np.uint8)
    highest = np.array([min(255, level + BACKGROUND_TOLERANCE) for level in colour], np.uint8)
    near = cv2.inRange(rgb, lowest, highest)
    share = cv2.countNonZero(cv2.bitwise_and(near, near, mask=valid)) / n_valid
    return Background((colour[0], colour[1], colour[2]), share, valid.astype(bool))


def _median_level(rgb: np.ndarray, channel: int, mask: np.ndarray) -> int:
    histogram = cv2.calcHist([rgb], [channel], mask, [256], [0, 256]).ravel()
    cumulated = np.cumsum(histogram)
    return int(np.searchsorted(cumulated, cumulated[-1] / 2))


def optical_density(rgb: np.ndarray, channel: int, background: Background) -> np.ndarray:
    """Measure how much one channel absorbs beyond the background (Beer-Lambert, natural logarithm).

    Parameters
    ----------
    rgb : uint8 array of shape (H, W, 3)
    channel : int, 0 red, 1 green, 2 blue
    background : Background of the same image

    Returns
    -------
    float32 array of shape (H, W), >= 0; 0 in black borders.
    """
    density = cv2.LUT(np.ascontiguousarray(rgb[..., channel]), _DENSITY_OF_LEVEL)
    density -= _DENSITY_OF_LEVEL[background.rgb[channel]]
    np.maximum(density, 0, out=density)
    density[~background.valid] = 0
    return density
