"""The published U-Net: an image in, a mask of the cell out."""

from typing import Final

import keras
from keras import layers

from bloodcell.core.errors import SpecError
from bloodcell.networks.builders.heads import build_scaled_input
from bloodcell.networks.settings import NetworkSettings

# Filters of the levels, and of the bottom below them.
WIDTHS: Final = (16, 32, 64, 128)


def build_unet(settings: NetworkSettings) -> keras.Model:
    """Build a U-Net [1]_ that starts with 16 filters and halves the image on 3 levels.

    Parameters
    ----------
    settings : NetworkSettings
        `stage_widths` are the filters from the first level to the bottom; `n_classes` and `ood_head` are not used.

    Returns
    -------
    keras.Model
        Its output is a dict: "mask" (N, height_px, width_px, 1), the logit that a pixel belongs to the cell.

    Raises
    ------
    SpecError
        If a side cannot be halved on every level.

    References
    ----------
    .. [1] Ronneberger et al. (2015), U-Net: convolutional networks for biomedical image segmentation, MICCAI,
       arXiv:1505.04597; here with same padding and a quarter of its filters
    """
    widths = settings.stage_widths or WIDTHS
    step, size = 2 ** (len(widths) - 1), (settings.height_px, settings.width_px)
    if any(side % step for side in size):
        raise SpecError(f"`height_px` and `width_px` of a U-Net must be multiples of {step}. Received: {size}.")
    crops, x = build_scaled_input(settings)
    levels = []
    for number, width in enumerate(widths[:-1], start=1):
        x = _convolve_twice(x, width, f"down{number}")
        levels.append(x)
        x = layers.MaxPooling2D(2, name=f"down{number}_pool")(x)
    x = layers.Dropout(settings.dropout, name="bottom_dropout")(_convolve_twice(x, widths[-1], "bottom"))
    for number, (width, level) in reversed(list(enumerate(zip(widths, levels, strict=False), start=1))):
        x = layers.Conv2DTranspose(width, 2, strides=2, padding="same", name=f"up{number}")(x)
        x = _convolve_twice(layers.Concatenate(name=f"up{number}_joined")([level, x]), width, f"up{number}")
    return keras.Model(crops, {"mask": layers.Conv2D(1, 1, name="mask")(x)}, name="unet")


def _convolve_twice(x: keras.KerasTensor, width: int, name: str) -> keras.KerasTensor:
    for number in (1, 2):
        # He initialisation, as published: with the default of Keras, the masks stay empty for many epochs.
        x = layers.Conv2D(
            width, 3, padding="same", activation="relu", kernel_initializer="he_normal", name=f"{name}_conv{number}"
        )(x)
    return x
