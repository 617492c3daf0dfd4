"""Cut tiles out of fields and vary them as microscopes, stains and cameras do; the boxes go along."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from bloodcell.core.labels import DETECTED
from bloodcell.synthetic.hard_negatives import draw_hard_negative
from bloodcell.training.samples.field_samples import Field
from bloodcell.training.specs.detector_spec import DetectorSpec

MIN_VISIBLE_SHARE: Final = 0.3  # of a cell; what shows less of it counts as background
MIN_SIDE_PX: Final = 4.0
_INSIDE_CHANCE: Final = 0.75  # of a tile that leaves the field no farther than it must
_NEGATIVE_CHANCE: Final = 0.05  # of a drawn image of something else
_TURN_CHANCE: Final = 0.25  # of any angle; else a multiple of 90 degrees
_NEIGHBOUR_CHANCE: Final = 0.2  # a second field beside the first, as in a stitched image
_GRAY_CHANCE: Final = 0.08
_BAR_CHANCE: Final = 0.15
_DISC_CHANCE: Final = 0.08
_BLUR_CHANCE: Final = 0.3
_NOISE_CHANCE: Final = 0.2
_JPEG_CHANCE: Final = 0.3
_REPLICATE_CHANCE: Final = (
    0.15  # of an edge that goes on as it ends, in place of one colour; mirroring would repeat cells
)


@dataclass(frozen=True)
class Tile:
    """A square piece of a field.

    Attributes
    ----------
    rgb : ndarray of uint8, shape (tile_px, tile_px, 3)
    boxes : ndarray of float32, shape (N, 4)
        Top, left, bottom and right in its pixels, cut to it.
    class_index : ndarray of int64, shape (N,)
    """

    rgb: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float32]
    class_index: npt.NDArray[np.int64]


def draw_tile(fields: list[Field], spec: DetectorSpec, rng: np.random.Generator) -> Tile:
    """Draw one varied tile.

    A source is drawn by its weight, a class at random, then a field that shows it, and the tile lies around one of its
    cells: so white cells and platelets are seen as often as red cells.
    """
    if rng.random() < _NEGATIVE_CHANCE:
        blank = np.full((2 * spec.tile_px, 2 * spec.tile_px, 3), rng.integers(0, 256, 3), np.uint8)
        negative = draw_hard_negative(spec.tile_px, blank, rng)
        return Tile(negative, np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    tile = _cut(_draw_field(fields, spec, rng), spec, rng)
    if rng.random() < _NEIGHBOUR_CHANCE:
        tile = _join(tile, _cut(_draw_field(fields, spec, rng), spec, rng), rng)
    if rng.random() < _DISC_CHANCE:
        tile = _draw_eyepiece(tile, rng)
    return Tile(_vary(tile.rgb, spec.stain, rng), tile.boxes, tile.class_index)


def resize_field(field: Field, red_cell_px: float) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Resize a whole field so that its red cells have this diameter; return its pixels and boxes."""
    factor = red_cell_px / field.red_cell_px
    height, width = field.rgb.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    rgb = cv2.resize(field.rgb, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    boxes = field.boxes * np.array([size[1] / height, size[0] / width] * 2, np.float32)
    return np.asarray(rgb, np.uint8), boxes


def _draw_field(fields: list[Field], spec: DetectorSpec, rng: np.random.Generator) -> tuple[Field, int]:
    """Draw a field and one of its boxes (-1 where it has none)."""
    present = np.array([any(field.source == number for field in fields) for number in range(len(spec.box_sources))])
    weights = np.where(present, [source.weight for source in spec.box_sources], 0.0)
    source = int(rng.choice(len(weights), p=weights / weights.sum()))
    own = [field for field in fields if field.source == source]
    for class_index in rng.permutation(len(DETECTED)):
        showing = [field for field in own if (field.class_index == class_index).any()]
        if showing:
            field = showing[int(rng.integers(len(showing)))]
            return field, int(rng.choice(np.flatnonzero(field.class_index == class_index)))
    return own[int(rng.integers(len(own)))], -1


def _cut(drawn: tuple[Field, int], spec: DetectorSpec, rng: np.random.Generator) -> Tile:
    field, number = drawn
    zoom = np.exp(rng.uniform(-spec.zoom, spec.zoom)) * spec.red_cell_px / field.red_cell_px
    stretch = np.exp(rng.uniform(-0.06, 0.06))
    angle = rng.uniform(0, 2 * np.pi) if rng.random() < _TURN_CHANCE else rng.integers(2) * np.pi / 2
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    flips = np.diag(rng.choice([-1.0, 1.0], 2))
    matrix = flips @ turn @ np.diag([zoom * stretch, zoom / stretch])  # on (row, column)
    half = spec.tile_px / 2
    if number >= 0:
        box = field.boxes[number]
        centre = np.array([box[0] + box[2], box[1] + box[3]]) / 2
        centre = centre + np.linalg.inv(matrix) @ rng.uniform(-0.8 * half, 0.8 * half, 2)
    else:
        centre = rng.uniform(0, 1, 2) * field.rgb.shape[:2]
    if rng.random() < _INSIDE_CHANCE:
        centre = _move_inside(centre, matrix, field.rgb.shape, half)
    edge = cv2.BORDER_REPLICATE if rng.random() < _REPLICATE_CHANCE else cv2.BORDER_CONSTANT
    level = rng.choice([0.0, 255.0, rng.uniform(0, 255)])
    colour = (
        (level,) * 3 if rng.random() < 0.6 else tuple(float(np.percentile(field.rgb[..., c], 80)) for c in range(3))
    )
    return _warp(field, matrix, centre, spec.tile_px, edge, colour)


def _move_inside(centre: np.ndarray, matrix: np.ndarray, shape: tuple[int, ...], half_px: float) -> np.ndarray:
    """Move the middle of a tile so that the tile lies in the field, or the field in the tile."""
    sides = np.array(shape[:2])
    reach = np.abs(np.linalg.inv(matrix)) @ np.array([half_px, half_px])
    return np.asarray(np.clip(centre, np.minimum(reach, sides - reach), np.maximum(reach, sides - reach)))


def _warp(
    field: Field, matrix: np.ndarray, centre: np.ndarray, side_px: int, edge: int, colour: tuple[float, ...]
) -> Tile:
    """Map a field into a tile: `matrix` acts on (row, column), `centre` comes to the middle."""
    offset = np.array([side_px, side_px]) / 2 - matrix @ centre
    # Positions are edges of pixels here and their middles in OpenCV.
    shift = matrix @ np.array([0.5, 0.5]) + offset - 0.5
    in_xy = np.array([[matrix[1, 1], matrix[1, 0], shift[1]], [matrix[0, 1], matrix[0, 0], shift[0]]])
    shrinks = abs(np.linalg.det(matrix)) < 0.6
    source = cv2.GaussianBlur(field.rgb, (0, 0), 0.6) if shrinks else field.rgb
    rgb = cv2.warpAffine(source, in_xy, (side_px, side_px), flags=cv2.INTER_LINEAR, borderMode=edge, borderValue=colour)
    ends = field.boxes.reshape(-1, 2, 2).astype(np.float64)  # (N, first and last, row and column)
    middles = ends.mean(axis=1) @ matrix.T + offset
    # Cells are round: what is turned is the ellipse in the box, not its corners.
    halves = np.sqrt(((ends[:, 1] - ends[:, 0]) / 2) ** 2 @ (matrix**2).T)
    boxes = np.concatenate([middles - halves, middles + halves], axis=1)
    return _keep_visible(np.asarray(rgb, np.uint8), boxes, field.class_index)


def _keep_visible(rgb: npt.NDArray[np.uint8], boxes: np.ndarray, class_index: np.ndarray) -> Tile:
    height, width = rgb.shape[:2]
    cut = np.clip(boxes, 0, [height, width, height, width])
    visible = _mark_visible(cut, boxes)
    return Tile(rgb, cut[visible].astype(np.float32), class_index[visible])


def _mark_visible(cut: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Mark the boxes of which enough is left after they were cut."""
    sides, whole_sides = cut[:, 2:] - cut[:, :2], whole[:, 2:] - whole[:, :2]
    share = sides.prod(axis=1) / np.maximum(whole_sides.prod(axis=1), 1e-6)
    return np.asarray((share >= MIN_VISIBLE_SHARE) & (sides.min(axis=1, initial=np.inf) >= MIN_SIDE_PX))


def _join(left: Tile, right: Tile, rng: np.random.Generator) -> Tile:
    """Put two tiles side by side, or one above the other, as stitching does."""
    side = left.rgb.shape[0]
    seam = int(rng.uniform(0.25, 0.75) * side)
    axis = int(rng.integers(2))
    rgb = left.rgb.copy()
    rgb[(slice(None),) * axis + (slice(seam, None),)] = right.rgb[(slice(None),) * axis + (slice(seam, None),)]
    parts = []
    for tile, low, high in ((left, 0, seam), (right, seam, side)):
        cut = tile.boxes.copy()
        cut[:, [axis, axis + 2]] = np.clip(cut[:, [axis, axis + 2]], low, high)
        keep = _mark_visible(cut, tile.boxes)
        parts.append((cut[keep], tile.class_index[keep]))
    boxes, classes = zip(*parts, strict=True)
    return Tile(rgb, np.concatenate(boxes), np.concatenate(classes))


def _vary(rgb: npt.NDArray[np.uint8], strength: float, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Vary stain, lamp, focus, noise and compression, and lay over it what camera software adds."""
    image: np.ndarray = _vary_stain(rgb, strength, rng) if strength > 0 else rgb
    if rng.random() < _GRAY_CHANCE:
        image = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    if rng.random() < _BLUR_CHANCE:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.6))
    if rng.random() < _NOISE_CHANCE:
        image = np.clip(image + rng.normal(0, rng.uniform(2, 10), image.shape), 0, 255).astype(np.uint8)
    if rng.random() < _BAR_CHANCE:
        image = _draw_scale_bar(image.copy(), rng)
    if rng.random() < _JPEG_CHANCE:
        quality = int(rng.integers(30, 90))
        encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
    return np.asarray(image, np.uint8)


def _vary_stain(rgb: npt.NDArray[np.uint8], strength: float, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Change each channel's optical density and lamp, mix the channels a little, then the exposure of all."""
    density = np.exp(rng.normal(0, strength) + rng.normal(0, 0.7 * strength, 3))
    lamp = 255 * np.exp(-np.abs(rng.normal(0, 0.3 * strength, 3)))
    levels = (np.arange(256, dtype=np.float32)[:, None] + 1) / 256
    table = np.power(levels, density[None]) * lamp[None] * np.exp(rng.uniform(-0.55, 0.3) * min(1.0, 3 * strength))
    image = cv2.LUT(rgb, np.clip(table, 0, 255).astype(np.uint8)[None])
    mixing = np.eye(3) + rng.normal(0, 0.25 * strength, (3, 3))
    mixing /= mixing.sum(axis=1, keepdims=True)
    return np.asarray(cv2.transform(image, mixing.astype(np.float32)), np.uint8)


def _draw_scale_bar(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    side = image.shape[0]
    colour = tuple(int(level) for level in rng.choice([0, 255, int(rng.integers(256))], 3))
    thick, length = int(rng.integers(2, 9)), int(rng.uniform(0.15, 0.6) * side)
    top, left = (int(place) for place in rng.integers(0, side - thick, 2))
    cv2.rectangle(image, (left, top), (left + length, top + thick), colour, -1)
    if rng.random() < 0.6:
        place = (left, max(10, top - 4))
        cv2.putText(
            image, f"{rng.integers(1, 100)} um", place, cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(0.3, 0.7), colour, 1
        )
    return image


def _draw_eyepiece(tile: Tile, rng: np.random.Generator) -> Tile:
    """Blacken what lies outside a large circle that passes through the tile near its edge; cells there are gone."""
    side = tile.rgb.shape[0]
    radius = rng.uniform(0.8, 3.0) * side
    angle = rng.uniform(0, 2 * np.pi)
    reach = radius - rng.uniform(0.3, 0.5) * side
    middle = side / 2 - reach * np.array([np.sin(angle), np.cos(angle)])
    rows, cols = np.ogrid[:side, :side]
    rgb = tile.rgb.copy()
    rgb[(rows - middle[0]) ** 2 + (cols - middle[1]) ** 2 > radius**2] = int(rng.integers(0, 20))
    centres = (tile.boxes[:, :2] + tile.boxes[:, 2:]) / 2
    is_seen = ((centres - middle) ** 2).sum(axis=1) <= radius**2
    return Tile(rgb, tile.boxes[is_seen], tile.class_index[is_seen])
