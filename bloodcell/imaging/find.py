"""Find the white cells of a stained smear by the colour of their nuclei.

Nuclei of Romanowsky stains (Wright, Giemsa, May-Gruenwald) absorb green far more than blue, red cells absorb both
alike. So the difference of the two optical densities, measured against the field's own background, marks nuclei under
many stains and lamps. Otsu's threshold cuts it; each nucleus then grows into the cytoplasm around it.
The constants were chosen on bccd trainval, txl train, wbc-masks and a sample of kaggle-wbc TRAIN (docs/results.md).
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from bloodcell.imaging import nuclei
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.read import require_rgb
from bloodcell.imaging.stain import Background, find_background, measure_optical_density

# The search runs on a small copy: a field of 640 x 480 px becomes 160 x 120, where a white cell spans 35-75 px.
WORK_SIDE_PX = 160
FULL_FIELD_SIDE_PX = 640  # a larger field is assumed to show more cells, not larger ones
MAX_WORK_SIDE_PX = 480

CLOSE_UP_NUCLEUS_SHARE = 0.14  # an image with this much nucleus shows one cell
CLOSE_UP_RED_SHARE = 0.15  # so does one with less than this of stained matter away from the nuclei
CYTOPLASM_LEVEL = 0.35  # of the nucleus threshold
CYTOPLASM_OVER_RED = 1.3  # cytoplasm stands out from the field's red cells by this factor
MAX_CYTOPLASM_LEVEL = 0.8
MARGIN = 0.06  # of the found box, on each side
STAINED_DENSITY = 0.25

# An image with more than this share at this level in all channels has lost its stain.
OVEREXPOSED_LEVEL, OVEREXPOSED_SHARE = 252, 0.3
MIN_BACKGROUND_LEVEL = 100  # mean of the three channels; a smear is lit from behind
MIN_BACKGROUND_SHARE = 0.05


@dataclass(frozen=True)
class Finding:
    """White cells of one image, and whether it can be a smear at all.

    Attributes
    ----------
    boxes : tuple of Box
        Cells from top to bottom, then left to right.
    is_smear : bool
        False if there is no bright, even background.
    reason : str
        Why `is_smear` is False, in plain words, else "".
    background_rgb : tuple of 3 int
        Colour of the clear background, 0-255 per channel.
    """

    boxes: tuple[Box, ...]
    is_smear: bool
    reason: str
    background_rgb: tuple[int, int, int]


def find_white_cells(rgb: np.ndarray) -> Finding:
    """Find the box of each white cell of a stained smear.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
        Any size; a field or a crop of one cell.

    Returns
    -------
    Finding
        Boxes in pixels of `rgb`, cytoplasm included. No box where no nucleus stands out.

    Raises
    ------
    ImageError
        If `rgb` is not uint8 with three channels, or empty.

    References
    ----------
    .. [1] Otsu (1979), IEEE Trans. SMC 9(1):62-66, doi:10.1109/TSMC.1979.4310076
    .. [2] Ruifrok & Johnston (2001), Anal. Quant. Cytol. Histol. 23:291-299 (stain densities)
    """
    require_rgb(rgb)
    small, scale = _make_work_copy(rgb)
    background = find_background(small)
    reason = _explain_no_smear(background)
    if background is None or reason:
        return Finding((), False, reason, (0, 0, 0) if background is None else background.rgb)
    result = _search(small, background)
    work_boxes = nuclei.grow_cells(result.found_nuclei, result.labels, result.matter, result.is_close_up)
    boxes = sorted(_scale_box_back(box, scale, *rgb.shape[:2]) for box in work_boxes)
    return Finding(tuple(boxes), True, "", background.rgb)


def explain_no_cell(rgb: np.ndarray) -> str:
    """Say that no white cell was found, and where overexposure may be why.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)

    Returns
    -------
    str
        One or two sentences.
    """
    share = float((rgb.min(axis=2) >= OVEREXPOSED_LEVEL).mean())
    nothing = "No white cell was found in this image."
    if share < OVEREXPOSED_SHARE:
        return nothing
    return f"{nothing} It is overexposed: {share:.0%} of it is pure white, so cells may be lost."


class CellMasks(NamedTuple):
    """Pixels of the white cells of one image.

    Attributes
    ----------
    nucleus : ndarray of bool, shape (H, W)
        Nuclei alone.
    cell : ndarray of bool, shape (H, W)
        Nuclei and cytoplasm.
    """

    nucleus: npt.NDArray[np.bool_]
    cell: npt.NDArray[np.bool_]


def mask_white_cells(rgb: np.ndarray) -> CellMasks:
    """Mark the pixels of the white cells that `find_white_cells` finds.

    The search runs on the same small copy, so the outlines are only as fine as that copy: a field of 640 x 480 pixels
    is marked in steps of 4 pixels, smoothed.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)

    Returns
    -------
    CellMasks
        All False if `find_white_cells` finds no box.

    Raises
    ------
    ImageError
        If `rgb` is not uint8 with three channels, or empty.
    """
    require_rgb(rgb)
    small, _ = _make_work_copy(rgb)
    background = find_background(small)
    if background is None or _explain_no_smear(background):
        return CellMasks(np.zeros(rgb.shape[:2], bool), np.zeros(rgb.shape[:2], bool))
    result = _search(small, background)
    is_nucleus = np.isin(result.labels, [nucleus.label for nucleus in result.found_nuclei])
    nucleus = _resize_mask(is_nucleus & (result.nucleus > 0), rgb)
    cell = _resize_mask(nuclei.mask_cells(result.found_nuclei, result.labels, result.matter, result.is_close_up), rgb)
    return CellMasks(nucleus, cell | nucleus)


def _resize_mask(mask: np.ndarray, rgb: np.ndarray) -> npt.NDArray[np.bool_]:
    height, width = rgb.shape[:2]
    interpolation = cv2.INTER_AREA if mask.size > height * width else cv2.INTER_LINEAR
    return cv2.resize(mask.astype(np.float32), (width, height), interpolation=interpolation) > 0.5


def _make_work_copy(rgb: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the small copy that is searched, and its scale."""
    height, width = rgb.shape[:2]
    scale = _compute_work_scale(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), scale


def _explain_no_smear(background: Background | None) -> str:
    """Return plain words for an image that cannot be a smear, "" for one that can."""
    if background is None:
        return "The image is almost black."
    if sum(background.rgb) / 3 < MIN_BACKGROUND_LEVEL:
        return "It has no bright background, as a smear has."
    if background.share < MIN_BACKGROUND_SHARE:
        return "It has no even background, as a smear has."
    return ""


def _compute_work_scale(height: int, width: int) -> float:
    long_side = max(height, width)
    if long_side <= FULL_FIELD_SIDE_PX:
        return WORK_SIDE_PX / long_side
    return min(WORK_SIDE_PX / FULL_FIELD_SIDE_PX, MAX_WORK_SIDE_PX / long_side)


def _scale_box_back(box: Box, scale: float, height: int, width: int) -> Box:
    margin = MARGIN * max(box.height, box.width)
    return Box(
        max(0, int((box.top - margin) / scale)),
        max(0, int((box.left - margin) / scale)),
        min(height, round((box.bottom + margin) / scale)),
        min(width, round((box.right + margin) / scale)),
    )


class _SearchResult(NamedTuple):
    """What the search finds on the small copy, before nuclei grow to cells.

    Attributes
    ----------
    nucleus : ndarray of uint8, shape (h, w)
        1 in nuclei.
    labels, found_nuclei
        See `nuclei.label_nuclei`.
    matter : ndarray of uint8, shape (h, w)
        1 where a pixel may be nucleus or cytoplasm.
    is_close_up : bool
        Whether one cell fills the image.
    """

    nucleus: np.ndarray
    labels: np.ndarray
    found_nuclei: list[nuclei.Nucleus]
    matter: np.ndarray
    is_close_up: bool


def _search(small: np.ndarray, background: Background) -> _SearchResult:
    green = measure_optical_density(small, 1, background)
    blue = measure_optical_density(small, 2, background)
    contrast = cv2.GaussianBlur(np.maximum(green - blue, 0), (3, 3), 0)
    nucleus, threshold, largest_px = nuclei.mask_nuclei(contrast, background.valid)
    if largest_px == 0:
        return _SearchResult(nucleus, np.zeros(nucleus.shape, np.uint16), [], nucleus, False)
    stained = (green + blue + measure_optical_density(small, 0, background) > STAINED_DENSITY).astype(np.uint8)
    reach = int(0.3 * np.sqrt(largest_px)) + 2
    elsewhere = stained & (nuclei.dilate_square(nucleus, reach) == 0)
    red_share = nuclei.measure_share(elsewhere)
    red_level = _upper_quartile(contrast[elsewhere > 0]) if red_share > 0.03 else 0.0
    is_close_up = red_share < CLOSE_UP_RED_SHARE or nuclei.measure_share(nucleus) > CLOSE_UP_NUCLEUS_SHARE

    level = max(CYTOPLASM_LEVEL * threshold, CYTOPLASM_OVER_RED * red_level)
    level = min(level, MAX_CYTOPLASM_LEVEL * threshold)
    matter = ((contrast > level) & background.valid).astype(np.uint8)
    labels, found_nuclei = nuclei.label_nuclei(nucleus, contrast, background.valid, is_close_up)
    return _SearchResult(nucleus, labels, found_nuclei, matter, is_close_up)


def _upper_quartile(values: np.ndarray) -> float:
    """Return the value that a quarter exceed; np.percentile takes three times as long."""
    rank = (3 * len(values)) // 4
    return float(np.partition(values, rank)[rank])
