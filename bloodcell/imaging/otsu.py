"""Otsu's threshold [1]_, and the masks it gives on grey and on each colour channel.

References
----------
.. [1] Otsu (1979), IEEE Trans. SMC 9(1):62-66, doi:10.1109/TSMC.1979.4310076
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import ImageError
from bloodcell.imaging.histogram import convert_to_gray
from bloodcell.imaging.read import require_rgb

MASK_NAMES: Final = ("gray", "red", "green", "blue")


def find_otsu_threshold(channel: np.ndarray, *, ignore_black: bool = False) -> int:
    """Find the threshold that separates the values into two classes best.

    Parameters
    ----------
    channel : ndarray of uint8, shape (H, W)
    ignore_black : bool, default False
        Leave out value 0, as the black corners of a rotated image would otherwise count as foreground.

    Returns
    -------
    int
        The largest value of the dark class, 0..255. For an image of one value, that value; for nothing but black with
        `ignore_black`, 0.

    Raises
    ------
    ImageError
        If `channel` is not uint8 with two dimensions, or is empty.
    """
    _require_channel(channel)
    counts = np.bincount(channel.ravel(), minlength=256)
    if ignore_black:
        counts[0] = 0
    values = np.flatnonzero(counts)
    if len(values) == 0:
        return 0
    if len(values) == 1:
        return int(values[0])
    from skimage.filters import threshold_otsu  # imports scipy, a quarter of a second that the first page can save

    return int(threshold_otsu(hist=(counts, np.arange(256))))  # type: ignore[no-untyped-call, unused-ignore]


def mask_below(channel: np.ndarray, threshold: int) -> npt.NDArray[np.bool_]:
    """Mark the dark pixels, which are those at or below the threshold.

    Parameters
    ----------
    channel : ndarray of uint8, shape (H, W)
    threshold : int
        Below 0 marks none, 255 or more marks all.

    Returns
    -------
    ndarray of bool, shape (H, W)

    Raises
    ------
    ImageError
        If `channel` is not uint8 with two dimensions, or is empty.

    Examples
    --------
    >>> mask_below(np.array([[10, 20, 30]], np.uint8), 20)
    array([[ True,  True, False]])
    """
    _require_channel(channel)
    return channel.astype(np.int16) <= threshold


def mask_by_otsu(rgb: np.ndarray, *, ignore_black: bool = False) -> dict[str, npt.NDArray[np.bool_]]:
    """Mark the dark pixels of grey and of each channel by Otsu's threshold.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
    ignore_black : bool, default False
        As for `find_otsu_threshold`; black pixels are then in no mask.

    Returns
    -------
    dict of bool arrays of shape (H, W)
        Keys "gray", "red", "green", "blue", in this order. A one-colour image is foreground throughout.

    Raises
    ------
    ImageError
        If `rgb` is not uint8 with three channels.
    """
    require_rgb(rgb)
    channels = (convert_to_gray(rgb), rgb[..., 0], rgb[..., 1], rgb[..., 2])
    masks = {}
    for name, channel in zip(MASK_NAMES, channels, strict=True):
        mask = mask_below(channel, find_otsu_threshold(channel, ignore_black=ignore_black))
        masks[name] = mask & (channel > 0) if ignore_black else mask
    return masks


def overlay_mask(
    rgb: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int] = (0, 200, 0), opacity: float = 0.45
) -> npt.NDArray[np.uint8]:
    """Tint the marked pixels.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
    mask : ndarray of bool, shape (H, W)
    colour : tuple of 3 int, default (0, 200, 0)
        Red, green, blue, each 0..255.
    opacity : float, default 0.45
        0 (nothing seen) to 1 (flat colour).

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        A new one.

    Raises
    ------
    ImageError
        If `rgb` is not uint8 with three channels, or `mask` is not bool of the same height and width.
    """
    require_rgb(rgb)
    if mask.dtype != bool or mask.shape != rgb.shape[:2]:
        raise ImageError(f"`mask` must be bool of shape {rgb.shape[:2]}. Received: {mask.dtype} {mask.shape}.")
    tinted = rgb.copy()
    blended = rgb[mask] * (1.0 - opacity) + np.array(colour) * opacity
    tinted[mask] = np.clip(np.rint(blended), 0, 255).astype(np.uint8)
    return tinted


def _require_channel(channel: np.ndarray) -> None:
    if channel.dtype != np.uint8 or channel.ndim != 2 or channel.size == 0:
        raise ImageError(f"A channel must be uint8 of shape (H, W). Received: {channel.dtype} {channel.shape}.")
