"""Decide whether two images were made from one photograph, whatever was done to the copies."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from bloodcell.datasets.copies.signatures import MIRROR_ORDER, THUMBNAIL_SCALE, KeypointSignature

NEAREST_RATIO: Final = 0.85
MAX_ERROR_PX: Final = 3.0
RANSAC_ITERATIONS: Final = 500
MAX_ZOOM: Final = 2.5

# In kaggle-wbc joined pairs have at least 24 inliers and a correlation of 0.87, unrelated pairs at most 8 inliers. The
# nearest that two different cells came (monocytes MO_260942 and MO_419144 of pbc) is 10 inliers at 0.57.
MIN_INLIERS: Final = 12
MIN_CORRELATION: Final = 0.75
MIN_OVERLAP: Final = 0.5
MIN_SHARED_CELL: Final = 0.5
MIN_CELL_PX: Final = 60  # of purple, in a thumbnail: a nucleus has 150 and more, a platelet 20


@dataclass(frozen=True)
class Likeness:
    """How well the second of two images fits on the first after registration; all 0 if it does not fit.

    Attributes
    ----------
    n_inliers : int, default 0
        Matched key points that the map explains.
    correlation : float, default 0.0
        Pearson's r of the grey values on the shared area, -1 to 1.
    overlap : float, default 0.0
        Shared area over the area of the smaller image, 0 to 1.
    shared_cell : float, default 0.0
        Purple of both images over that of the image that shows less, as the edge may cut a cell; 0 to 1.
    """

    n_inliers: int = 0
    correlation: float = 0.0
    overlap: float = 0.0
    shared_cell: float = 0.0

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


def compare_signatures(first: KeypointSignature, second: KeypointSignature) -> Likeness:
    """Register two images by an affine map, found by RANSAC [1]_ among matched key points, and measure their agreement.

    Key points are matched as they are and mirrored; the better match is registered. Correlation of the grey values is
    not affected by new lighting, and rejects maps that few points agree on by chance or through dust on the camera.

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
    unit_first = _normalise_descriptors(first.descriptors)
    straight = _match_mutually(unit_first, _normalise_descriptors(second.descriptors))
    mirrored = _match_mutually(unit_first, _normalise_descriptors(second.descriptors[:, MIRROR_ORDER]))
    pairs = max(straight, mirrored, key=len)
    if len(pairs) < MIN_INLIERS:
        return Likeness()
    affine, is_inlier = cv2.estimateAffine2D(
        second.points[pairs[:, 1]],
        first.points[pairs[:, 0]],
        method=cv2.RANSAC,
        ransacReprojThreshold=MAX_ERROR_PX,
        maxIters=RANSAC_ITERATIONS,
    )
    if affine is None:
        return Likeness()
    zooms = np.linalg.svd(affine[:, :2], compute_uv=False)
    n_inliers = int(is_inlier.sum())
    if n_inliers < MIN_INLIERS or zooms[0] > MAX_ZOOM or zooms[1] < 1 / MAX_ZOOM:
        return Likeness()
    return _measure_agreement(first, second, affine, n_inliers)


def _measure_agreement(
    first: KeypointSignature, second: KeypointSignature, affine: np.ndarray, n_inliers: int
) -> Likeness:
    """Lay the second thumbnail on the first."""
    to_thumbnail = affine.copy()  # x_thumb = scale * (x + 0.5) - 0.5 on both sides
    to_thumbnail[:, 2] = THUMBNAIL_SCALE * affine[:, 2] + (1 - THUMBNAIL_SCALE) / 2 * (affine[:, :2].sum(axis=1) - 1)
    zoom_area = abs(float(np.linalg.det(affine[:, :2])))
    shared = first.inside & _warp_mask(second.inside, to_thumbnail, first.thumbnail.shape)
    n_shared = int(shared.sum())
    if n_shared == 0:
        return Likeness()
    moved = _warp(second.thumbnail, to_thumbnail, first.thumbnail.shape, cv2.INTER_LINEAR)
    nucleus_px = min(float(first.nucleus.sum()), zoom_area * float(second.nucleus.sum()))
    both_nuclei = int((first.nucleus & _warp_mask(second.nucleus, to_thumbnail, first.thumbnail.shape)).sum())
    return Likeness(
        n_inliers=n_inliers,
        correlation=_correlate(first.thumbnail[shared], moved[shared]),
        overlap=n_shared / min(float(first.inside.sum()), zoom_area * float(second.inside.sum())),
        shared_cell=both_nuclei / nucleus_px if nucleus_px >= MIN_CELL_PX else 0.0,
    )


def _warp(image: np.ndarray, affine: np.ndarray, shape: tuple[int, ...], interpolation: int) -> np.ndarray:
    return cv2.warpAffine(image, affine, (shape[1], shape[0]), flags=interpolation)


def _warp_mask(mask: np.ndarray, affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return _warp(mask.astype(np.uint8), affine, shape, cv2.INTER_NEAREST).astype(bool)


def _correlate(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's r; 0 if either is of one value."""
    a = first.astype(np.float64) - first.mean()
    b = second.astype(np.float64) - second.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 0.0


def _normalise_descriptors(descriptors: np.ndarray) -> np.ndarray:
    """Square roots, scaled to length 1, so that a dot product tells likeness; float32."""
    roots = np.sqrt(descriptors.astype(np.float32))
    return np.asarray(roots / np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-6))


def _match_mutually(first: np.ndarray, second: np.ndarray) -> np.ndarray:
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
