"""Ways to cut a white cell from its picture, side by side, and how well each meets a true mask.

Channels are combined in two ways, both as optical densities against the picture's own background, so that the lamp
does not matter [2]_:

- the difference green less blue: nuclei absorb green far more than blue, red cells absorb both alike. This is the map
  the finder works on, so it shows what the finder's rules add to a bare threshold.
- the sum of red, green and blue: all that is stained at all, nucleus, cytoplasm and red cells.

References
----------
.. [1] Otsu (1979), IEEE Trans. SMC 9(1):62-66, doi:10.1109/TSMC.1979.4310076
.. [2] Ruifrok & Johnston (2001), Anal. Quant. Cytol. Histol. 23:291-299 (stain densities)
.. [3] Dice (1945), Ecology 26(3):297-302, doi:10.2307/1932409
"""

from typing import Final, NamedTuple

import numpy as np

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
    "otsu_green_less_blue": "Otsu, green less blue density",
    "otsu_all_densities": "Otsu, sum of densities",
    "finder_nucleus": "White-cell finder, nucleus",
    "finder_cell": "White-cell finder, whole cell",
}

BACKGROUND_VALUE, CYTOPLASM_VALUE, NUCLEUS_VALUE = 0, 128, 255


class TrueMask(NamedTuple):
    """What a person marked in one picture.

    nucleus : bool (H, W), or None where the mask tells only cell from background
    cell : bool (H, W), nucleus and cytoplasm
    """

    nucleus: np.ndarray | None
    cell: np.ndarray


def segment_cell(rgb: np.ndarray) -> dict[str, np.ndarray]:
    """Mark the cell by every method of `METHODS`.

    Black borders of a rotation are in no mask and in no threshold.

    Parameters
    ----------
    rgb : uint8 array of shape (H, W, 3)

    Returns
    -------
    dict of bool arrays of shape (H, W), in the order of `METHODS`
        By Otsu on a channel a picture of one colour is foreground throughout; by densities and by the finder it
        holds nothing. An almost black picture holds nothing by any method but, where it is not black, the channels.

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
    found = mask_white_cells(rgb)
    masks["finder_nucleus"], masks["finder_cell"] = found.nucleus & lit, found.cell & lit
    return masks


def _mask_dense(density: np.ndarray, lit: np.ndarray) -> np.ndarray:
    """Mark what lies above Otsu's threshold of a density, cut in 256 steps of its range."""
    top = float(density.max())
    if top == 0:
        return np.zeros(lit.shape, bool)
    levels = (density * (255 / top)).astype(np.uint8)
    return (levels > find_otsu_threshold_within(levels, lit)) & lit


def measure_area_share(mask: np.ndarray, rgb: np.ndarray) -> float:
    """Part of a picture, 0 to 1, that a bool (H, W) mask marks; black borders are no part of it, and 0 if all is."""
    n_lit = int(mask_lit_pixels(rgb).sum())
    return float(mask.sum()) / n_lit if n_lit else 0.0


def dice(mask: np.ndarray, truth: np.ndarray) -> float:
    """Compare two masks by Dice's coefficient [3]_, 2 |A and B| / (|A| + |B|).

    Parameters
    ----------
    mask, truth : bool arrays of one shape

    Returns
    -------
    float, 0 (nothing shared) to 1 (the same); 1 where both are empty (0/0)

    Raises
    ------
    ImageError
        If they are not bool arrays of one shape.
    """
    if mask.dtype != bool or truth.dtype != bool or mask.shape != truth.shape:
        raise ImageError(
            "Two masks must be bool arrays of one shape. "
            f"Received: {mask.dtype} {mask.shape} and {truth.dtype} {truth.shape}."
        )
    total = int(mask.sum()) + int(truth.sum())
    return 2 * int((mask & truth).sum()) / total if total else 1.0


def intersection_over_union(mask: np.ndarray, truth: np.ndarray) -> float:
    """Compare two masks by |A and B| / |A or B|, which is Dice / (2 - Dice); parameters and errors as `dice`."""
    shared = dice(mask, truth)
    return shared / (2 - shared)


def decode_true_mask(rgb: np.ndarray) -> TrueMask:
    """Read the picture of a true mask: 0 background, 128 cytoplasm, 255 nucleus.

    Parameters
    ----------
    rgb : uint8 array of shape (H, W, 3), as `read_rgb` gives a grey picture

    Returns
    -------
    TrueMask
        Without 128 the mask has two values only, and what is marked is taken for the whole cell.

    Raises
    ------
    ImageError
        If other values occur, or nothing is marked.
    """
    require_rgb(rgb)
    values = set(np.unique(rgb).tolist())
    is_gray = bool((rgb == rgb[..., :1]).all())
    if not is_gray or not values <= {BACKGROUND_VALUE, CYTOPLASM_VALUE, NUCLEUS_VALUE} or values == {BACKGROUND_VALUE}:
        found = sorted(values)
        shown = f"{found[:6]}" if len(found) <= 6 else f"{len(found)} values from {found[0]} to {found[-1]}"
        raise ImageError(
            f"A true mask must hold the values 0, 128 and 255 only, and mark something. Received: {shown}."
        )
    levels = rgb[..., 0]
    nucleus = levels == NUCLEUS_VALUE if CYTOPLASM_VALUE in values else None
    return TrueMask(nucleus, levels != BACKGROUND_VALUE)
