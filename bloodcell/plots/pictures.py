"""Pictures of cells as the pages show them: boxes on a field, masks in black and white."""

from collections.abc import Sequence

import cv2
import numpy as np

from bloodcell.imaging.boxes import Box
from bloodcell.plots import theme


def fit_inside(rgb: np.ndarray, longest_px: int) -> tuple[np.ndarray, float]:
    """Shrink a picture until its longer side is at most `longest_px`; never enlarge it.

    Returns
    -------
    (uint8 array of shape (h, w, 3), float)
        The picture and the scale by which positions in it must be multiplied (1.0 where nothing was done).
    """
    height, width = rgb.shape[:2]
    scale = min(1.0, longest_px / max(height, width))
    if scale == 1.0:
        return rgb, 1.0
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), scale


def field_with_boxes(rgb: np.ndarray, boxes: Sequence[Box], chosen: int | None, longest_px: int = 640) -> np.ndarray:
    """Draw where the cells of a field are: the chosen one thick, the others thin.

    Parameters
    ----------
    rgb : uint8 array of shape (H, W, 3)
    boxes : in pixels of `rgb`
    chosen : position of the chosen box in `boxes`, None where no box is chosen
    longest_px : longer side of the result, smaller fields stay as they are

    Returns
    -------
    uint8 array of shape (h, w, 3)
    """
    picture, scale = fit_inside(rgb, longest_px)
    picture = picture.copy()
    thick = max(2, round(max(picture.shape[:2]) / 200))
    order = [index for index in range(len(boxes)) if index != chosen]
    for index in order if chosen is None else [*order, chosen]:
        box = boxes[index]
        start = (round(box.left * scale), round(box.top * scale))
        end = (max(start[0], round(box.right * scale) - 1), max(start[1], round(box.bottom * scale) - 1))
        if index == chosen:
            cv2.rectangle(picture, start, end, (255, 255, 255), thick + 2)
            cv2.rectangle(picture, start, end, theme.OUTLINE_RGB, thick)
        else:
            cv2.rectangle(picture, start, end, theme.OTHER_OUTLINE_RGB, 1)
    return picture


def mask_picture(mask: np.ndarray) -> np.ndarray:
    """Show a mask as a picture: marked pixels black on white, as dark stain is.

    Parameters
    ----------
    mask : bool array of shape (H, W)

    Returns
    -------
    uint8 array of shape (H, W, 3)
    """
    gray = np.where(mask, 0, 255).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2)
