"""Crops that show no white cell of a known class, drawn to teach a model to say so."""

import cv2
import numpy as np

from bloodcell.imaging.crop import BACKGROUND_LEVEL


def draw_unknown(side_px: int, wide: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one crop that is no known cell.

    Parameters
    ----------
    side_px : int, side of the result
    wide : uint8 array of shape (S, S, 3), a real crop with its surroundings; some kinds are made from it
    rng : numpy Generator

    Returns
    -------
    uint8 array of shape (side_px, side_px, 3)
    """
    makers = (_noise, _clouds, _shapes, _stripes, _surroundings, _surroundings, _wrong_colours, _shuffled)
    return makers[rng.integers(len(makers))](side_px, wide, rng)


def _colour(rng: np.random.Generator) -> tuple[float, ...]:
    return tuple(float(level) for level in rng.uniform(0, 255, 3))


def _noise(side_px: int, wide: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    coarse = int(rng.integers(2, side_px))
    noise = np.array(_colour(rng)) + rng.normal(0, rng.uniform(5, 90), (coarse, coarse, 3))
    return _resize(np.clip(noise, 0, 255).astype(np.uint8), side_px, rng)


def _resize(small: np.ndarray, side_px: int, rng: np.random.Generator) -> np.ndarray:
    how = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC)[rng.integers(3)]
    return cv2.resize(small, (side_px, side_px), interpolation=how)


def _clouds(side_px: int, wide: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Smooth colour fields in several scales, as out-of-focus photographs have."""
    total = np.zeros((side_px, side_px, 3), np.float32)
    for cells in (2, 4, 8, 16, 32):
        layer = rng.normal(0, 1, (cells, cells, 3)).astype(np.float32)
        smooth = cv2.resize(layer, (side_px, side_px), interpolation=cv2.INTER_CUBIC)
        total += np.asarray(smooth, np.float32) / cells ** rng.uniform(0.2, 1)
    tint = np.array(_colour(rng))
    return np.clip(tint + total * rng.uniform(20, 90), 0, 255).astype(np.uint8)


def _shapes(side_px: int, wide: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    picture = np.full((side_px, side_px, 3), _colour(rng), np.uint8)
    if rng.random() < 0.5:
        picture[:] = BACKGROUND_LEVEL
    for _ in range(rng.integers(1, 9)):
        centre = tuple(int(at) for at in rng.integers(0, side_px, 2))
        axes = tuple(int(at) for at in rng.integers(2, side_px // 2, 2))
        if rng.random() < 0.5:
            cv2.ellipse(picture, centre, axes, rng.uniform(0, 180), 0, 360, _colour(rng), -1, cv2.LINE_AA)
        else:
            corner = (centre[0] + axes[0], centre[1] + axes[1])
            cv2.rectangle(picture, centre, corner, _colour(rng), int(rng.choice([-1, 1, 2])))
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 2.5))


def _stripes(side_px: int, wide: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    rows, cols = np.mgrid[:side_px, :side_px]
    angle, period = rng.uniform(0, np.pi), rng.uniform(3, side_px)
    wave = np.sin((rows * np.cos(angle) + cols * np.sin(angle)) * 2 * np.pi / period)[..., None]
    if rng.random() < 0.5:
        wave = np.sign(wave)
    mean, swing = np.array(_colour(rng)), np.array(_colour(rng)) / 2
    return np.clip(mean + wave * swing, 0, 255).astype(np.uint8)


def _surroundings(side_px: int, wide: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A corner of the wide crop, zoomed: red cells and background beside the white cell."""
    part = max(8, int(wide.shape[0] * rng.uniform(0.14, 0.24)))
    far = wide.shape[0] - part
    top, left = (far * int(rng.integers(2)), far * int(rng.integers(2)))
    corner = wide[top : top + part, left : left + part]
    return cv2.resize(corner, (side_px, side_px), interpolation=cv2.INTER_LINEAR)


def _middle(side_px: int, wide: np.ndarray) -> np.ndarray:
    start = (wide.shape[0] - side_px) // 2
    return wide[start : start + side_px, start : start + side_px]


def _wrong_colours(side_px: int, wide: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A cell under a stain that no laboratory uses: channels swapped, inverted or grey."""
    cell = _middle(side_px, wide)
    kind = rng.integers(4)
    if kind == 0:
        return np.ascontiguousarray(255 - cell)
    if kind == 1:
        return np.repeat(cv2.cvtColor(cell, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    orders = ([1, 0, 2], [1, 2, 0], [0, 2, 1], [2, 0, 1])
    return np.ascontiguousarray(cell[..., orders[rng.integers(len(orders))]])


def _shuffled(side_px: int, wide: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The colours of a cell without its form: tiles in random order."""
    cell = _middle(side_px, wide)
    tiles = int(rng.choice([3, 4, 6, 8]))
    size = side_px // tiles
    out = np.full_like(cell, BACKGROUND_LEVEL)
    for place, taken in enumerate(rng.permutation(tiles * tiles)):
        row, col = divmod(place, tiles)
        from_row, from_col = divmod(int(taken), tiles)
        out[row * size : (row + 1) * size, col * size : (col + 1) * size] = cell[
            from_row * size : (from_row + 1) * size, from_col * size : (from_col + 1) * size
        ]
    return out
