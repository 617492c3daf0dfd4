"""Draw hard negatives: crops that show no white cell of a known class, for training a model to recognise that."""

import cv2
import numpy as np

from bloodcell.imaging.crop import BACKGROUND_LEVEL, crop_middle


def draw_hard_negative(side_px: int, wide: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one crop that is not a known cell.

    Parameters
    ----------
    side_px : int
        Side of the result.
    wide : ndarray of uint8, shape (S, S, 3)
        A real crop with its surroundings; some kinds are made from it.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of uint8, shape (side_px, side_px, 3)
    """
    drawers = (
        _draw_noise,
        _draw_clouds,
        _draw_shapes,
        _draw_stripes,
        _cut_surroundings,
        _change_colours,
        _shuffle_tiles,
        _draw_blots,
        _draw_tissue,
        _draw_glow,
    )
    chances = (1, 1, 1, 1, 5, 1, 1, 4, 2, 1)
    return drawers[rng.choice(len(drawers), p=np.array(chances) / sum(chances))](side_px, wide, rng)


def _draw_colour(rng: np.random.Generator) -> tuple[float, ...]:
    return tuple(float(level) for level in rng.uniform(0, 255, 3))


def _draw_noise(side_px: int, _wide: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    coarse = int(rng.integers(2, side_px))
    noise = np.array(_draw_colour(rng)) + rng.normal(0, rng.uniform(5, 90), (coarse, coarse, 3))
    return _resize(np.clip(noise, 0, 255).astype(np.uint8), side_px, rng)


def _resize(small: np.ndarray, side_px: int, rng: np.random.Generator) -> np.ndarray:
    interpolation = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC)[rng.integers(3)]
    return cv2.resize(small, (side_px, side_px), interpolation=interpolation)


def _draw_clouds(side_px: int, _wide: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw smooth colour fields at several scales, as in out-of-focus photographs."""
    total = np.zeros((side_px, side_px, 3), np.float32)
    for cells in (2, 4, 8, 16, 32):
        layer = rng.normal(0, 1, (cells, cells, 3)).astype(np.float32)
        smooth = cv2.resize(layer, (side_px, side_px), interpolation=cv2.INTER_CUBIC)
        total += np.asarray(smooth, np.float32) / cells ** rng.uniform(0.2, 1)
    tint = np.array(_draw_colour(rng))
    return np.asarray(np.clip(tint + total * rng.uniform(20, 90), 0, 255).astype(np.uint8))


def _draw_shapes(side_px: int, _wide: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    image = np.full((side_px, side_px, 3), _draw_colour(rng), np.uint8)
    if rng.random() < 0.5:
        image[:] = BACKGROUND_LEVEL
    for _ in range(rng.integers(1, 9)):
        centre = tuple(int(value) for value in rng.integers(0, side_px, 2))
        axes = tuple(int(value) for value in rng.integers(2, side_px // 2, 2))
        if rng.random() < 0.5:
            cv2.ellipse(image, centre, axes, rng.uniform(0, 180), 0, 360, _draw_colour(rng), -1, cv2.LINE_AA)
        else:
            corner = (centre[0] + axes[0], centre[1] + axes[1])
            cv2.rectangle(image, centre, corner, _draw_colour(rng), int(rng.choice([-1, 1, 2])))
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 2.5))


def _draw_stripes(side_px: int, _wide: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    rows, cols = np.mgrid[:side_px, :side_px]
    angle, period = rng.uniform(0, np.pi), rng.uniform(3, side_px)
    wave = np.sin((rows * np.cos(angle) + cols * np.sin(angle)) * 2 * np.pi / period)[..., None]
    if rng.random() < 0.5:
        wave = np.sign(wave)
    mean, swing = np.array(_draw_colour(rng)), np.array(_draw_colour(rng)) / 2
    return np.asarray(np.clip(mean + wave * swing, 0, 255).astype(np.uint8))


def _cut_surroundings(side_px: int, wide: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut a piece from the edge of the wide crop, zoomed and rotated: red cells, platelets and background."""
    part = max(8, int(wide.shape[0] * rng.uniform(0.12, 0.26)))
    far = wide.shape[0] - part
    along = int(rng.integers(0, far + 1))
    start = far * int(rng.integers(2))
    piece = wide[start : start + part, along : along + part]
    if rng.random() < 0.5:
        piece = wide[along : along + part, start : start + part]
    turned = np.ascontiguousarray(np.rot90(piece, int(rng.integers(4))))
    return cv2.resize(turned, (side_px, side_px), interpolation=cv2.INTER_LINEAR)


def _sample_stain_colours(wide: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Sample the colours of a real cell, slightly changed: float array (n, 3)."""
    side = wide.shape[0]
    rows, cols = rng.integers(side // 3, side - side // 3, (2, n))
    return np.asarray(np.clip(wide[rows, cols] + rng.normal(0, 18, (n, 3)), 0, 255))


def _draw_blot(centre: np.ndarray, radius: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a closed wavy curve: a blot, a flower, a pebble; int32 points (P, 2)."""
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    reach = np.ones_like(angle)
    for waves in range(2, 9):
        reach += rng.normal(0, 0.5 / waves) * np.sin(waves * angle + rng.uniform(0, 2 * np.pi))
    if rng.random() < 0.35:
        reach *= 0.6 + 0.4 * np.abs(np.sin(rng.integers(2, 6) * angle))
    stretch = rng.uniform(0.45, 1.0)
    points = np.column_stack([np.cos(angle), stretch * np.sin(angle)]) * (radius * np.maximum(reach, 0.1))[:, None]
    return np.round(centre + points).astype(np.int32)


def _draw_blots(side_px: int, wide: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw flat blots and flowers in a cell's colours, without its structure."""
    colours = _sample_stain_colours(wide, 8, rng)
    ground = np.full(3, BACKGROUND_LEVEL) if rng.random() < 0.7 else np.array(_draw_colour(rng))
    image = np.full((side_px, side_px, 3), ground, np.float32)
    middle = side_px / 2 + rng.normal(0, side_px / 20, 2)
    for number in range(int(rng.integers(1, 5))):
        centre = middle if number == 0 else rng.uniform(0, side_px, 2)
        blot = _draw_blot(centre, side_px * rng.uniform(0.15, 0.42), rng)
        cv2.fillPoly(image, [blot], tuple(float(level) for level in colours[number]), cv2.LINE_AA)
    grain = rng.normal(0, rng.uniform(0, 6), image.shape)
    soft = cv2.GaussianBlur((image + grain).astype(np.float32), (0, 0), rng.uniform(0.3, 1.6))
    return np.clip(soft, 0, 255).astype(np.uint8)


def _draw_tissue(side_px: int, wide: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw many small nuclei on a mottled background, in a cell's colours."""
    colours = _sample_stain_colours(wide, 6, rng)
    coarse = int(rng.integers(4, max(6, side_px // 2)))
    mottled = colours[0] + rng.normal(0, rng.uniform(4, 30), (coarse, coarse, 3))
    image = np.clip(cv2.resize(mottled.astype(np.float32), (side_px, side_px)), 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(4, 40))):
        centre = tuple(int(value) for value in rng.integers(0, side_px, 2))
        axes = tuple(int(value) for value in rng.integers(1, max(3, side_px // 8), 2))
        colour = tuple(float(level) for level in colours[rng.integers(1, 6)])
        cv2.ellipse(image, centre, axes, rng.uniform(0, 180), 0, 360, colour, -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.5)))


def _draw_glow(side_px: int, wide: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one colour that fades into another, from a point or along a line."""
    first, second = _sample_stain_colours(wide, 2, rng)
    rows, cols = np.mgrid[:side_px, :side_px] / side_px
    if rng.random() < 0.5:
        way = np.hypot(rows - rng.uniform(0.3, 0.7), cols - rng.uniform(0.3, 0.7)) * rng.uniform(1, 3)
    else:
        way = rows * rng.uniform(-1, 1) + cols * rng.uniform(-1, 1)
    share = np.clip(way, 0, 1)[..., None]
    return np.asarray(np.clip(first * (1 - share) + second * share, 0, 255).astype(np.uint8))


def _change_colours(side_px: int, wide: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Recolour a cell as no laboratory stains it: channels swapped, inverted or grey."""
    cell = crop_middle(wide, side_px, side_px)
    kind = rng.integers(4)
    if kind == 0:
        return np.ascontiguousarray(255 - cell)
    if kind == 1:
        return np.repeat(cv2.cvtColor(cell, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    orders = ([1, 0, 2], [1, 2, 0], [0, 2, 1], [2, 0, 1])
    return np.ascontiguousarray(cell[..., orders[rng.integers(len(orders))]])


def _shuffle_tiles(side_px: int, wide: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Show the colours of a cell without its shape: tiles in random order."""
    cell = crop_middle(wide, side_px, side_px)
    tiles = int(rng.choice([3, 4, 6, 8]))
    size = side_px // tiles
    shuffled = np.full_like(cell, BACKGROUND_LEVEL)
    for place, source in enumerate(rng.permutation(tiles * tiles)):
        row, col = divmod(place, tiles)
        from_row, from_col = divmod(int(source), tiles)
        shuffled[row * size : (row + 1) * size, col * size : (col + 1) * size] = cell[
            from_row * size : (from_row + 1) * size, from_col * size : (from_col + 1) * size
        ]
    return shuffled
