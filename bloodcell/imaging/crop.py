"""Cut one cell out of an image so that every cell is framed and lit alike, whatever the size and lighting of the image."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import ImageError
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.stain import BLACK_BORDER_LEVEL

# The background of every crop is brought to this level in all three channels.
BACKGROUND_LEVEL = 235
SURROUNDINGS: Final = 2.25  # training crops 1.5 times the box, and needs 1.5 times that to rotate it
MIN_CUT_PX: Final = 32


def crop_cell(
    rgb: np.ndarray,
    box: Box,
    side_px: int,
    context: float,
    background_rgb: tuple[int, int, int] | None = None,
    width_px: int = 0,
) -> npt.NDArray[np.uint8]:
    """Cut a square around a cell and fill what lies outside the image with the background colour.

    With `width_px` it is a rectangle: its shorter side is that of the square, so the cell is as large in it as in a
    square of that side, and the longer side shows more of the cell's surroundings.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
    box : Box
        Box of the cell.
    side_px : int
        Height of the result.
    context : float
        Shorter side of the cut, in units of the longer side of `box`.
    background_rgb : tuple of 3 int, optional
        Colour of the clear background. Each channel is scaled so that it becomes `BACKGROUND_LEVEL` (von Kries' white
        balance), and black corners left by a rotation take that level. Without it, the levels stay.
    width_px : int, default 0
        Width of the result; 0 for `side_px`.

    Returns
    -------
    ndarray of uint8, shape (side_px, width_px, 3)

    Raises
    ------
    ImageError
        If the box is empty or lies outside the image.
    """
    height, width = rgb.shape[:2]
    if box.height <= 0 or box.width <= 0 or box.top >= height or box.left >= width or box.bottom <= 0 or box.right <= 0:
        raise ImageError(f"A box must lie in the image of {height} x {width} px. Received: {tuple(box)}.")
    row, col = box.centre
    width_px = width_px or side_px
    shorter_px = context * max(box.height, box.width)
    cut_height, cut_width = (shorter_px * (side / min(side_px, width_px)) for side in (side_px, width_px))
    top, left = round(row - cut_height / 2), round(col - cut_width / 2)
    bottom, right = top + max(1, round(cut_height)), left + max(1, round(cut_width))
    fill = background_rgb or (255, 255, 255)
    cut = rgb[max(0, top) : min(height, bottom), max(0, left) : min(width, right)]
    if background_rgb is not None:
        cut = cv2.LUT(_fill_black_corners(cut, background_rgb), _build_balance_table(background_rgb))
        fill = (BACKGROUND_LEVEL,) * 3
    filled = cv2.copyMakeBorder(
        cut,
        max(0, -top),
        max(0, bottom - height),
        max(0, -left),
        max(0, right - width),
        cv2.BORDER_CONSTANT,
        value=[float(level) for level in fill],
    )
    return _resize(filled, side_px, width_px)


def resize_image(rgb: np.ndarray, height_px: int, width_px: int) -> npt.NDArray[np.uint8]:
    """Resize an image without regard to its shape and with its own levels, as published networks expect it.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
    height_px, width_px : int
        Sides of the result.

    Returns
    -------
    ndarray of uint8, shape (height_px, width_px, 3)
    """
    return _resize(rgb, height_px, width_px)


def crop_middle(wide: np.ndarray, height_px: int, width_px: int) -> npt.NDArray[np.uint8]:
    """Cut out the middle of crops, uint8 (..., H, W, 3) -> (..., height_px, width_px, 3)."""
    top, left = (wide.shape[-3] - height_px) // 2, (wide.shape[-2] - width_px) // 2
    return wide[..., top : top + height_px, left : left + width_px, :]


def _resize(rgb: np.ndarray, height_px: int, width_px: int) -> npt.NDArray[np.uint8]:
    shrinks = rgb.shape[0] > height_px
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(rgb, (width_px, height_px), interpolation=interpolation), np.uint8)


def _build_balance_table(background_rgb: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    gain = BACKGROUND_LEVEL / np.maximum(np.array(background_rgb, np.float32), 1)
    return np.clip(np.arange(256, dtype=np.float32)[:, None] * gain + 0.5, 0, 255).astype(np.uint8)[None]


def _fill_black_corners(cut: np.ndarray, background_rgb: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """Fill black parts that reach the edge of the cut; a dark nucleus inside stays."""
    dark = cv2.inRange(cut, np.zeros(3, np.uint8), np.full(3, BLACK_BORDER_LEVEL, np.uint8))
    on_edge = dark[0].any() or dark[-1].any() or dark[:, 0].any() or dark[:, -1].any()
    if not on_edge:
        return cut
    _, labels = cv2.connectedComponents(cv2.dilate(dark, np.ones((3, 3), np.uint8)))
    edge_labels = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    reaches_edge = np.zeros(labels.max() + 1, bool)
    reaches_edge[edge_labels[edge_labels > 0]] = True
    filled = cut.copy()
    filled[reaches_edge[labels]] = background_rgb
    return filled


def cut_surroundings(rgb: npt.NDArray[np.uint8], box: Box) -> npt.NDArray[np.uint8]:
    """Cut the square around a cell for a dataset: `SURROUNDINGS` times its longer side, at least `MIN_CUT_PX`.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
    box : Box
        It must touch the image.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
        A copy; smaller than the square where that reaches beyond the image.

    Examples
    --------
    >>> cut_surroundings(np.zeros((480, 640, 3), np.uint8), Box(100, 100, 140, 120)).shape
    (90, 90, 3)
    >>> cut_surroundings(np.zeros((480, 640, 3), np.uint8), Box(0, 0, 40, 40)).shape
    (65, 65, 3)
    """
    row, col = box.centre
    side_px = max(MIN_CUT_PX, round(SURROUNDINGS * max(box.height, box.width)))
    top, left = round(row - side_px / 2), round(col - side_px / 2)
    return rgb[max(0, top) : max(0, top + side_px), max(0, left) : max(0, left + side_px)].copy()
