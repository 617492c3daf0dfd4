"""Draw single blood cells, as light passing through stain.

A cell is a layer of optical density (od = -ln of the transmitted share, one value per colour channel) in its own patch.
Layers that overlap add up, so two red cells on top of each other come out darker, as under the microscope.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import cv2
import numpy as np

Colour = tuple[int, int, int]

_SUBPIXEL_BITS: Final = 4
_SUBPIXELS: Final = 1 << _SUBPIXEL_BITS


@dataclass(frozen=True)
class Stain:
    """Colours (red, green, blue) of one laboratory's slides, as they look on its background.

    Attributes
    ----------
    background, red_cell, nucleus, platelet : (int, int, int)
        The clear slide, red cells, the nuclei of all white cells, and platelets.
    neutrophil, eosinophil, lymphocyte, monocyte : (int, int, int)
        Cytoplasm of each class.
    eosinophil_granule : (int, int, int)
        Granules of eosinophils.
    """

    background: Colour
    red_cell: Colour
    nucleus: Colour
    platelet: Colour
    neutrophil: Colour
    eosinophil: Colour
    eosinophil_granule: Colour
    lymphocyte: Colour
    monocyte: Colour

    def od(self, colour: Colour) -> np.ndarray:
        """Return the optical density, float32 (3,), that turns the background into `colour`."""
        return -np.log(np.array(colour, np.float32) / np.array(self.background, np.float32))


# Measured in real images: medians of bccd fields; the cream one of txl and pbc; the magenta one of txl.
STAINS: Final = {
    "grey": Stain(
        background=(205, 207, 200),
        red_cell=(184, 152, 154),
        nucleus=(118, 80, 200),
        platelet=(152, 142, 190),
        neutrophil=(186, 164, 196),
        eosinophil=(190, 150, 178),
        eosinophil_granule=(184, 108, 130),
        lymphocyte=(158, 152, 204),
        monocyte=(168, 164, 198),
    ),
    "cream": Stain(
        background=(252, 230, 206),
        red_cell=(210, 180, 174),
        nucleus=(74, 44, 112),
        platelet=(120, 84, 142),
        neutrophil=(226, 192, 194),
        eosinophil=(222, 166, 160),
        eosinophil_granule=(198, 104, 96),
        lymphocyte=(148, 146, 202),
        monocyte=(172, 158, 188),
    ),
    "rose": Stain(
        background=(238, 222, 228),
        red_cell=(206, 166, 172),
        nucleus=(104, 52, 150),
        platelet=(150, 108, 172),
        neutrophil=(214, 182, 206),
        eosinophil=(212, 156, 168),
        eosinophil_granule=(196, 98, 104),
        lymphocyte=(156, 150, 212),
        monocyte=(176, 166, 204),
    ),
}


def draw_outline(rng: np.random.Generator, radius_px: float, wobble: float, stretch: float = 1.0) -> np.ndarray:
    """Draw a closed curve around (0, 0): a circle with a few random waves.

    Parameters
    ----------
    rng : numpy.random.Generator
    radius_px : float
        Mean radius.
    wobble : float
        Height of the waves as a share of the radius; 0 gives an ellipse.
    stretch : float, default 1.0
        Long axis over short axis.

    Returns
    -------
    ndarray of float64, shape (96, 2)
        X and y in pixels.
    """
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    radius = np.ones_like(angle)
    for waves in range(2, 7):
        radius += wobble / waves * rng.normal() * np.cos(waves * angle + rng.uniform(0, 2 * np.pi))
    x = radius_px * radius * np.cos(angle) * np.sqrt(stretch)
    y = radius_px * radius * np.sin(angle) / np.sqrt(stretch)
    turn = rng.uniform(0, np.pi)
    return np.stack(
        [x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)],
        axis=1,
    )


def fill_outline(side_px: int, points: np.ndarray) -> np.ndarray:
    """Return the share of each pixel inside the curve, float32 (side_px, side_px); (0, 0) is the middle of the patch."""
    mask = np.zeros((side_px, side_px), np.uint8)
    shifted = np.rint((points + side_px / 2 - 0.5) * _SUBPIXELS).astype(np.int32)
    cv2.fillPoly(mask, [shifted], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    return mask.astype(np.float32) / 255


def draw_cloud(rng: np.random.Generator, height_px: int, width_px: int, grain_px: float) -> np.ndarray:
    """Draw smooth noise, float32 (height_px, width_px), of mean 0 and standard deviation 1; bumps of `grain_px`."""
    step = max(grain_px, 1.0)
    small = rng.normal(size=(int(height_px / step) + 3, int(width_px / step) + 3)).astype(np.float32)
    smooth = cv2.resize(small, (width_px, height_px), interpolation=cv2.INTER_CUBIC)
    return np.asarray((smooth - smooth.mean()) / (smooth.std() + 1e-6))


def draw_red_cell(rng: np.random.Generator, stain: Stain, radius_px: float) -> np.ndarray:
    """Draw the optical density of a red cell with a pale middle, float32 (S, S, 3)."""
    stretch = 1 + abs(rng.normal(0, 0.12))
    side_px = compute_patch_side(radius_px * np.sqrt(stretch))
    inside = fill_outline(side_px, draw_outline(rng, radius_px, 0.05, stretch))
    depth = cv2.distanceTransform((inside > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / radius_px
    pallor = rng.uniform(0.1, 0.75)
    middle = np.clip((depth - rng.uniform(0.3, 0.45)) / 0.35, 0, 1)
    rim = 0.25 * np.exp(-((depth / 0.08) ** 2))
    amount = inside * (1.1 + rim - pallor * middle**2 * (3 - 2 * middle)) * rng.uniform(0.85, 1.15)
    return np.asarray(amount[..., None] * stain.od(stain.red_cell))


def draw_platelet(rng: np.random.Generator, stain: Stain, radius_px: float) -> np.ndarray:
    """Draw the optical density of a platelet: a small speckled purple clump, float32 (S, S, 3)."""
    side_px = compute_patch_side(radius_px * 1.3)
    inside = fill_outline(side_px, draw_outline(rng, radius_px, 0.3, rng.uniform(1, 1.5)))
    inside = cv2.GaussianBlur(inside, (0, 0), max(radius_px * 0.15, 0.5))
    speckle = 1 + 0.35 * draw_cloud(rng, side_px, side_px, radius_px * 0.35)
    amount = inside * np.clip(speckle, 0.3, 2) * rng.uniform(0.8, 1.4)
    return np.asarray(amount[..., None] * stain.od(stain.platelet))


def draw_white_cell(
    rng: np.random.Generator, stain: Stain, class_name: str, radius_px: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a white cell of the class.

    Parameters
    ----------
    rng : numpy.random.Generator
    stain : Stain
    class_name : str
        One of `core.labels.WHITE_CELLS_4`.
    radius_px : float
        Mean radius of the whole cell.

    Returns
    -------
    od : ndarray of float32, shape (S, S, 3)
    inside : ndarray of float32, shape (S, S)
        Share of each pixel inside the cell.
    """
    wobble, stretch = (0.16, 1.15) if class_name == "MONOCYTE" else (0.05, rng.uniform(1.0, 1.12))
    side_px = compute_patch_side(radius_px * 1.25)
    inside = fill_outline(side_px, draw_outline(rng, radius_px, wobble, stretch))
    nucleus = NUCLEUS_DRAWERS[class_name](rng, side_px, radius_px) * inside
    cytoplasm, granule_colour, granule_strength = {
        "NEUTROPHIL": (stain.neutrophil, stain.neutrophil, 0.6),
        "EOSINOPHIL": (stain.eosinophil, stain.eosinophil_granule, 0.8),
        "LYMPHOCYTE": (stain.lymphocyte, stain.lymphocyte, 0.15),
        "MONOCYTE": (stain.monocyte, stain.monocyte, 0.3),
    }[class_name]
    grain_px = radius_px * (0.05 if class_name == "EOSINOPHIL" else 0.04)
    granules = np.clip(draw_cloud(rng, side_px, side_px, grain_px), 0, 2) * granule_strength
    softness = 1 + 0.12 * draw_cloud(rng, side_px, side_px, radius_px * 0.3)
    body = softness[..., None] * stain.od(cytoplasm) + granules[..., None] * stain.od(granule_colour) * 0.6
    chromatin = 1 + 0.10 * draw_cloud(rng, side_px, side_px, radius_px * 0.12)
    chromatin += 0.05 * draw_cloud(rng, side_px, side_px, radius_px * 0.05)
    core = chromatin[..., None] * stain.od(stain.nucleus) * rng.uniform(0.9, 1.1)
    return body * (1 - nucleus[..., None]) + core * nucleus[..., None], inside


def compute_patch_side(radius_px: float) -> int:
    """Return the side of the square patch for a cell of this radius with room for its waves; always odd."""
    return 2 * int(np.ceil(radius_px * 1.35 + 2)) + 1


def _draw_lobes(side_px: int, radius_px: float, lobes: list[tuple[float, float, float, float]]) -> np.ndarray:
    """Draw ellipses (x, y, half length, half width, in cell radii), joined by strands and rounded."""
    mask = np.zeros((side_px, side_px), np.uint8)
    middle = side_px / 2 - 0.5
    centres = [_to_subpixels(middle + x * radius_px, middle + y * radius_px) for x, y, _, _ in lobes]
    for start, end in pairwise(centres):
        thickness = max(1, round(radius_px * 0.16))
        cv2.line(mask, start, end, 255, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
    for centre, (x, y, half_length, half_width) in zip(centres, lobes, strict=True):
        axes = _to_subpixels(half_length * radius_px, half_width * radius_px)
        along = float(np.degrees(np.arctan2(y, x))) + 90
        cv2.ellipse(mask, centre, axes, along, 0, 360, 255, -1, cv2.LINE_AA, _SUBPIXEL_BITS)
    return _round_corners(mask, radius_px)


def _to_subpixels(x: float, y: float) -> tuple[int, int]:
    return round(x * _SUBPIXELS), round(y * _SUBPIXELS)


def _round_corners(mask: np.ndarray, radius_px: float) -> np.ndarray:
    """Smooth the corners where lobes meet; float32 0..1."""
    soft = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), max(radius_px * 0.045, 0.4))
    return np.asarray(np.clip((soft - 0.5) * 3 + 0.5, 0, 1))


def _draw_neutrophil_nucleus(rng: np.random.Generator, side_px: int, radius_px: float) -> np.ndarray:
    n_lobes = int(rng.integers(3, 6))
    start = rng.uniform(0, 2 * np.pi)
    spread = rng.uniform(0.75, 1.05) * (2 * np.pi * 0.72)
    lobes = []
    for angle in start + np.linspace(0, spread, n_lobes):
        away = rng.uniform(0.38, 0.52)
        width = rng.uniform(0.24, 0.31)
        lobes.append((away * np.cos(angle), away * np.sin(angle), width * rng.uniform(1.0, 1.4), width))
    return _draw_lobes(side_px, radius_px, lobes)


def _draw_eosinophil_nucleus(rng: np.random.Generator, side_px: int, radius_px: float) -> np.ndarray:
    start = rng.uniform(0, 2 * np.pi)
    lobes = []
    for angle in (start, start + rng.uniform(1.7, 2.6)):
        away = rng.uniform(0.42, 0.52)
        lobes.append((away * np.cos(angle), away * np.sin(angle), rng.uniform(0.36, 0.44), 0.33))
    return _draw_lobes(side_px, radius_px, lobes)


def _draw_lymphocyte_nucleus(rng: np.random.Generator, side_px: int, radius_px: float) -> np.ndarray:
    shift = rng.uniform(-0.06, 0.06, 2) * radius_px
    curve = draw_outline(rng, radius_px * rng.uniform(0.78, 0.88), 0.05, rng.uniform(1.0, 1.12)) + shift
    return _round_corners((fill_outline(side_px, curve) * 255).astype(np.uint8), radius_px)


def _draw_monocyte_nucleus(rng: np.random.Generator, side_px: int, radius_px: float) -> np.ndarray:
    mask = (fill_outline(side_px, draw_outline(rng, radius_px * 0.66, 0.08, rng.uniform(1.15, 1.4))) * 255).astype(
        np.uint8
    )
    angle = rng.uniform(0, 2 * np.pi)
    away = rng.uniform(0.66, 0.8) * radius_px
    middle = side_px / 2 - 0.5
    bite = _to_subpixels(middle + away * np.cos(angle), middle + away * np.sin(angle))
    cv2.circle(mask, bite, round(radius_px * 0.36 * _SUBPIXELS), 0, -1, cv2.LINE_AA, _SUBPIXEL_BITS)
    return _round_corners(mask, radius_px)


NUCLEUS_DRAWERS: Final = {
    "NEUTROPHIL": _draw_neutrophil_nucleus,
    "EOSINOPHIL": _draw_eosinophil_nucleus,
    "LYMPHOCYTE": _draw_lymphocyte_nucleus,
    "MONOCYTE": _draw_monocyte_nucleus,
}
