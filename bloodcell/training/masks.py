"""Teach a U-Net which pixels belong to the cell, by Otsu's masks or by true ones."""

from collections.abc import Callable, Iterator

import keras
import numpy as np

from bloodcell.errors import DatasetError
from bloodcell.imaging.otsu import otsu_masks
from bloodcell.zoo.registry import builder_of
from bloodcell.zoo.settings import NetworkSettings

# The nucleus, and with it the cell, stands out most in green.
OTSU_CHANNEL = "green"


def otsu_targets(pictures: np.ndarray) -> np.ndarray:
    """Masks to learn where nobody drew any: Otsu's on green, uint8 (N, H, W, 3) -> bool (N, H, W)."""
    return np.stack([otsu_masks(rgb)[OTSU_CHANNEL] for rgb in pictures])


def train_unet(
    settings: NetworkSettings,
    pictures: np.ndarray,
    masks: np.ndarray,
    epochs: int = 20,
    batch_size: int = 8,
    learning_rate: float = 1e-3,
    seed: int = 0,
    log: Callable[[str], None] | None = None,
) -> keras.Model:
    """Train a U-Net on pictures and the masks it shall give; a half of the pictures is flipped, anew in each epoch.

    Parameters
    ----------
    pictures : uint8 array of shape (N, height_px, width_px, 3)
    masks : bool array of shape (N, height_px, width_px)
    log : called with a line of text an epoch

    Returns
    -------
    keras.Model of `zoo.unet`

    Raises
    ------
    DatasetError
        If there is no picture, or pictures and masks are not of one size.
    SpecError
        If the settings are none for a U-Net.
    """
    size = (settings.height_px, settings.width_px)
    if len(pictures) == 0 or pictures.shape[:3] != masks.shape or masks.shape[1:] != size:
        raise DatasetError(
            f"A U-Net learns from pictures of {size} px, one or more, and a mask of each."
            f" Received: {pictures.shape}, {masks.shape}."
        )
    keras.utils.set_random_seed(seed)
    model = builder_of("unet")(settings)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss={"mask": keras.losses.BinaryCrossentropy(from_logits=True)},
    )
    tell = log or (lambda line: None)
    for epoch in range(epochs):
        losses = [
            float(model.train_on_batch(crops, {"mask": wanted}))
            for crops, wanted in _batches(pictures, masks, batch_size, np.random.default_rng((seed, epoch)))
        ]
        tell(f"epoch {epoch + 1}  loss {losses[-1]:.4f}")
    return model


def _batches(
    pictures: np.ndarray, masks: np.ndarray, batch_size: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    order = rng.permutation(len(pictures))
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        crops, wanted = pictures[rows].astype(np.float32), masks[rows].astype(np.float32)[..., None]
        for axis in (1, 2):
            flipped = rng.random(len(rows)) < 0.5
            crops[flipped], wanted[flipped] = (np.flip(part[flipped], axis) for part in (crops, wanted))
        yield crops, wanted
