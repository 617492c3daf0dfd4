"""Images of cells as the pages show them: close up, with boxes, with outlines, as masks."""

from collections.abc import Sequence

import cv2
import numpy as np

from bloodcell.imaging.boxes import Box
from bloodcell.imaging.histogram import convert_to_gray
from bloodcell.plots import theme


def fit_inside(rgb: np.ndarray, longest_px: int, shortest_px: int = 0) -> tuple[np.ndarray, float]:
    """Resize an image so that its longer side is at most `longest_px` and at least `shortest_px`.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
    longest_px : int
    shortest_px : int, default 0

    Returns
    -------
    resized : ndarray of uint8, shape (h, w, 3)
        `rgb` itself where it fits.
    scale : float
        By which positions in `rgb` must be multiplied.

    Examples
    --------
    >>> resized, scale = fit_inside(np.zeros((100, 200, 3), np.uint8), longest_px=50)
    >>> resized.shape, scale
    ((25, 50, 3), 0.25)
    """
    height, width = rgb.shape[:2]
    longest = max(height, width)
    scale = min(max(longest, shortest_px), longest_px) / longest
    if scale == 1.0:
        return rgb, 1.0
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(rgb, size, interpolation=interpolation), scale


def crop_close_up(rgb: np.ndarray, box: Box, context: float, longest_px: int = 240) -> np.ndarray:
    """Cut out a cell with its surroundings, as far as the image goes: no pixel is made up at its edge.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
    box : Box
        The cell, in pixels of `rgb`.
    context : float
        Side of the square that is cut, in multiples of the box's longer side.
    longest_px : int, default 240
        Longer side of the result; smaller cuts stay as they are.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
        Square, but for cells at the edge of the image.
    """
    row, column = box.centre
    half = context * max(box.height, box.width) / 2
    top, left = max(0, round(row - half)), max(0, round(column - half))
    cut = rgb[top : max(top + 1, round(row + half)), left : max(left + 1, round(column + half))]
    return fit_inside(cut, longest_px)[0]


def draw_boxes(rgb: np.ndarray, boxes: Sequence[Box], chosen: int | None, longest_px: int = 640) -> np.ndarray:
    """Draw boxes around the cells of a field of view: the chosen one thick, the others thin.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
    boxes : sequence of Box
        In pixels of `rgb`.
    chosen : int or None
        Index of the chosen box.
    longest_px : int, default 640
        Longer side of the result at most; small fields are enlarged to half of it, for thin lines.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
    """
    image, scale = fit_inside(rgb, longest_px, longest_px // 2)
    image = image.copy()
    thick = max(2, round(max(image.shape[:2]) / 240))
    order = [index for index in range(len(boxes)) if index != chosen]
    for index in order if chosen is None else [*order, chosen]:
        box = boxes[index]
        start = (round(box.left * scale), round(box.top * scale))
        end = (max(start[0], round(box.right * scale) - 1), max(start[1], round(box.bottom * scale) - 1))
        if index == chosen:
            cv2.rectangle(image, start, end, (255, 255, 255), thick + 2)
            cv2.rectangle(image, start, end, theme.OUTLINE_RGB, thick)
        else:
            cv2.rectangle(image, start, end, theme.OTHER_OUTLINE_RGB, 1)
    return image


def pad_to_square(rgb: np.ndarray, side_px: int) -> np.ndarray:
    """Fit an image into the middle of a white square of `side_px`; small images are enlarged."""
    fitted = fit_inside(rgb, side_px, side_px)[0]
    height, width = fitted.shape[:2]
    canvas = np.full((side_px, side_px, 3), 255, np.uint8)
    top, left = (side_px - height) // 2, (side_px - width) // 2
    canvas[top : top + height, left : left + width] = fitted
    return canvas


def render_gray(rgb: np.ndarray) -> np.ndarray:
    """Render the gray levels of an image as an ndarray of uint8, shape (H, W, 3), of three equal channels."""
    return np.repeat(convert_to_gray(rgb)[..., None], 3, axis=2)


def build_contact_sheet(
    images: Sequence[np.ndarray], n_columns: int, side_px: int = 120, gap_px: int = 6
) -> np.ndarray:
    """Lay images out in rows on white.

    Parameters
    ----------
    images : sequence of ndarray of uint8, shape (H, W, 3)
        Of any sizes.
    n_columns : int
        Images per row, 1 or more.
    side_px : int, default 120
        Side of the square that each is fitted into.
    gap_px : int, default 6
        White between them.

    Returns
    -------
    ndarray of uint8, shape (rows * (side_px + gap_px) - gap_px, likewise for columns, 3)
        One white square where there is no image.
    """
    n_rows = max(1, -(-len(images) // n_columns))
    columns = max(1, min(n_columns, len(images)))
    step = side_px + gap_px
    sheet = np.full((n_rows * step - gap_px, columns * step - gap_px, 3), 255, np.uint8)
    for number, rgb in enumerate(images):
        row, column = divmod(number, n_columns)
        sheet[row * step : row * step + side_px, column * step : column * step + side_px] = pad_to_square(rgb, side_px)
    return sheet


def draw_outline(rgb: np.ndarray, mask: np.ndarray, side_px: int = 160) -> np.ndarray:
    """Draw the outline of a mask on an image, dark on light, so that it shows on any stain.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
    mask : ndarray of bool, shape (H, W)
    side_px : int, default 160
        Longer side of the result.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
    """
    image = fit_inside(rgb, side_px, side_px)[0].copy()
    size = (image.shape[1], image.shape[0])
    fitted = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(fitted, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(image, outlines, -1, (255, 255, 255), 3)
    cv2.drawContours(image, outlines, -1, theme.OUTLINE_RGB, 1)
    return image


def render_mask(mask: np.ndarray) -> np.ndarray:
    """Render a mask as an image: marked pixels black on white, as dark stain is.

    Parameters
    ----------
    mask : ndarray of bool, shape (H, W)

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    gray = np.where(mask, 0, 255).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2)
