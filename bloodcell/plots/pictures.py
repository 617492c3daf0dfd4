"""Pictures of cells as the pages show them: boxes on a field, masks in black and white."""

from collections.abc import Sequence

import cv2
import numpy as np

from bloodcell.imaging.boxes import Box
from bloodcell.plots import theme


def fit_inside(rgb: np.ndarray, longest_px: int, shortest_px: int = 0) -> tuple[np.ndarray, float]:
    """Bring the longer side of a picture to at most `longest_px`, and to at least `shortest_px`.

    Returns
    -------
    (uint8 array of shape (h, w, 3), float)
        The picture and the scale by which positions in it must be multiplied (1.0 where nothing was done).
    """
    height, width = rgb.shape[:2]
    longest = max(height, width)
    scale = min(max(longest, shortest_px), longest_px) / longest
    if scale == 1.0:
        return rgb, 1.0
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(rgb, size, interpolation=how), scale


def close_up(rgb: np.ndarray, box: Box, context: float, longest_px: int = 240) -> np.ndarray:
    """Cut a cell with its surroundings, as far as the image goes: no pixel is made up at its edge.

    Parameters
    ----------
    rgb : uint8 array of shape (H, W, 3)
    box : the cell, in pixels of `rgb`
    context : side of the square that is cut, in multiples of the box's longer side
    longest_px : longer side of the result, smaller cuts stay as they are

    Returns
    -------
    uint8 array of shape (h, w, 3)
        Square, but for cells at the edge of the image.
    """
    row, column = box.centre
    half = context * max(box.height, box.width) / 2
    top, left = max(0, round(row - half)), max(0, round(column - half))
    cut = rgb[top : max(top + 1, round(row + half)), left : max(left + 1, round(column + half))]
    return fit_inside(cut, longest_px)[0]


def field_with_boxes(rgb: np.ndarray, boxes: Sequence[Box], chosen: int | None, longest_px: int = 640) -> np.ndarray:
    """Draw where the cells of a field are: the chosen one thick, the others thin.

    Parameters
    ----------
    rgb : uint8 array of shape (H, W, 3)
    boxes : in pixels of `rgb`
    chosen : position of the chosen box in `boxes`, None where no box is chosen
    longest_px : longer side of the result at most; small fields are enlarged to half of it, for thin lines

    Returns
    -------
    uint8 array of shape (h, w, 3)
    """
    picture, scale = fit_inside(rgb, longest_px, longest_px // 2)
    picture = picture.copy()
    thick = max(2, round(max(picture.shape[:2]) / 240))
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
