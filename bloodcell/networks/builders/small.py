"""The project's own small residual network: a ResNet reduced for crops of one cell and two processor cores."""

from typing import Final

import keras
from keras import layers

from bloodcell.model_store.io_spec import FEATURES
from bloodcell.networks.builders.heads import add_heads, build_scaled_input
from bloodcell.networks.settings import NetworkSettings

STAGE_WIDTHS: Final = (24, 48, 96, 160)
# Runs are short (about a thousand steps), so the running means must follow quickly.
BATCH_NORM_MOMENTUM: Final = 0.9


def build_small(settings: NetworkSettings) -> keras.Model:
    """Build the small residual network after He et al. [1]_; each stage but the first halves the resolution.

    Parameters
    ----------
    settings : NetworkSettings
        `stage_widths` are the channels of the stages; the dropout is before the heads.

    Returns
    -------
    keras.Model
        With the outputs of `heads.add_heads`.

    References
    ----------
    .. [1] He et al. (2016), Deep residual learning, CVPR, doi:10.1109/CVPR.2016.90
    """
    widths = settings.stage_widths or STAGE_WIDTHS
    crops, x = build_scaled_input(settings)
    x = layers.Conv2D(widths[0], 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x)
    x = layers.ReLU()(x)
    for stage, width in enumerate(widths):
        x = _add_residual_block(x, width, stride=1 if stage == 0 else 2, name=f"stage{stage}")
    features = layers.GlobalAveragePooling2D(name=FEATURES)(x)
    return add_heads(crops, features, settings, "small")


def _add_residual_block(x: keras.KerasTensor, width: int, stride: int, name: str) -> keras.KerasTensor:
    shortcut = x
    if stride > 1 or x.shape[-1] != width:
        shortcut = layers.AveragePooling2D(stride, padding="same")(shortcut) if stride > 1 else shortcut
        shortcut = layers.Conv2D(width, 1, use_bias=False, name=f"{name}_shortcut")(shortcut)
        shortcut = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(shortcut)
    x = layers.Conv2D(width, 3, strides=stride, padding="same", use_bias=False, name=f"{name}_conv1")(x)
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x)
    x = layers.ReLU()(x)
    x = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"{name}_conv2")(x)
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x)
    return layers.ReLU(name=f"{name}_out")(layers.Add()([x, shortcut]))
