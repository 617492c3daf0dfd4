"""Augment crops and images of cells as microscopes, stains and slides vary: rotation, shift, zoom, stain, focus, noise."""

from dataclasses import dataclass
from typing import ClassVar, Final, Literal, get_args

import cv2
import numpy as np

from bloodcell.core.spec import Spec, require_range
from bloodcell.imaging.crop import BACKGROUND_LEVEL

BACKGROUND: Final = "background"
REFLECT: Final = "reflect"
Fill = Literal["background", "reflect"]
FILLS: Final = get_args(Fill)


@dataclass(frozen=True)
class Augmentation(Spec):
    """How strong augmentation may be; what is 0 or false is left out.

    Attributes
    ----------
    zoom : float, default 0.18
        Largest change of size (log scale, uniform).
    shift : float, default 0.06
        Largest shift, as a share of the side, 0 to 0.5.
    stain : float, default 0.15
        Standard deviation of the stain strength per channel (log scale).
    mixing : float, default 0.03
        Standard deviation of how much the channels mix into each other.
    blur : float, default 0.3
        Probability of a blurred crop; that of a noisy crop is half of it.
    cut : float, default 0.25
        Probability that the image ends beside the cell.
    turn_deg : float, default 180.0
        Largest rotation, uniform in both directions; 180 for any.
    mirror : bool, default True
        Whether half of the crops are flipped.
    light : float, default 4.0
        Standard deviation of the brightness of the lamp per channel, in levels.
    contrast : float, default 0.0
        Largest change of contrast about the mean level (log scale, uniform).
    fill : {"background", "reflect"}, default "background"
        What fills the corners that rotation leaves empty: clear glass, or the image mirrored at its edge, as Keras'
        layers do.
    """

    zoom: float = 0.18
    shift: float = 0.06
    stain: float = 0.15
    mixing: float = 0.03
    blur: float = 0.3
    cut: float = 0.25
    turn_deg: float = 180.0
    mirror: bool = True
    light: float = 4.0
    contrast: float = 0.0
    fill: Fill = BACKGROUND

    NOUN: ClassVar[str] = "augmentation"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range(self, 0, 1, "zoom", "stain", "contrast")
        require_range(self, 0, 0.5, "shift", "mixing")
        require_range(self, 0, 0.6, "blur", "cut")
        require_range(self, 0, 60, "light")
        require_range(self, 0, 180, "turn_deg")


NO_AUGMENTATION = Augmentation(0, 0, 0, 0, 0, 0, turn_deg=0, mirror=False, light=0)


def augment_crop(
    wide: np.ndarray, height_px: int, width_px: int, augmentation: Augmentation, rng: np.random.Generator
) -> np.ndarray:
    """Draw one augmented crop of a cell.

    Parameters
    ----------
    wide : ndarray of uint8, shape (H, W, 3)
        A crop whose pixels have the size they shall have in the result. It is best larger than the result, so that
        rotation leaves no empty corners, and balanced to `BACKGROUND_LEVEL`.
    height_px, width_px : int
        Sides of the result.
    augmentation : Augmentation
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of uint8, shape (height_px, width_px, 3)
    """
    augmented = _turn(wide, height_px, width_px, augmentation, rng)
    if augmentation.stain > 0 or augmentation.light > 0:
        table = build_stain_table(rng.normal(0, augmentation.stain, 3), rng.normal(0, augmentation.light, 3))
        augmented = cv2.LUT(augmented, table)
    if augmentation.contrast > 0:
        augmented = _change_contrast(augmented, np.exp(rng.uniform(-augmentation.contrast, augmentation.contrast)))
    if augmentation.mixing > 0:
        mixing = np.eye(3) + rng.normal(0, augmentation.mixing, (3, 3))
        mixing /= mixing.sum(axis=1, keepdims=True)  # white stays white
        augmented = cv2.transform(augmented, mixing.astype(np.float32))
    chance = rng.random()
    if chance < augmentation.blur:
        augmented = cv2.GaussianBlur(augmented, (0, 0), rng.uniform(0.4, 1.3))
    elif chance < 1.5 * augmentation.blur:
        noise = rng.normal(0, rng.uniform(2, 7), augmented.shape)
        augmented = np.clip(augmented + noise, 0, 255).astype(np.uint8)
    if rng.random() < augmentation.cut:
        augmented = _end_image(augmented, rng)
    return augmented


def _change_contrast(crop: np.ndarray, factor: float) -> np.ndarray:
    """Stretch the levels about their mean, as Keras' RandomContrast does."""
    mean = float(crop.mean())
    levels = (np.arange(256) - mean) * factor + mean
    return cv2.LUT(crop, np.clip(levels + 0.5, 0, 255).astype(np.uint8))


def _end_image(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fill one or two sides, at most a quarter of the crop deep, as `crop_cell` does where an image ends."""
    for _ in range(rng.integers(1, 3)):
        depth = int(rng.integers(1, min(crop.shape[:2]) // 4))
        crop = np.ascontiguousarray(np.rot90(crop, turns := int(rng.integers(4)))).copy()
        crop[:depth] = BACKGROUND_LEVEL
        crop = np.rot90(crop, -turns)
    return np.ascontiguousarray(crop)


def _turn(
    wide: np.ndarray, height_px: int, width_px: int, augmentation: Augmentation, rng: np.random.Generator
) -> np.ndarray:
    angle = np.deg2rad(rng.uniform(-augmentation.turn_deg, augmentation.turn_deg))
    size = np.exp(rng.uniform(-augmentation.zoom, augmentation.zoom))
    cos, sin = size * np.cos(angle), size * np.sin(angle)
    mirror = -1.0 if augmentation.mirror and rng.random() < 0.5 else 1.0
    turn = np.array([[mirror * cos, -sin], [mirror * sin, cos]])
    sides = np.array([width_px, height_px])
    shift = rng.uniform(-augmentation.shift, augmentation.shift, 2) * sides
    middle = (np.array([wide.shape[1], wide.shape[0]]) - 1) / 2
    offset = (sides - 1) / 2 + shift - turn @ middle
    border = cv2.BORDER_REFLECT_101 if augmentation.fill == REFLECT else cv2.BORDER_CONSTANT
    return cv2.warpAffine(
        wide,
        np.column_stack([turn, offset]),
        (width_px, height_px),
        flags=cv2.INTER_LINEAR,
        borderMode=border,
        borderValue=(float(BACKGROUND_LEVEL),) * 3,
    )


def build_stain_table(strength: np.ndarray, lamp: np.ndarray) -> np.ndarray:
    """Build a look-up table that strengthens or weakens the stain of each channel and changes the lamp.

    Parameters
    ----------
    strength : ndarray of float, shape (3,)
        Logarithm of the factor on the optical density; 0 changes nothing.
    lamp : ndarray of float, shape (3,)
        Levels added to the background.

    Returns
    -------
    ndarray of uint8, shape (1, 256, 3)
        For cv2.LUT.
    """
    levels = np.arange(256, dtype=np.float32)[:, None] / BACKGROUND_LEVEL
    stained = np.power(levels, np.exp(strength)[None]) * (BACKGROUND_LEVEL + lamp)[None]
    return np.asarray(np.clip(stained + 0.5, 0, 255).astype(np.uint8)[None])
