"""Vary crops of cells as microscopes, stains and slides do: turn, mirror, shift, zoom, stain, focus, noise."""

from dataclasses import dataclass

import cv2
import numpy as np

from bloodcell.imaging.crop import BACKGROUND_LEVEL


@dataclass(frozen=True)
class Variation:
    """How far augmentation may go.

    zoom : largest change of size (log scale, uniform)
    shift : largest shift, as a share of the crop's side
    stain : standard deviation of the stain strength per channel (log scale)
    mixing : standard deviation of the channels' mixing into each other
    blur : chance of a blurred crop
    cut : chance that the picture ends beside the cell
    """

    zoom: float = 0.18
    shift: float = 0.06
    stain: float = 0.15
    mixing: float = 0.03
    blur: float = 0.3
    cut: float = 0.25


def vary_crop(wide: np.ndarray, side_px: int, variation: Variation, rng: np.random.Generator) -> np.ndarray:
    """Draw one variation of a cell.

    Parameters
    ----------
    wide : uint8 array of shape (S, S, 3), balanced to `BACKGROUND_LEVEL`, S larger than `side_px` so that turning
        leaves no empty corners; pixels have the size they shall have in the result
    side_px : int, side of the result
    variation : Variation
    rng : numpy Generator

    Returns
    -------
    uint8 array of shape (side_px, side_px, 3)
    """
    turned = _turn(wide, side_px, variation, rng)
    stained = cv2.LUT(turned, stain_table(rng.normal(0, variation.stain, 3), rng.normal(0, 4, 3)))
    if variation.mixing > 0:
        mixing = np.eye(3) + rng.normal(0, variation.mixing, (3, 3))
        mixing /= mixing.sum(axis=1, keepdims=True)  # white stays white
        stained = cv2.transform(stained, mixing.astype(np.float32))
    chance = rng.random()
    if chance < variation.blur:
        stained = cv2.GaussianBlur(stained, (0, 0), rng.uniform(0.4, 1.3))
    elif chance < 1.5 * variation.blur:
        noise = rng.normal(0, rng.uniform(2, 7), stained.shape)
        stained = np.clip(stained + noise, 0, 255).astype(np.uint8)
    if rng.random() < variation.cut:
        stained = _end_picture(stained, rng)
    return stained


def _end_picture(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fill one or two sides as `crop_cell` does where a picture ends, at most a quarter of the crop deep."""
    side_px = crop.shape[0]
    for _ in range(rng.integers(1, 3)):
        depth = int(rng.integers(1, side_px // 4))
        crop = np.rot90(crop, int(rng.integers(4))).copy()
        crop[:depth] = BACKGROUND_LEVEL
    return crop


def _turn(wide: np.ndarray, side_px: int, variation: Variation, rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    size = np.exp(rng.uniform(-variation.zoom, variation.zoom))
    cos, sin = size * np.cos(angle), size * np.sin(angle)
    mirror = 1.0 if rng.random() < 0.5 else -1.0
    turn = np.array([[mirror * cos, -sin], [mirror * sin, cos]])
    shift = rng.uniform(-variation.shift, variation.shift, 2) * side_px
    middle = (wide.shape[0] - 1) / 2
    offset = (side_px - 1) / 2 + shift - turn @ np.array([middle, middle])
    matrix = np.column_stack([turn, offset])
    fill = (float(BACKGROUND_LEVEL),) * 3
    return cv2.warpAffine(
        wide, matrix, (side_px, side_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=fill
    )


def stain_table(strength: np.ndarray, lamp: np.ndarray) -> np.ndarray:
    """Look-up table that stains stronger or weaker per channel and changes the lamp.

    Parameters
    ----------
    strength : float array of shape (3,), log of the factor on the optical density; 0 changes nothing
    lamp : float array of shape (3,), levels added to the background

    Returns
    -------
    uint8 array of shape (1, 256, 3), for cv2.LUT
    """
    levels = np.arange(256, dtype=np.float32)[:, None] / BACKGROUND_LEVEL
    stained = np.power(levels, np.exp(strength)[None]) * (BACKGROUND_LEVEL + lamp)[None]
    return np.clip(stained + 0.5, 0, 255).astype(np.uint8)[None]
