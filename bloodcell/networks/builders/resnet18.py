"""ResNet18, from scratch or with the ImageNet weights of keras-hub."""

from typing import Final

import keras
from keras import layers

from bloodcell.model_store.io_spec import FEATURES
from bloodcell.networks.builders.heads import add_heads, build_scaled_input
from bloodcell.networks.builders.weights import load_backbone_weights, load_hub_weights
from bloodcell.networks.settings import IMAGENET, NetworkSettings

STAGE_WIDTHS: Final = (64, 128, 256, 512)
BLOCKS_PER_STAGE: Final = 2
EPSILON: Final = 1e-5
MOMENTUM: Final = 0.9


def build_resnet18(settings: NetworkSettings) -> keras.Model:
    """Build ResNet18 [1]_, 11.2 million parameters, with dropout and one dense layer on its pooled maps.

    Layers have the names and the padding of keras-hub, so that its weights fit.

    Raises
    ------
    ModelError
        If the weights cannot be loaded (`weights.load_hub_weights`, `weights.load_backbone_weights`).

    References
    ----------
    .. [1] He et al. (2016), Deep residual learning, CVPR, doi:10.1109/CVPR.2016.90
    """
    crops, scaled = build_scaled_input(settings)
    maps = _add_stages(scaled, settings.stage_widths or STAGE_WIDTHS)
    backbone = keras.Model(crops, maps, name="resnet18")
    if settings.weights == IMAGENET:
        load_hub_weights(backbone)
    else:
        load_backbone_weights(backbone, "ResNet18", settings.weights)
    return add_heads(crops, layers.GlobalAveragePooling2D(name=FEATURES)(maps), settings, "resnet18")


def _add_stages(x: keras.KerasTensor, widths: tuple[int, ...]) -> keras.KerasTensor:
    x = layers.ZeroPadding2D(3, name="conv1_pad")(x)
    x = _normalise(layers.Conv2D(widths[0], 7, strides=2, use_bias=False, name="conv1_conv")(x), "conv1_bn")
    x = layers.ReLU(name="conv1_relu")(x)
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stage, width in enumerate(widths):
        for block in range(BLOCKS_PER_STAGE):
            x = _add_basic_block(x, width, 2 if stage and not block else 1, f"stack{stage}_block{block}")
    return x


def _add_basic_block(x: keras.KerasTensor, width: int, stride: int, name: str) -> keras.KerasTensor:
    shortcut = x
    if stride > 1:
        shortcut = layers.Conv2D(width, 1, strides=stride, use_bias=False, name=f"{name}_0_conv")(x)
        shortcut = _normalise(shortcut, f"{name}_0_bn")
        x = layers.ZeroPadding2D(1, name=f"{name}_1_pad")(x)
    padding = "valid" if stride > 1 else "same"
    x = layers.Conv2D(width, 3, strides=stride, padding=padding, use_bias=False, name=f"{name}_1_conv")(x)
    x = layers.ReLU(name=f"{name}_1_relu")(_normalise(x, f"{name}_1_bn"))
    x = _normalise(layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(x), f"{name}_2_bn")
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([shortcut, x]))


def _normalise(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.BatchNormalization(epsilon=EPSILON, momentum=MOMENTUM, name=name)(x)
