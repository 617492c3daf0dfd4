"""Extract from an image what is needed to find its copies: key points, a small grey image, and where the nucleus lies.

In a smear the red cells around a white cell identify it, and they rotate, flip and shift with it.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from bloodcell.imaging.read import require_rgb

WORK_SIDE_PX: Final = 256  # every image is compared at this longest side
MAX_POINTS: Final = 300
MIN_CONTRAST: Final = 0.02  # half of Lowe's 0.04: pale red cells are part of the signature
BORDER_LEVEL: Final = 24  # the filling around a rotated copy is black; JPEG lifts it to about 20
BORDER_MARGIN_PX: Final = 3
THUMBNAIL_SCALE: Final = 0.5

_BINS = np.arange(128).reshape(4, 4, 8)
# A mirrored image gives the same descriptors with the rows of their 4 x 4 grid swapped and the angles negated.
MIRROR_ORDER: Final = _BINS[::-1, :, (-np.arange(8)) % 8].reshape(128)


@dataclass(frozen=True)
class KeypointSignature:
    """What an image is compared by, about 60 kB.

    Attributes
    ----------
    points : ndarray of float32, shape (K, 2)
        (x, y) of key points at the working size.
    descriptors : ndarray of uint8, shape (K, 128)
        SIFT descriptors of these points.
    thumbnail : ndarray of uint8, shape (h, w)
        Grey image at half the working size.
    inside : ndarray of bool, shape (h, w)
        False on black filling.
    nucleus : ndarray of bool, shape (h, w)
        True on the purple of a white cell.
    """

    points: np.ndarray
    descriptors: np.ndarray
    thumbnail: np.ndarray
    inside: np.ndarray
    nucleus: np.ndarray


def extract_signature(rgb: np.ndarray) -> KeypointSignature:
    """Extract the SIFT key points [1]_ of an image, leaving out black filling and its edges.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)

    Returns
    -------
    KeypointSignature
        With K = 0 points for an image of one colour.

    Raises
    ------
    ImageError
        If `rgb` is not uint8 with three channels, or is empty.

    References
    ----------
    .. [1] Lowe (2004), IJCV 60(2):91-110, doi:10.1023/B:VISI.0000029664.99615.94
    """
    require_rgb(rgb)
    scale = WORK_SIDE_PX / max(rgb.shape[:2])
    rgb = _resize(rgb, scale)
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    depth = cv2.distanceTransform(_mask_content(gray), cv2.DIST_L2, 3)
    inside = depth > BORDER_MARGIN_PX
    if inside.any():
        gray[~inside] = np.percentile(gray[inside], 75)  # the colour of the slide: no edge towards black
    points, descriptors = _find_key_points(gray, depth)
    thumbnail = _resize(gray, THUMBNAIL_SCALE)
    size = (thumbnail.shape[1], thumbnail.shape[0])
    thumbnail_inside = cv2.resize(inside.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)
    nucleus = _mask_nucleus(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), thumbnail_inside)
    return KeypointSignature(points, descriptors, thumbnail, thumbnail_inside, nucleus)


def _resize(image: np.ndarray, scale: float) -> np.ndarray:
    height, width = (max(1, round(scale * side)) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _mask_content(gray: np.ndarray) -> np.ndarray:
    """Mark with 1 everything but the black areas that touch the edge of the image; uint8, shape of `gray`."""
    n_areas, labels = cv2.connectedComponents((gray <= BORDER_LEVEL).astype(np.uint8), connectivity=4)
    touches_rim = np.zeros(n_areas, dtype=bool)
    for rim in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        touches_rim[rim] = True
    touches_rim[0] = False  # label 0 is everything that is not black
    content = (~touches_rim[labels]).astype(np.uint8)
    return cv2.morphologyEx(content, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))  # JPEG ringing along the edge


def _find_key_points(gray: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take the strongest SIFT points whose surroundings do not reach the filling."""
    sift = cv2.SIFT_create(  # type: ignore[attr-defined]  # missing in OpenCV's stubs
        nfeatures=2 * MAX_POINTS, contrastThreshold=MIN_CONTRAST
    )
    keys, descriptors = sift.detectAndCompute(gray, (depth > 2 * BORDER_MARGIN_PX).astype(np.uint8))
    if not keys:
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8)
    points = np.array([key.pt for key in keys], dtype=np.float32)
    reach = np.array([1.5 * key.size for key in keys]) + BORDER_MARGIN_PX
    rows = np.clip(np.rint(points[:, 1]).astype(int), 0, depth.shape[0] - 1)
    cols = np.clip(np.rint(points[:, 0]).astype(int), 0, depth.shape[1] - 1)
    strength = np.array([key.response for key in keys])
    strongest = np.lexsort((points[:, 0], points[:, 1], -strength))
    chosen = strongest[(depth[rows, cols] > reach)[strongest]][:MAX_POINTS]
    return points[chosen], descriptors[chosen].astype(np.uint8)


def _mask_nucleus(rgb: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Mark the purple of nuclei: relative to the light, green is low and far below blue."""
    if not inside.any():
        return np.zeros(inside.shape, dtype=bool)
    light = np.maximum(np.percentile(rgb[inside].T.copy(), 90, axis=1), 1)
    red_green_blue = rgb / light
    green, blue = red_green_blue[..., 1], red_green_blue[..., 2]
    purple = (green < 0.65) & (blue - green > 0.2) & inside
    return cv2.morphologyEx(purple.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).astype(bool)
