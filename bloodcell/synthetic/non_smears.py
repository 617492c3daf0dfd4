"""Draw images that show no white blood cell, many of them purple or pink on purpose.

They are the standard for unfamiliar images: the model may not be confident of a cell in any of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from bloodcell.synthetic.cells import STAINS, Colour, Stain, draw_cloud, draw_outline, fill_outline
from bloodcell.synthetic.fields import draw_field

Drawer = Callable[[np.random.Generator, int, int], np.ndarray]

_SIZES: Final = ((480, 640), (240, 320), (360, 360), (575, 575), (120, 120))
_PURPLES: Final[tuple[Colour, ...]] = (
    (118, 80, 200),
    (74, 44, 112),
    (104, 52, 150),
    (150, 60, 170),
    (90, 70, 190),
    (190, 90, 180),
    (214, 120, 170),
)
# Background and red cells of other stains and cameras.
_FIELD_COLOURS: Final[tuple[tuple[Colour, Colour], ...]] = (
    ((205, 207, 200), (184, 152, 154)),
    ((252, 230, 206), (210, 180, 174)),
    ((238, 222, 228), (206, 166, 172)),
    ((255, 250, 245), (230, 120, 100)),
    ((225, 230, 240), (150, 140, 180)),
    ((230, 225, 150), (200, 170, 110)),
    ((215, 200, 235), (170, 130, 190)),
    ((200, 200, 200), (140, 140, 140)),
)
_WORDS: Final = ("sample", "count", "result", "blood", "film", "stain", "total", "normal", "4.5", "12.1", "8/9")


def draw_non_smears(seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Draw `N_NON_SMEARS` images without a white cell.

    Parameters
    ----------
    seed : int
        The same seed gives the same images.

    Yields
    ------
    name : str
        Kind and number, as "flower 07".
    rgb : ndarray of uint8, shape (H, W, 3)
        Of five sizes.
    """
    for kind_index, (kind, (drawer, count)) in enumerate(KINDS.items()):
        for number in range(count):
            rng = np.random.default_rng([seed, kind_index, number])
            height_px, width_px = _SIZES[number % len(_SIZES)]
            yield f"{kind} {number + 1:02d}", drawer(rng, height_px, width_px)


def _draw_plain(height_px: int, width_px: int, colour: Colour) -> np.ndarray:
    return np.full((height_px, width_px, 3), colour, np.uint8)


def _pick_colour(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    return colours[int(rng.integers(len(colours)))]


def _random_colour(rng: np.random.Generator, low: int = 0, high: int = 256) -> Colour:
    red, green, blue = (int(value) for value in rng.integers(low, high, 3))
    return red, green, blue


def _pick_position(rng: np.random.Generator, height_px: int, width_px: int) -> tuple[int, int]:
    return int(rng.integers(width_px)), int(rng.integers(height_px))


def _add_camera_noise(rng: np.random.Generator, rgb: np.ndarray, noise: float = 3.0) -> np.ndarray:
    """Add camera blur and noise."""
    soft = cv2.GaussianBlur(rgb, (0, 0), 0.8).astype(np.float32)
    return np.clip(np.rint(soft + rng.normal(0, noise, rgb.shape)), 0, 255).astype(np.uint8)


def _mix_colours(share: np.ndarray, first: Colour, second: Colour) -> np.ndarray:
    """Blend two colours by a share (H, W), clipped to 0..1."""
    share = np.clip(share, 0, 1)[..., None]
    blended = np.array(first, np.float32) * (1 - share) + np.array(second, np.float32) * share
    return np.asarray(np.rint(blended).astype(np.uint8))


def _stamp(rgb: np.ndarray, mask: np.ndarray, x: int, y: int, colour: Colour) -> None:
    """Paint a square mask (S, S) of 0..1 with its middle at (x, y); what lies outside the image is cut off."""
    side = mask.shape[0]
    top, left = y - side // 2, x - side // 2
    rows = slice(max(top, 0), min(top + side, rgb.shape[0]))
    cols = slice(max(left, 0), min(left + side, rgb.shape[1]))
    if rows.start >= rows.stop or cols.start >= cols.stop:
        return
    part = mask[rows.start - top : rows.stop - top, cols.start - left : cols.stop - left, None]
    rgb[rows, cols] = np.rint(rgb[rows, cols] * (1 - part) + np.array(colour) * part).astype(np.uint8)


def _pick_other_stain(rng: np.random.Generator) -> Stain:
    background, red = _FIELD_COLOURS[int(rng.integers(len(_FIELD_COLOURS)))]
    return replace(STAINS["cream"], background=background, red_cell=red, platelet=_pick_colour(rng, _PURPLES[:5]))


def _draw_red_cells_only(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    return draw_field(
        int(rng.integers(2**31)),
        0,
        height_px,
        width_px,
        scale=float(rng.choice([0.25, 0.4, 0.6, 0.8, 1.0, 1.5])),
        stain=_pick_other_stain(rng),
        red_share=float(rng.uniform(0.15, 0.7)),
        n_platelets=int(rng.integers(0, 2)) * int(rng.integers(0, 12)),
    ).rgb


def _draw_platelets_only(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    return draw_field(
        int(rng.integers(2**31)),
        0,
        height_px,
        width_px,
        scale=float(rng.choice([0.4, 0.6, 1.0, 1.5])),
        stain=_pick_other_stain(rng),
        red_share=0.0,
        n_platelets=int(rng.integers(3, 40)),
    ).rgb


def _draw_blank(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    fixed = ((255, 255, 255), (0, 0, 0), (128, 128, 128), (252, 230, 206), (205, 207, 200), *_PURPLES)
    return _draw_plain(height_px, width_px, _pick_colour(rng, fixed))


def _draw_gradient(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    rows, cols = np.mgrid[0 : 1 : height_px * 1j, 0 : 1 : width_px * 1j].astype(np.float32)
    share = np.hypot(rows - 0.5, cols - 0.5) * 1.6 if rng.random() < 0.5 else (rows + cols) / 2
    return _mix_colours(share, _pick_colour(rng, _PURPLES), _random_colour(rng, 120))


def _draw_noise(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    kind = int(rng.integers(3))
    if kind == 0:
        return rng.integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)
    if kind == 1:
        return _mix_colours(
            0.5 + 0.3 * rng.normal(size=(height_px, width_px)), _pick_colour(rng, _PURPLES), (255, 235, 245)
        )
    gray = rng.integers(0, 256, (height_px, width_px, 1), dtype=np.uint8)
    return np.repeat(gray, 3, axis=2)


def _draw_purple_clouds(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    share = 0.5 + 0.35 * draw_cloud(rng, height_px, width_px, float(rng.uniform(12, 70)))
    return _add_camera_noise(rng, _mix_colours(share, _pick_colour(rng, _PURPLES), _random_colour(rng, 180)))


def _draw_text_page(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    ink = (20, 20, 30) if rng.random() < 0.5 else _pick_colour(rng, _PURPLES)
    rgb = _draw_plain(height_px, width_px, _random_colour(rng, 225))
    size = float(rng.uniform(0.35, 0.9))
    for y in range(round(30 * size), height_px, round(34 * size) + 2):
        line = " ".join(rng.choice(_WORDS, size=14))
        cv2.putText(rgb, line, (8, y), cv2.FONT_HERSHEY_SIMPLEX, size, ink, 1, cv2.LINE_AA)
    return _add_camera_noise(rng, rgb)


def _draw_landscape(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    rows = np.repeat(np.linspace(0, 1, height_px, dtype=np.float32)[:, None], width_px, axis=1)
    evening = rng.random() < 0.5
    rgb = (
        _mix_colours(rows * 1.4, (120, 90, 190), (250, 180, 160))
        if evening
        else _mix_colours(rows, (90, 150, 230), (225, 235, 250))
    )
    sun = (int(rng.integers(width_px)), int(height_px * rng.uniform(0.1, 0.4)))
    cv2.circle(rgb, sun, round(height_px * 0.07), (255, 240, 200), -1, cv2.LINE_AA)
    for depth in range(3):
        heights = height_px * (0.45 + 0.15 * depth) + height_px * 0.06 * draw_cloud(rng, 1, width_px, width_px / 6)[0]
        hill = [(0, height_px), *((x, round(float(y))) for x, y in enumerate(heights)), (width_px, height_px)]
        shade = (90 - 20 * depth, 60 - 10 * depth, 130 - 25 * depth) if evening else (70, 150 - 30 * depth, 60)
        cv2.fillPoly(rgb, [np.array(hill, np.int32)], shade, cv2.LINE_AA)
    return _add_camera_noise(rng, rgb)


def _draw_flower(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    meadow = 0.5 + 0.3 * draw_cloud(rng, height_px, width_px, 9)
    leaves = _mix_colours(meadow, (40, 90, 40), (120, 170, 80))
    rgb = leaves if rng.random() < 0.6 else _draw_plain(height_px, width_px, _random_colour(rng, 215))
    for _ in range(int(rng.integers(1, 6))):
        x, y = _pick_position(rng, height_px, width_px)
        size = height_px * rng.uniform(0.08, 0.3)
        petal, n_petals, turn = _pick_colour(rng, _PURPLES), int(rng.integers(5, 9)), float(rng.uniform(0, 360))
        for angle in turn + np.arange(n_petals) * 360 / n_petals:
            away = np.radians(angle)
            middle = (round(x + size * 0.6 * np.cos(away)), round(y + size * 0.6 * np.sin(away)))
            axes = (max(1, round(size * 0.5)), max(1, round(size * 0.25)))
            tint = np.clip(np.array(petal) + rng.integers(-20, 21), 0, 255)
            cv2.ellipse(rgb, middle, axes, float(angle), 0, 360, tuple(map(int, tint)), -1, cv2.LINE_AA)
        cv2.circle(rgb, (x, y), max(1, round(size * 0.22)), (240, 200, 60), -1, cv2.LINE_AA)
    return _add_camera_noise(rng, rgb)


def _draw_purple_blots(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    rgb = _draw_plain(height_px, width_px, _random_colour(rng, 235))
    for _ in range(int(rng.integers(1, 9))):
        x, y = _pick_position(rng, height_px, width_px)
        radius = float(height_px * rng.uniform(0.04, 0.22))
        mask = fill_outline(2 * round(radius * 2) + 1, draw_outline(rng, radius, 0.3, float(rng.uniform(1, 2))))
        _stamp(rgb, mask, x, y, _pick_colour(rng, _PURPLES))
    return _add_camera_noise(rng, rgb)


def _draw_tissue(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    """Draw tissue stained with haematoxylin and eosin: pink fibres, crowded violet nuclei, no plasma in between."""
    fibres = draw_cloud(rng, height_px, width_px, 5) * 0.25 + draw_cloud(rng, height_px, width_px, 40) * 0.25
    rgb = _mix_colours(0.5 + fibres, (205, 120, 170), (245, 200, 220))
    size = float(rng.uniform(4, 13))
    n_nuclei = round(height_px * width_px / (size**2 * rng.uniform(14, 40)))
    for _ in range(n_nuclei):
        x, y = _pick_position(rng, height_px, width_px)
        mask = fill_outline(2 * round(size * 2) + 1, draw_outline(rng, size, 0.1, float(rng.uniform(1, 2.2))))
        tint = np.clip(np.array((105, 60, 145)) + rng.integers(-25, 26), 0, 255)
        _stamp(rgb, mask * 0.85, x, y, (int(tint[0]), int(tint[1]), int(tint[2])))
    return _add_camera_noise(rng, rgb, 4)


def _draw_stripes(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    rows, cols = np.mgrid[0:height_px, 0:width_px]
    step = int(rng.integers(6, 50))
    down, across = (rows // step) % 2, (cols // step) % 2
    share = (down ^ across if rng.random() < 0.5 else 0.5 * down + 0.5 * across).astype(np.float32)
    return _add_camera_noise(rng, _mix_colours(share, _pick_colour(rng, _PURPLES), _random_colour(rng, 150)))


def _draw_balls(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    """Draw grapes, coins, beads: shaded discs on a surface that is not a slide."""
    rgb = _mix_colours(
        0.5 + 0.2 * draw_cloud(rng, height_px, width_px, 20), _random_colour(rng, 40), _random_colour(rng, 90)
    )
    colour = _pick_colour(rng, _PURPLES) if rng.random() < 0.7 else _random_colour(rng, 60)
    radius = max(6, round(height_px * rng.uniform(0.05, 0.16)))
    for _ in range(int(rng.integers(6, 30))):
        x, y = _pick_position(rng, height_px, width_px)
        cv2.circle(rgb, (x, y), radius, tuple(round(value * 0.6) for value in colour), -1, cv2.LINE_AA)
        cv2.circle(rgb, (x - radius // 8, y - radius // 8), round(radius * 0.8), colour, -1, cv2.LINE_AA)
        cv2.circle(rgb, (x - radius // 3, y - radius // 3), max(1, radius // 6), (245, 240, 250), -1, cv2.LINE_AA)
    return _add_camera_noise(rng, rgb)


def _draw_face(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    rgb = _draw_plain(height_px, width_px, _random_colour(rng, 90))
    x, y, size = width_px // 2, height_px // 2, round(height_px * rng.uniform(0.25, 0.4))
    skin = (225, 180, 160) if rng.random() < 0.7 else _pick_colour(rng, _PURPLES)
    cv2.ellipse(rgb, (x, y), (round(size * 0.8), size), 0, 0, 360, skin, -1, cv2.LINE_AA)
    for side in (-1, 1):
        eye = (x + side * size // 3, y - size // 4)
        cv2.ellipse(rgb, eye, (size // 6, size // 10), 0, 0, 360, (250, 250, 250), -1, cv2.LINE_AA)
        cv2.circle(rgb, eye, max(1, size // 14), (60, 40, 30), -1, cv2.LINE_AA)
    cv2.ellipse(rgb, (x, y + size // 3), (size // 3, size // 6), 0, 0, 180, (170, 60, 80), 3, cv2.LINE_AA)
    return _add_camera_noise(rng, rgb)


def _draw_chart(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    rgb = _draw_plain(height_px, width_px, (255, 255, 255))
    n_bars = int(rng.integers(4, 11))
    step = width_px // (n_bars + 1)
    for bar in range(n_bars):
        left, top = step // 2 + bar * step, round(height_px * rng.uniform(0.1, 0.8))
        cv2.rectangle(rgb, (left, top), (left + step * 2 // 3, height_px - 10), _pick_colour(rng, _PURPLES), -1)
    cv2.line(rgb, (4, height_px - 10), (width_px - 4, height_px - 10), (0, 0, 0), 1)
    return rgb


def _draw_night_sky(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    rgb = _mix_colours(0.3 + 0.25 * draw_cloud(rng, height_px, width_px, 60), (12, 8, 30), (90, 40, 130))
    for _ in range(int(rng.integers(30, 150))):
        cv2.circle(
            rgb, _pick_position(rng, height_px, width_px), int(rng.integers(1, 3)), (250, 245, 255), -1, cv2.LINE_AA
        )
    return _add_camera_noise(rng, rgb)


KINDS: Final[dict[str, tuple[Drawer, int]]] = {
    "red cells only": (_draw_red_cells_only, 50),
    "platelets only": (_draw_platelets_only, 20),
    "blank": (_draw_blank, 10),
    "gradient": (_draw_gradient, 10),
    "noise": (_draw_noise, 10),
    "purple clouds": (_draw_purple_clouds, 10),
    "text page": (_draw_text_page, 10),
    "landscape": (_draw_landscape, 15),
    "flower": (_draw_flower, 20),
    "purple blots": (_draw_purple_blots, 15),
    "tissue": (_draw_tissue, 20),
    "stripes": (_draw_stripes, 10),
    "balls": (_draw_balls, 15),
    "face": (_draw_face, 10),
    "chart": (_draw_chart, 5),
    "night sky": (_draw_night_sky, 5),
}
N_NON_SMEARS: Final = sum(count for _, count in KINDS.values())
