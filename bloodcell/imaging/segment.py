"""Methods to segment a white cell, side by side, and how well each agrees with a true mask.

Channels are combined in two ways, both as optical densities relative to the image's own background, so that the lamp
does not matter [2]_:

- the difference green minus blue: nuclei absorb green far more than blue, red cells absorb both alike. This is the map
  that the finder uses, so it shows what the finder's rules add to a threshold alone.
- the sum of red, green and blue: all that is stained at all, nucleus, cytoplasm and red cells.

References
----------
.. [1] Otsu (1979), IEEE Trans. SMC 9(1):62-66, doi:10.1109/TSMC.1979.4310076
.. [2] Ruifrok & Johnston (2001), Anal. Quant. Cytol. Histol. 23:291-299 (stain densities)
.. [3] Dice (1945), Ecology 26(3):297-302, doi:10.2307/1932409
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import ImageError
from bloodcell.imaging.find import mask_white_cells
from bloodcell.imaging.histogram import convert_to_gray
from bloodcell.imaging.otsu import MASK_NAMES, mask_below
from bloodcell.imaging.read import require_rgb
from bloodcell.imaging.stain import find_background, mask_lit_pixels, measure_optical_density
from bloodcell.imaging.threshold import find_otsu_threshold_within

METHODS: Final = {
    "otsu_gray": "Otsu, gray",
    "otsu_red": "Otsu, red",
    "otsu_green": "Otsu, green",
    "otsu_blue": "Otsu, blue",
    "otsu_green_less_blue": "Otsu, green minus blue density",
    "otsu_all_densities": "Otsu, sum of densities",
    "finder_nucleus": "White-cell finder, nucleus",
    "finder_cell": "White-cell finder, whole cell",
}

BACKGROUND_VALUE, CYTOPLASM_VALUE, NUCLEUS_VALUE = 0, 128, 255


class TrueMask(NamedTuple):
    """What a person has marked in one image.

    Attributes
    ----------
    nucleus : ndarray of bool, shape (H, W) or None
        None if the mask only separates the cell from the background.
    cell : ndarray of bool, shape (H, W)
        Nucleus and cytoplasm.
    """

    nucleus: npt.NDArray[np.bool_] | None
    cell: npt.NDArray[np.bool_]


def segment_cell(rgb: np.ndarray) -> dict[str, npt.NDArray[np.bool_]]:
    """Mark the cell by every method of `METHODS`.

    Black borders of a rotation are in no mask and in no threshold.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)

    Returns
    -------
    dict of str to ndarray of bool, shape (H, W)
        In the order of `METHODS`. An image of one colour is foreground throughout by Otsu on a channel, and empty by
        densities and by the finder. An almost black image is empty except, where it is not black, by the channels.

    Raises
    ------
    ImageError
        If `rgb` is not uint8 with three channels.
    """
    require_rgb(rgb)
    lit = mask_lit_pixels(rgb)
    channels = (convert_to_gray(rgb), rgb[..., 0], rgb[..., 1], rgb[..., 2])
    masks = {
        f"otsu_{name}": mask_below(channel, find_otsu_threshold_within(channel, lit)) & lit
        for name, channel in zip(MASK_NAMES, channels, strict=True)
    }
    background = find_background(rgb)
    if background is None:
        masks["otsu_green_less_blue"] = masks["otsu_all_densities"] = np.zeros(lit.shape, bool)
    else:
        red, green, blue = (measure_optical_density(rgb, channel, background) for channel in range(3))
        masks["otsu_green_less_blue"] = _mask_dense(np.maximum(green - blue, 0), lit)
        masks["otsu_all_densities"] = _mask_dense(red + green + blue, lit)
    cell_masks = mask_white_cells(rgb)
    masks["finder_nucleus"], masks["finder_cell"] = cell_masks.nucleus & lit, cell_masks.cell & lit
    return masks


def _mask_dense(density: np.ndarray, lit: np.ndarray) -> npt.NDArray[np.bool_]:
    """Mark what lies above Otsu's threshold of a density, in 256 steps of its range."""
    top = float(density.max())
    if top == 0:
        return np.zeros(lit.shape, bool)
    levels = (density * (255 / top)).astype(np.uint8)
    return np.asarray((levels > find_otsu_threshold_within(levels, lit)) & lit)


def measure_area_share(mask: np.ndarray, rgb: np.ndarray) -> float:
    """Return the share of an image, 0 to 1, that a bool (H, W) mask marks; black borders do not count, 0 if all is black."""
    n_lit = int(mask_lit_pixels(rgb).sum())
    return float(mask.sum()) / n_lit if n_lit else 0.0


def dice(mask: np.ndarray, truth: np.ndarray) -> float:
    """Compare two masks by Dice's coefficient [3]_, 2 |A and B| / (|A| + |B|).

    Parameters
    ----------
    mask, truth : ndarray of bool
        Of the same shape.

    Returns
    -------
    float
        0 (nothing shared) to 1 (identical); 1 if both are empty (0/0).

    Raises
    ------
    ImageError
        If they are not bool arrays of the same shape.

    Examples
    --------
    >>> dice(np.array([True, True, False]), np.array([False, True, True]))  # 2 * 1 / (2 + 2)
    0.5
    """
    if mask.dtype != bool or truth.dtype != bool or mask.shape != truth.shape:
        raise ImageError(
            "Two masks must be bool arrays of the same shape. "
            f"Received: {mask.dtype} {mask.shape} and {truth.dtype} {truth.shape}."
        )
    total = int(mask.sum()) + int(truth.sum())
    return 2 * int((mask & truth).sum()) / total if total else 1.0


def intersection_over_union(mask: np.ndarray, truth: np.ndarray) -> float:
    """Compare two masks by |A and B| / |A or B|, which is Dice / (2 - Dice); parameters and errors as for `dice`."""
    shared = dice(mask, truth)
    return shared / (2 - shared)


def decode_true_mask(rgb: np.ndarray) -> TrueMask:
    """Decode the image of a true mask: 0 background, 128 cytoplasm, 255 nucleus.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
        A grey image, as `read_rgb` returns it.

    Returns
    -------
    TrueMask
        Without 128 the mask has only two values, and what is marked is the whole cell.

    Raises
    ------
    ImageError
        If other values occur, or nothing is marked.
    """
    require_rgb(rgb)
    values = set(np.unique(rgb).tolist())
    is_gray = bool((rgb == rgb[..., :1]).all())
    if not is_gray or not values <= {BACKGROUND_VALUE, CYTOPLASM_VALUE, NUCLEUS_VALUE} or values == {BACKGROUND_VALUE}:
        levels = sorted(values)
        received = f"{levels}" if len(levels) <= 6 else f"{len(levels)} values from {levels[0]} to {levels[-1]}"
        raise ImageError(
            f"A true mask must have only the values 0, 128 and 255, and mark something. Received: {received}."
        )
    channel = rgb[..., 0]
    nucleus = channel == NUCLEUS_VALUE if CYTOPLASM_VALUE in values else None
    return TrueMask(nucleus, channel != BACKGROUND_VALUE)
