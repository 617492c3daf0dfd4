"""Grey values of an image and how often each occurs."""

import cv2
import numpy as np
import numpy.typing as npt

from bloodcell.imaging.read import require_rgb


def convert_to_gray(rgb: np.ndarray) -> npt.NDArray[np.uint8]:
    """Compute the luminance by ITU-R BT.601 (0.299 R + 0.587 G + 0.114 B), rounded.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)

    Returns
    -------
    ndarray of uint8, shape (H, W)

    Raises
    ------
    ImageError
        If `rgb` is not uint8 with three channels.

    Examples
    --------
    >>> convert_to_gray(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8))
    array([[ 76, 150,  29]], dtype=uint8)
    """
    require_rgb(rgb)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY), np.uint8)


def compute_gray_histogram(rgb: np.ndarray, *, ignore_black: bool = False) -> npt.NDArray[np.int64]:
    """Count the pixels of each grey value.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
    ignore_black : bool, default False
        Leave out grey value 0: the black corners of a rotated image are no part of the slide.

    Returns
    -------
    ndarray of int64, shape (256,)
        Sums to H * W, or to the number of pixels that are not black.

    Raises
    ------
    ImageError
        If `rgb` is not uint8 with three channels.
    """
    counts = np.bincount(convert_to_gray(rgb).ravel(), minlength=256).astype(np.int64)
    if ignore_black:
        counts[0] = 0
    return counts
