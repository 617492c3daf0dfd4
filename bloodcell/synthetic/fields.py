"""Draw microscope fields together with the truth: where the white cells are and of which class."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import DatasetError
from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.core.text import inflect_noun
from bloodcell.imaging.boxes import Box
from bloodcell.synthetic.cells import STAINS, Stain, draw_cloud, draw_platelet, draw_red_cell, draw_white_cell

# Radii in a 640x480 field of bccd (scale 1), where a red cell measures about 95 px.
RED_RADIUS_PX: Final = (43.0, 51.0)
PLATELET_RADIUS_PX: Final = (10.0, 17.0)
WHITE_RADIUS_PX: Final = {
    "EOSINOPHIL": (86.0, 102.0),
    "LYMPHOCYTE": (64.0, 80.0),
    "MONOCYTE": (94.0, 112.0),
    "NEUTROPHIL": (84.0, 102.0),
}
_MAX_TRIES: Final = 400


@dataclass(frozen=True)
class DrawnField:
    """A drawn image and what is in it.

    Attributes
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
    boxes : tuple of Box
        Around each white cell, clipped to the image.
    class_names : tuple of str
        Class of each box's cell.
    n_red, n_platelets : int
        Those whose centre lies in the image.
    """

    rgb: npt.NDArray[np.uint8]
    boxes: tuple[Box, ...]
    class_names: tuple[str, ...]
    n_red: int
    n_platelets: int


@dataclass
class _Disc:
    """The place of a cell, in pixels."""

    row: float
    col: float
    radius_px: float


def draw_field(
    seed: int,
    n_white: int = 1,
    height_px: int = 480,
    width_px: int = 640,
    *,
    scale: float | None = None,
    stain: str | Stain | None = None,
    class_names: Sequence[str] = WHITE_CELLS_4,
    red_share: float = 0.35,
    n_platelets: int | None = None,
) -> DrawnField:
    """Draw one field; the same arguments give the same pixels.

    Parameters
    ----------
    seed : int
        Decides everything that the other arguments leave open.
    n_white : int, default 1
        White cells, each entirely inside the image and apart from the others.
    height_px, width_px : int, default 480
        At least 16.
    scale : float, optional
        1 for cells as large as in a 640 x 480 field of bccd (red cell 95 px). Without it, `height_px / 480`, which
        shows the same part of the slide whatever the size. A single-cell crop of 120 px is about 0.45, one of 360 px
        about 0.8.
    stain : str or Stain, optional
        A name of `cells.STAINS` or a Stain; without it, a random one.
    class_names : sequence of str, default WHITE_CELLS_4
        The classes to draw in turn, starting with a random one.
    red_share : float, default 0.35
        Share of the image covered by red cells; 0 draws none, 0.6 is crowded.
    n_platelets : int, optional
        Platelets to draw; without it, 0 to 6.

    Returns
    -------
    DrawnField

    Raises
    ------
    DatasetError
        If a stain or class is unknown, the image is too small, or the white cells do not fit in.

    Examples
    --------
    >>> field = draw_field(7, n_white=2, class_names=["MONOCYTE", "NEUTROPHIL"])
    >>> field.rgb.shape, sorted(field.class_names), len(field.boxes)
    ((480, 640, 3), ['MONOCYTE', 'NEUTROPHIL'], 2)
    """
    if min(height_px, width_px) < 16:
        raise DatasetError(f"Each side of a field must have at least 16 px. Received: {width_px} x {height_px}.")
    unknown = sorted(set(class_names) - set(WHITE_RADIUS_PX))
    if unknown or not class_names:
        raise DatasetError(f"`class_names` must be some of {sorted(WHITE_RADIUS_PX)}. Received: {class_names}.")
    rng = np.random.default_rng(seed)
    colours = _choose_stain(rng, stain)
    scale = height_px / 480 if scale is None else scale
    od = np.zeros((height_px, width_px, 3), np.float32)

    first = int(rng.integers(len(class_names)))
    names = [class_names[(first + turn) % len(class_names)] for turn in range(n_white)]
    whites = _place_whites(rng, names, height_px, width_px, scale)
    reds = _place_reds(rng, whites, height_px, width_px, scale, red_share)
    for disc in reds:
        _add_patch(od, draw_red_cell(rng, colours, disc.radius_px), disc)
    specks = _place_platelets(rng, whites, height_px, width_px, scale, n_platelets)
    for disc in specks:
        _add_patch(od, draw_platelet(rng, colours, disc.radius_px), disc)
    boxes = [_lay_white_cell(rng, od, colours, name, disc) for name, disc in zip(names, whites, strict=True)]
    return DrawnField(
        rgb=_develop(rng, od, colours, scale),
        boxes=tuple(boxes),
        class_names=tuple(names),
        n_red=_count_inside(reds, height_px, width_px),
        n_platelets=_count_inside(specks, height_px, width_px),
    )


def _choose_stain(rng: np.random.Generator, stain: str | Stain | None) -> Stain:
    if isinstance(stain, Stain):
        return stain
    drawn = list(STAINS)[int(rng.integers(len(STAINS)))]
    name = drawn if stain is None else stain
    if name not in STAINS:
        raise DatasetError(f"`stain` must be one of {list(STAINS)}. Received: {name!r}.")
    return STAINS[name]


def _place_whites(
    rng: np.random.Generator, names: Sequence[str], height_px: int, width_px: int, scale: float
) -> list[_Disc]:
    placed: list[_Disc] = []
    for name in names:
        low, high = WHITE_RADIUS_PX[name]
        for attempt in range(_MAX_TRIES):
            # Late tries take the smallest cell, which fits in where a large one does not.
            radius_px = scale * (rng.uniform(low, high) if attempt < _MAX_TRIES // 2 else low)
            margin = min(radius_px * 1.12 + 2, height_px / 2, width_px / 2)
            if radius_px * 2 > min(height_px, width_px):
                continue
            row = rng.uniform(margin, height_px - margin)
            col = rng.uniform(margin, width_px - margin)
            if all(_measure_gap(row, col, other) > radius_px * 1.25 for other in placed):
                placed.append(_Disc(row, col, radius_px))
                break
        else:
            raise DatasetError(
                f"A field of {width_px} x {height_px} px has no room for {len(names)} white "
                f"{inflect_noun(len(names), 'cell')} at scale {scale:.2f}."
            )
    return placed


def _place_reds(
    rng: np.random.Generator,
    whites: Sequence[_Disc],
    height_px: int,
    width_px: int,
    scale: float,
    red_share: float,
) -> list[_Disc]:
    mean_px = scale * sum(RED_RADIUS_PX) / 2
    wide, high = width_px + 2 * mean_px, height_px + 2 * mean_px
    n_red = round(red_share * wide * high / (np.pi * mean_px**2))
    placed: list[_Disc] = []
    for _ in range(n_red * 12):
        if len(placed) >= n_red:
            break
        radius_px = scale * rng.uniform(*RED_RADIUS_PX)
        row = rng.uniform(-mean_px, height_px + mean_px)
        col = rng.uniform(-mean_px, width_px + mean_px)
        # Some red cells may overlap by up to half; none lies on a white cell.
        closeness = rng.choice([0.1, 0.6, 0.95], p=[0.15, 0.2, 0.65])
        if any(_measure_gap(row, col, white) < radius_px for white in whites):
            continue
        if all(_measure_gap(row, col, other) > radius_px * closeness for other in placed):
            placed.append(_Disc(row, col, radius_px))
    return placed


def _place_platelets(
    rng: np.random.Generator,
    whites: Sequence[_Disc],
    height_px: int,
    width_px: int,
    scale: float,
    n_platelets: int | None,
) -> list[_Disc]:
    n_platelets = int(rng.integers(0, 7)) if n_platelets is None else n_platelets
    placed: list[_Disc] = []
    for _ in range(n_platelets * 20):
        if len(placed) >= n_platelets:
            break
        disc = _Disc(rng.uniform(0, height_px), rng.uniform(0, width_px), scale * rng.uniform(*PLATELET_RADIUS_PX))
        if all(_measure_gap(disc.row, disc.col, white) > 2 * disc.radius_px for white in whites):
            placed.append(disc)
    return placed


def _measure_gap(row: float, col: float, disc: _Disc) -> float:
    """Return the distance from a point to the edge of a disc; negative inside."""
    return math.hypot(row - disc.row, col - disc.col) - disc.radius_px


def _count_inside(discs: Sequence[_Disc], height_px: int, width_px: int) -> int:
    return sum(0 <= disc.row < height_px and 0 <= disc.col < width_px for disc in discs)


def _find_windows(shape: tuple[int, ...], side_px: int, disc: _Disc) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return where a patch lies in the field, and which part of the patch that is; both may be empty."""
    top, left = round(disc.row) - side_px // 2, round(disc.col) - side_px // 2
    rows = slice(max(top, 0), max(min(top + side_px, shape[0]), 0))
    cols = slice(max(left, 0), max(min(left + side_px, shape[1]), 0))
    part = (slice(rows.start - top, rows.stop - top), slice(cols.start - left, cols.stop - left))
    return (rows, cols), part


def _add_patch(od: np.ndarray, patch: np.ndarray, disc: _Disc) -> None:
    place, part = _find_windows(od.shape, patch.shape[0], disc)
    if place[0].stop > place[0].start and place[1].stop > place[1].start:
        od[place] += patch[part]


def _lay_white_cell(rng: np.random.Generator, od: np.ndarray, stain: Stain, name: str, disc: _Disc) -> Box:
    """Draw a white cell over what is there, and return its box in the field."""
    patch, inside = draw_white_cell(rng, stain, name, disc.radius_px)
    place, part = _find_windows(od.shape, patch.shape[0], disc)
    cover = inside[part][..., None]
    od[place] = od[place] * (1 - cover) + patch[part] * cover
    rows = np.flatnonzero((inside[part] > 0.5).any(axis=1)) + place[0].start
    cols = np.flatnonzero((inside[part] > 0.5).any(axis=0)) + place[1].start
    return Box(int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1)


def _develop(rng: np.random.Generator, od: np.ndarray, stain: Stain, scale: float) -> np.ndarray:
    """Simulate the light through the slide onto the sensor: uneven lamp, slight blur, noise."""
    height_px, width_px = od.shape[:2]
    rows, cols = np.mgrid[-1 : 1 : height_px * 1j, -1 : 1 : width_px * 1j].astype(np.float32)
    tilt = rng.uniform(-0.02, 0.02, 2)
    lamp = 1 + tilt[0] * rows + tilt[1] * cols - 0.025 * (rows**2 + cols**2)
    lamp += 0.004 * draw_cloud(rng, height_px, width_px, height_px / 5)
    uneven_stain = 1 + 0.05 * draw_cloud(rng, height_px, width_px, height_px / 2)
    light = np.array(stain.background, np.float32) * lamp[..., None] * np.exp(-od * uneven_stain[..., None])
    light = cv2.GaussianBlur(light, (0, 0), max(rng.uniform(0.9, 1.5) * scale, 0.4))
    light += rng.normal(0, 1.6, light.shape).astype(np.float32)
    return np.asarray(np.clip(np.rint(light), 0, 255).astype(np.uint8))
