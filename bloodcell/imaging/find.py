"""Find the white cells of a stained smear by the colour of their nuclei.

Nuclei of Romanowsky stains (Wright, Giemsa, May-Gruenwald) absorb green far more than blue, red cells absorb both
alike. So the difference of the two optical densities, measured against the field's own background, marks nuclei under
many stains and lamps. Otsu's threshold cuts it; each nucleus then grows into the cytoplasm around it.
The constants were chosen on bccd trainval, txl train, wbc-masks and a sample of kaggle-wbc TRAIN (docs/results.md).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from bloodcell.errors import ImageError
from bloodcell.imaging import nuclei
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.stain import Background, find_background, optical_density

# The search runs on a small copy: a field of 640x480 becomes 160x120, where a white cell spans 35-75 px.
WORK_SIDE_PX = 160
FULL_FIELD_SIDE_PX = 640  # a larger field is taken to show more cells, not larger ones
MAX_WORK_SIDE_PX = 480

CLOSE_UP_NUCLEUS_SHARE = 0.14  # a picture with this much nucleus shows one cell
CLOSE_UP_RED_SHARE = 0.15  # so does one with less than this of stained matter away from the nuclei
CYTOPLASM_LEVEL = 0.35  # of the nucleus threshold
CYTOPLASM_OVER_RED = 1.3  # cytoplasm stands out from the field's red cells by this factor
MAX_CYTOPLASM_LEVEL = 0.8
MARGIN = 0.06  # of the found box, on each side
STAINED_DENSITY = 0.25

MIN_BACKGROUND_LEVEL = 100  # mean of the three channels; a smear is lit from behind
MIN_BACKGROUND_SHARE = 0.05


@dataclass(frozen=True)
class Finding:
    """White cells of one image, and whether it can be a smear at all.

    boxes : cells from top to bottom, then left to right
    is_smear : False where there is no bright, even background
    reason : plain words where `is_smear` is False, else ""
    background_rgb : colour of the clear background, 0-255 per channel
    """

    boxes: tuple[Box, ...]
    is_smear: bool
    reason: str
    background_rgb: tuple[int, int, int]


def find_white_cells(rgb: np.ndarray) -> Finding:
    """Box each white cell of a stained smear.

    Parameters
    ----------
    rgb : uint8 array of shape (H, W, 3), any size; a field or a crop of one cell

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
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.size == 0:
        raise ImageError(f"An image must be uint8 of shape (H, W, 3). Received: {rgb.dtype} {rgb.shape}.")
    height, width = rgb.shape[:2]
    scale = _work_scale(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    background = find_background(small)
    if background is None:
        return Finding((), False, "The image is almost black.", (0, 0, 0))
    level = sum(background.rgb) / 3
    if level < MIN_BACKGROUND_LEVEL:
        return Finding((), False, "There is no bright background as behind a smear.", background.rgb)
    if background.share < MIN_BACKGROUND_SHARE:
        return Finding((), False, "There is no even background as behind a smear.", background.rgb)
    work_boxes = _find_on_small(small, background)
    boxes = sorted(_to_original(box, scale, height, width) for box in work_boxes)
    return Finding(tuple(boxes), True, "", background.rgb)


def _work_scale(height: int, width: int) -> float:
    long_side = max(height, width)
    if long_side <= FULL_FIELD_SIDE_PX:
        return WORK_SIDE_PX / long_side
    return min(WORK_SIDE_PX / FULL_FIELD_SIDE_PX, MAX_WORK_SIDE_PX / long_side)


def _to_original(box: Box, scale: float, height: int, width: int) -> Box:
    margin = MARGIN * max(box.height, box.width)
    return Box(
        max(0, int((box.top - margin) / scale)),
        max(0, int((box.left - margin) / scale)),
        min(height, round((box.bottom + margin) / scale)),
        min(width, round((box.right + margin) / scale)),
    )


def _find_on_small(small: np.ndarray, background: Background) -> list[Box]:
    green = optical_density(small, 1, background)
    blue = optical_density(small, 2, background)
    contrast = cv2.GaussianBlur(np.maximum(green - blue, 0), (3, 3), 0)
    nucleus, threshold, largest_px = nuclei.nucleus_mask(contrast, background.valid)
    if largest_px == 0:
        return []
    stained = (green + blue + optical_density(small, 0, background) > STAINED_DENSITY).astype(np.uint8)
    reach = int(0.3 * np.sqrt(largest_px)) + 2
    elsewhere = stained & (nuclei.dilate_square(nucleus, reach) == 0)
    red_share = nuclei.share_of(elsewhere)
    red_level = _upper_quartile(contrast[elsewhere > 0]) if red_share > 0.03 else 0.0
    is_close_up = red_share < CLOSE_UP_RED_SHARE or nuclei.share_of(nucleus) > CLOSE_UP_NUCLEUS_SHARE

    level = max(CYTOPLASM_LEVEL * threshold, CYTOPLASM_OVER_RED * red_level)
    level = min(level, MAX_CYTOPLASM_LEVEL * threshold)
    matter = ((contrast > level) & background.valid).astype(np.uint8)
    labels, found = nuclei.label_nuclei(nucleus, contrast, background.valid, is_close_up)
    return nuclei.grow_cells(found, labels, matter, is_close_up)


def _upper_quartile(values: np.ndarray) -> float:
    """The value that a quarter exceed; np.percentile takes three times as long."""
    rank = (3 * len(values)) // 4
    return float(np.partition(values, rank)[rank])
