"""Segment nuclei in a map of stain contrast and grow them to whole cells, on the finder's small copy."""

from typing import NamedTuple

import cv2
import numpy as np

from bloodcell.imaging.boxes import Box

MIN_CONTRAST = 0.20  # minimum density of green minus blue in a nucleus
MIN_NUCLEUS_SHARE = 0.006  # of the squared field height; smaller specks are platelets and stain debris
CROWD_SHARE, CROWD_PARTS = 0.25, 6  # so much in so many parts is red cells, not nuclei
MIN_SHARE_OF_LARGEST = 0.25  # a nucleus much smaller than the field's largest is a platelet or a piece
MIN_SHARE_AT_BORDER = 0.45  # likewise where the border cuts it
STRONG_DENSITY, MIN_SHARE_OF_STRONG_AT_BORDER = 1.2, 0.1  # unless so dark that it must be a nucleus
MIN_DENSITY_OF_DARKEST = 0.55

LOBE_GAP_PX = 5  # lobes of one nucleus lie nearer than twice this
CLOSE_UP_LOBE_GAP_PX = 14
SAME_CELL_OVERLAP = 0.3  # boxes that share this part of the smaller one are one cell

CYTOPLASM_REACH = 0.25  # of the nucleus' size


class Nucleus(NamedTuple):
    """One nucleus, with its lobes joined.

    Attributes
    ----------
    label : int
        Its value in the label image.
    left, top, width, height : int
        Its box, in pixels of the small copy.
    area_px : int
        Its stained area.
    density : float
        Its mean contrast.
    at_border : bool
        Whether the border of the image cuts it.
    """

    label: int
    left: int
    top: int
    width: int
    height: int
    area_px: int
    density: float
    at_border: bool


def mask_nuclei(contrast: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, float, int]:
    """Separate nuclei from the rest by Otsu's threshold.

    Parameters
    ----------
    contrast : ndarray of float32, shape (H, W)
        At least 0, larger in nuclei.
    valid : ndarray of bool, shape (H, W)
        False in black borders.

    Returns
    -------
    mask : ndarray of uint8, shape (H, W)
        1 in nuclei.
    threshold : float
        Raised if the first threshold took in the red cells: they reach three sides of the image, or are a crowd.
    largest_px : int
        Area of the largest connected part; 0 if there is none.
    """
    height, width = contrast.shape
    threshold = max(_otsu(contrast), MIN_CONTRAST)
    for _ in range(3):
        mask = ((contrast > threshold) & valid).astype(np.uint8)
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        stats = _label_components(mask)[1][1:]
        left, top, right, bottom = (
            stats[:, 0],
            stats[:, 1],
            stats[:, 0] + stats[:, 2],
            stats[:, 1] + stats[:, 3],
        )
        sides = (left <= 1) * 1 + (top <= 1) + (right >= width - 1) + (bottom >= height - 1)
        is_crowd = (
            measure_share(mask) > CROWD_SHARE and (stats[:, 4] > MIN_NUCLEUS_SHARE * mask.size).sum() >= CROWD_PARTS
        )
        if not (sides >= 3).any() and not is_crowd:
            break
        threshold = max(_otsu(contrast[mask > 0]), 1.15 * threshold)
    return mask, threshold, int(stats[:, 4].max(initial=0))


def _otsu(values: np.ndarray) -> float:
    n_above = max(1, values.size // 200)
    top = max(float(np.partition(values.ravel(), -n_above)[-n_above]), 1e-3)
    levels = np.minimum(values * (255 / top), 255).astype(np.uint8)
    level, _ = cv2.threshold(levels.reshape(-1, 1), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return level * top / 255


def _label_components(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Label the connected parts of a mask: uint16 (twice as fast as int32); left, top, width, height, area of each."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_16U)
    return labels, stats


def measure_share(mask: np.ndarray) -> float:
    """Return the share of a uint8 mask that is not 0."""
    return cv2.countNonZero(mask) / mask.size


def dilate_square(mask: np.ndarray, reach_px: int) -> np.ndarray:
    """Dilate a uint8 mask by `reach_px` on each side."""
    return cv2.dilate(mask, np.ones((2 * reach_px + 1, 2 * reach_px + 1), np.uint8))


def _disc(radius_px: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius_px + 1, 2 * radius_px + 1))


def _close(mask: np.ndarray, radius_px: int) -> np.ndarray:
    """Close gaps, only within the bounding box of the mask, as a large disc is slow."""
    left, top, cols, rows = cv2.boundingRect(mask)
    window = np.s_[top : top + rows, left : left + cols]
    edge = radius_px + 1
    padded = cv2.copyMakeBorder(mask[window], edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=0)
    closed = np.zeros_like(mask)
    closed[window] = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, _disc(radius_px))[edge:-edge, edge:-edge]
    return closed


def label_nuclei(
    mask: np.ndarray, contrast: np.ndarray, valid: np.ndarray, is_close_up: bool
) -> tuple[np.ndarray, list[Nucleus]]:
    """Join the lobes of each nucleus, and drop platelets, debris and cells that the border almost cuts off.

    Parameters
    ----------
    mask : ndarray of uint8, shape (H, W)
        From `mask_nuclei`.
    contrast : ndarray of float32, shape (H, W)
    valid : ndarray of bool, shape (H, W)
    is_close_up : bool
        Whether one cell fills the image, so that its lobes lie far apart.

    Returns
    -------
    labels : ndarray of uint16, shape (H, W)
    nuclei : list of Nucleus
        In label order.
    """
    height = mask.shape[0]
    closed = _close(mask, CLOSE_UP_LOBE_GAP_PX if is_close_up else LOBE_GAP_PX)
    labels, stats = _label_components(closed)
    border = dilate_square((~valid).astype(np.uint8), 2)
    border[:2], border[-2:], border[:, :2], border[:, -2:] = 1, 1, 1, 1
    candidates = []
    for label, (left, top, cols, rows, _) in enumerate(stats.tolist()):
        if label == 0:
            continue
        window = np.s_[top : top + rows, left : left + cols]
        region = labels[window] == label
        stained = region & (mask[window] > 0)
        area_px = int(stained.sum())
        if area_px < MIN_NUCLEUS_SHARE * height * height:
            continue
        at_border = bool(border[window][region].any())
        density = float(contrast[window][stained].mean())
        candidates.append(Nucleus(label, left, top, cols, rows, area_px, density, at_border))
    if not candidates:
        return labels, []
    largest_px = max(n.area_px for n in candidates)
    darkest = max(n.density for n in candidates)
    large_nuclei = [
        n
        for n in candidates
        if n.area_px >= _get_min_share(n) * largest_px and n.density >= MIN_DENSITY_OF_DARKEST * darkest
    ]
    return labels, large_nuclei


def _get_min_share(nucleus: Nucleus) -> float:
    if not nucleus.at_border:
        return MIN_SHARE_OF_LARGEST
    return MIN_SHARE_OF_STRONG_AT_BORDER if nucleus.density >= STRONG_DENSITY else MIN_SHARE_AT_BORDER


def grow_cells(nuclei: list[Nucleus], labels: np.ndarray, matter: np.ndarray, is_close_up: bool) -> list[Box]:
    """Grow nuclei into the cytoplasm around them, and join nuclei that turn out to belong to one cell.

    Parameters
    ----------
    nuclei : list of Nucleus
    labels : ndarray of uint16, shape (H, W)
        From `label_nuclei`.
    matter : ndarray of uint8, shape (H, W)
        1 where a pixel may be nucleus or cytoplasm.
    is_close_up : bool
        Whether to join boxes that touch at all.

    Returns
    -------
    list of Box
        In pixels of the small copy.
    """
    return [box for _, box in _join_cells(nuclei, labels, matter, is_close_up)]


def mask_cells(nuclei: list[Nucleus], labels: np.ndarray, matter: np.ndarray, is_close_up: bool) -> np.ndarray:
    """Mark the pixels of the cells that `grow_cells` finds.

    Parameters
    ----------
    nuclei, labels, matter, is_close_up
        See `grow_cells`.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        1 in nucleus and cytoplasm; gaps inside a cell are filled.
    """
    region = np.zeros(labels.shape, np.uint8)
    for members, _ in _join_cells(nuclei, labels, matter, is_close_up):
        top, left, grown = _grow_region(members, labels, matter)
        outlines, _ = cv2.findContours(grown.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(region, outlines, -1, 1, cv2.FILLED, offset=(left, top))
    return region


def _join_cells(
    nuclei: list[Nucleus], labels: np.ndarray, matter: np.ndarray, is_close_up: bool
) -> list[tuple[list[Nucleus], Box]]:
    """Return the nuclei of each cell, and its box."""
    min_overlap = 0.0 if is_close_up else SAME_CELL_OVERLAP
    cells = [([n], _grow_box([n], labels, matter)) for n in nuclei]
    i = 0
    while i < len(cells):
        partner = next(
            (j for j in range(i + 1, len(cells)) if _measure_overlap(cells[i][1], cells[j][1]) > min_overlap),
            None,
        )
        if partner is None:
            i += 1
            continue
        members = cells[i][0] + cells.pop(partner)[0]
        cells[i] = (members, _grow_box(members, labels, matter))
        i = 0
    return cells


def _measure_overlap(a: Box, b: Box) -> float:
    """Return the shared area over the area of the smaller box."""
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    width = min(a.right, b.right) - max(a.left, b.left)
    return max(0, height) * max(0, width) / min(a.area_px, b.area_px)


def _grow_box(members: list[Nucleus], labels: np.ndarray, matter: np.ndarray) -> Box:
    """Return the box of `_grow_region`."""
    top, left, grown = _grow_region(members, labels, matter)
    rows = np.flatnonzero(grown.any(axis=1))
    cols = np.flatnonzero(grown.any(axis=0))
    return Box(int(top + rows[0]), int(left + cols[0]), int(top + rows[-1] + 1), int(left + cols[-1] + 1))


def _grow_region(members: list[Nucleus], labels: np.ndarray, matter: np.ndarray) -> tuple[int, int, np.ndarray]:
    """Return the nuclei and the matter attached to them within reach: top and left of a bool window, and the window."""
    left, top = min(n.left for n in members), min(n.top for n in members)
    right, bottom = max(n.left + n.width for n in members), max(n.top + n.height for n in members)
    size = max(right - left, bottom - top, 1.1 * np.sqrt(sum(n.area_px for n in members)))
    reach = round(CYTOPLASM_REACH * size)
    top, left = max(0, top - reach), max(0, left - reach)
    window = np.s_[top : bottom + reach, left : right + reach]
    core = np.zeros(labels[window].shape, np.uint8)
    for nucleus in members:
        core |= labels[window] == nucleus.label
    cell = matter[window] & cv2.dilate(core, _disc(reach))
    # opening cuts thin bridges to red cells that touch the cell
    cell = cv2.bitwise_or(cv2.morphologyEx(cell, cv2.MORPH_OPEN, _disc(3)), core)
    _, parts = cv2.connectedComponents(cell)
    has_core = np.zeros(parts.max() + 1, bool)
    has_core[parts[core > 0]] = True
    has_core[0] = False
    return top, left, has_core[parts]
