"""Tell from the pixels whether two pictures were made from one photograph, whatever was done to the copies.

In a smear the red cells around a white cell are as telling as a finger print, and they turn, flip and shift with it.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from bloodcell.errors import ImageError

WORK_SIDE_PX: Final = 256  # every picture is compared at this longest side
MAX_POINTS: Final = 300
LEAST_CONTRAST: Final = 0.02  # half of Lowe's 0.04: pale red cells are part of the finger print
BORDER_LEVEL: Final = 24  # filling around a turned copy is black; JPEG lifts it to about 20
BORDER_MARGIN_PX: Final = 3
NEAREST_RATIO: Final = 0.85
MAX_ERROR_PX: Final = 3.0
RANSAC_ROUNDS: Final = 500
MAX_ZOOM: Final = 2.5

# Copies in kaggle-wbc reach 37 to 180 inliers and a correlation above 0.9, unrelated pictures at most 7 and 0.35.
MIN_INLIERS: Final = 10
MIN_CORRELATION: Final = 0.6
MIN_OVERLAP: Final = 0.5
MIN_SHARED_CELL: Final = 0.5
MIN_CELL_PX: Final = 40  # of purple, in a thumbnail

_THUMB_SCALE: Final = 0.5
_BINS = np.arange(128).reshape(4, 4, 8)
# A mirrored picture gives the same descriptors with the rows of their 4 x 4 grid swapped and the angles negated.
MIRROR_ORDER: Final = _BINS[::-1, :, (-np.arange(8)) % 8].reshape(128)


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of one picture for comparing it, about 60 kB.

    Attributes
    ----------
    points : float32 array of shape (K, 2), (x, y) of key points at the working size
    descriptors : uint8 array of shape (K, 128)
    thumb : uint8 array of shape (h, w), grey picture at half the working size
    inside : bool array of shape (h, w), False on black filling
    nucleus : bool array of shape (h, w), True on the purple of a white cell
    """

    points: np.ndarray
    descriptors: np.ndarray
    thumb: np.ndarray
    inside: np.ndarray
    nucleus: np.ndarray


@dataclass(frozen=True)
class Likeness:
    """How well the second of two pictures lies on the first after registration; all 0 when it does not."""

    n_inliers: int = 0
    correlation: float = 0.0
    overlap: float = 0.0  # shared area / area of the smaller picture
    shared_cell: float = 0.0  # nucleus pixels in both / nucleus pixels of the larger nucleus

    @property
    def is_same_source(self) -> bool:
        """True for copies of one photograph and for two photographs of one white cell.

        Neighbouring fields of a slide overlap too; a thin overlap counts only when the white cell lies in it.
        """
        return (
            self.n_inliers >= MIN_INLIERS
            and self.correlation >= MIN_CORRELATION
            and (self.overlap >= MIN_OVERLAP or self.shared_cell >= MIN_SHARED_CELL)
        )


def fingerprint(rgb: np.ndarray) -> Fingerprint:
    """Take the SIFT key points [1]_ of a picture, leaving out black filling and what its edges make.

    Parameters
    ----------
    rgb : uint8 array of shape (H, W, 3)

    Returns
    -------
    Fingerprint
        With K = 0 points for a picture of one colour.

    Raises
    ------
    ImageError
        If `rgb` is not uint8 with three channels, or is empty.

    References
    ----------
    .. [1] Lowe (2004), IJCV 60(2):91-110, doi:10.1023/B:VISI.0000029664.99615.94
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.size == 0:
        raise ImageError(f"A picture must be uint8 (H, W, 3). Received: {rgb.dtype} {rgb.shape}.")
    scale = WORK_SIDE_PX / max(rgb.shape[:2])
    rgb = _resize(rgb, scale)
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    depth = cv2.distanceTransform(_not_filling(gray), cv2.DIST_L2, 3)
    inside = depth > BORDER_MARGIN_PX
    if inside.any():
        gray[~inside] = np.percentile(gray[inside], 75)  # the colour of the slide: no edge towards black
    points, descriptors = _key_points(gray, depth)
    thumb = _resize(gray, _THUMB_SCALE)
    size = (thumb.shape[1], thumb.shape[0])
    thumb_inside = cv2.resize(inside.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)
    nucleus = _nucleus(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), thumb_inside)
    return Fingerprint(points, descriptors, thumb, thumb_inside, nucleus)


def compare(first: Fingerprint, second: Fingerprint) -> Likeness:
    """Register two pictures by an affine map, found by RANSAC [1]_ among matched key points, and see how they agree.

    Key points are matched as they are and mirrored; the better of the two is registered. Correlation (Pearson's r
    of the grey values on the shared area) does not mind new lighting, and turns down maps that few points agree on
    by chance or through the same dust on the camera.

    Returns
    -------
    Likeness
        All 0 if no map with at least `MIN_INLIERS` points and a zoom within `MAX_ZOOM` was found.

    References
    ----------
    .. [1] Fischler & Bolles (1981), Commun. ACM 24(6):381-395, doi:10.1145/358669.358692
    """
    if min(len(first.points), len(second.points)) < MIN_INLIERS:
        return Likeness()
    unit_first = _root_unit(first.descriptors)
    straight = _mutual_matches(unit_first, _root_unit(second.descriptors))
    mirrored = _mutual_matches(unit_first, _root_unit(second.descriptors[:, MIRROR_ORDER]))
    pairs = max(straight, mirrored, key=len)
    if len(pairs) < MIN_INLIERS:
        return Likeness()
    affine, is_inlier = cv2.estimateAffine2D(
        second.points[pairs[:, 1]],
        first.points[pairs[:, 0]],
        method=cv2.RANSAC,
        ransacReprojThreshold=MAX_ERROR_PX,
        maxIters=RANSAC_ROUNDS,
    )
    if affine is None:
        return Likeness()
    zooms = np.linalg.svd(affine[:, :2], compute_uv=False)
    n_inliers = int(is_inlier.sum())
    if n_inliers < MIN_INLIERS or zooms[0] > MAX_ZOOM or zooms[1] < 1 / MAX_ZOOM:
        return Likeness()
    return _agreement(first, second, affine, n_inliers)


def _agreement(first: Fingerprint, second: Fingerprint, affine: np.ndarray, n_inliers: int) -> Likeness:
    """Lay the second thumbnail on the first."""
    to_thumb = affine.copy()  # x_thumb = scale * (x + 0.5) - 0.5 on both sides
    to_thumb[:, 2] = _THUMB_SCALE * affine[:, 2] + (1 - _THUMB_SCALE) / 2 * (affine[:, :2].sum(axis=1) - 1)
    zoom_area = abs(float(np.linalg.det(affine[:, :2])))
    shared = first.inside & _laid_on(second.inside, to_thumb, first.thumb.shape)
    n_shared = int(shared.sum())
    if n_shared == 0:
        return Likeness()
    moved = _warp(second.thumb, to_thumb, first.thumb.shape, cv2.INTER_LINEAR)
    nucleus_px = max(float(first.nucleus.sum()), zoom_area * float(second.nucleus.sum()))
    both_nuclei = int((first.nucleus & _laid_on(second.nucleus, to_thumb, first.thumb.shape)).sum())
    return Likeness(
        n_inliers=n_inliers,
        correlation=_correlation(first.thumb[shared], moved[shared]),
        overlap=n_shared / min(float(first.inside.sum()), zoom_area * float(second.inside.sum())),
        shared_cell=both_nuclei / nucleus_px if nucleus_px >= MIN_CELL_PX else 0.0,
    )


def _warp(image: np.ndarray, affine: np.ndarray, shape: tuple[int, ...], how: int) -> np.ndarray:
    return cv2.warpAffine(image, affine, (shape[1], shape[0]), flags=how)


def _laid_on(mask: np.ndarray, affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return _warp(mask.astype(np.uint8), affine, shape, cv2.INTER_NEAREST).astype(bool)


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's r; 0 if either is of one value."""
    a = first.astype(np.float64) - first.mean()
    b = second.astype(np.float64) - second.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 0.0


def _resize(image: np.ndarray, scale: float) -> np.ndarray:
    height, width = (max(1, round(scale * side)) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _not_filling(gray: np.ndarray) -> np.ndarray:
    """Mark with 1 all but the black areas that touch the rim of the picture; uint8, shape of `gray`."""
    n_areas, labels = cv2.connectedComponents((gray <= BORDER_LEVEL).astype(np.uint8), connectivity=4)
    touches_rim = np.zeros(n_areas, dtype=bool)
    for rim in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        touches_rim[rim] = True
    touches_rim[0] = False  # label 0 is everything that is not black
    kept = (~touches_rim[labels]).astype(np.uint8)
    return cv2.morphologyEx(kept, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))  # JPEG ringing along the edge


def _key_points(gray: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take the strongest SIFT points whose surroundings do not reach the filling."""
    sift = cv2.SIFT_create(  # type: ignore[attr-defined]  # missing in OpenCV's stubs
        nfeatures=2 * MAX_POINTS, contrastThreshold=LEAST_CONTRAST
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
    kept = strongest[(depth[rows, cols] > reach)[strongest]][:MAX_POINTS]
    return points[kept], descriptors[kept].astype(np.uint8)


def _nucleus(rgb: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Mark the purple of nuclei: once the light is taken out, green is low and far below blue."""
    if not inside.any():
        return np.zeros(inside.shape, dtype=bool)
    light = np.maximum(np.percentile(rgb[inside].T.copy(), 90, axis=1), 1)
    red_green_blue = rgb / light
    green, blue = red_green_blue[..., 1], red_green_blue[..., 2]
    purple = (green < 0.65) & (blue - green > 0.2) & inside
    return cv2.morphologyEx(purple.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).astype(bool)


def _root_unit(descriptors: np.ndarray) -> np.ndarray:
    """Square roots, scaled to length 1, so that a dot product tells likeness; float32."""
    roots = np.sqrt(descriptors.astype(np.float32))
    return roots / np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-6)


def _mutual_matches(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pair descriptors that are each other's nearest and pass Lowe's ratio test; int array (M, 2)."""
    likeness = first @ second.T
    rows = np.arange(len(first))
    nearest = likeness.argmax(axis=1)
    is_mutual = likeness.argmax(axis=0)[nearest] == rows
    best = likeness[rows, nearest]
    likeness[rows, nearest] = -1
    second_best = likeness.max(axis=1)
    # Squared distance of unit vectors is 2 - 2 * dot product.
    is_clear = 1 - best < NEAREST_RATIO**2 * (1 - second_best)
    good = is_mutual & is_clear
    return np.stack([rows[good], nearest[good]], axis=1)
