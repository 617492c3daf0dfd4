"""Grey levels of many images: a histogram of each, and mean and spread over the images of a class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bloodcell.core.errors import ImageError
from bloodcell.imaging.histogram import compute_gray_histogram, convert_to_gray
from bloodcell.imaging.stain import mask_lit_pixels
from bloodcell.imaging.threshold import find_otsu_threshold_within


@dataclass(frozen=True)
class GrayLevels:
    """Grey levels of one image.

    Attributes
    ----------
    counts : ndarray of int64, shape (256,)
        All pixels of each grey level.
    lit : ndarray of int64, shape (256,)
        The same without the black borders of a rotation (see `stain.mask_lit_pixels`).
    otsu : int
        Otsu's threshold of the pixels outside the black borders; 0 if there are none.
    """

    counts: np.ndarray
    lit: np.ndarray
    otsu: int

    @property
    def border_share(self) -> float:
        """Share of the pixels, 0 to 1, that are black border."""
        return 1.0 - float(self.lit.sum()) / float(self.counts.sum())


@dataclass(frozen=True)
class LevelStatistics:
    """Grey levels of several images, each with the same weight whatever its size.

    Attributes
    ----------
    n_images : int
        Images that count, which are not black throughout.
    mean : ndarray of float64, shape (256,)
        Mean over the images of the share of pixels at each level; sums to 1 (0 if no image counts).
    spread : ndarray of float64, shape (256,)
        Standard deviation of that share over the images, divisor `n_images`; 0 for one image.
    border_share : float
        Mean share of the pixels that are black border, over all images.
    otsu : float
        Median of the images' Otsu thresholds; 0 if no image counts.
    n_black : int
        Images left out because they are black border throughout.
    """

    n_images: int
    mean: np.ndarray
    spread: np.ndarray
    border_share: float
    otsu: float
    n_black: int


def count_gray_levels(rgb: np.ndarray) -> GrayLevels:
    """Count the grey levels of one image, with and without black borders.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)

    Returns
    -------
    GrayLevels

    Raises
    ------
    ImageError
        If `rgb` is not uint8 with three channels.
    """
    counts = compute_gray_histogram(rgb)
    levels, where = convert_to_gray(rgb), mask_lit_pixels(rgb)
    lit = np.bincount(levels[where], minlength=256).astype(np.int64)
    return GrayLevels(counts, lit, find_otsu_threshold_within(levels, where))


def summarise_levels(images: Sequence[GrayLevels], *, ignore_black: bool = True) -> LevelStatistics:
    """Summarise the grey levels of several images.

    Each histogram is divided by its own sum first, so that a large image counts no more than a small one.

    Parameters
    ----------
    images : sequence of GrayLevels
        One for each image; may be empty.
    ignore_black : bool, default True
        Leave out the black borders of rotations.

    Returns
    -------
    LevelStatistics
        Without NaN: if no image counts, mean and spread are 0 throughout.
    """
    rows = np.array([image.lit if ignore_black else image.counts for image in images], np.float64).reshape(-1, 256)
    totals = rows.sum(axis=1)
    shares = rows[totals > 0] / totals[totals > 0, None]
    border = float(np.mean([image.border_share for image in images])) if len(images) else 0.0
    if len(shares) == 0:
        return LevelStatistics(0, np.zeros(256), np.zeros(256), border, 0.0, len(images))
    otsu = float(np.median([image.otsu for image, total in zip(images, totals, strict=True) if total > 0]))
    n_black = len(images) - len(shares)
    return LevelStatistics(len(shares), shares.mean(axis=0), shares.std(axis=0), border, otsu, n_black)


def summarise_levels_by_class(
    images: Sequence[GrayLevels], labels: Sequence[str], *, ignore_black: bool = True
) -> dict[str, LevelStatistics]:
    """Summarise the grey levels of each class.

    Parameters
    ----------
    images, labels : sequence of GrayLevels
        One of each an image.
    ignore_black : bool, default True
        As for `summarise_levels`.

    Returns
    -------
    dict
        Class name -> LevelStatistics, in alphabetical order.

    Raises
    ------
    ImageError
        If there are not as many labels as images.
    """
    if len(images) != len(labels):
        raise ImageError(f"There must be as many labels as images. Received: {len(labels)} and {len(images)}.")
    return {
        name: summarise_levels(
            [image for image, label in zip(images, labels, strict=True) if label == name], ignore_black=ignore_black
        )
        for name in sorted(set(labels))
    }
