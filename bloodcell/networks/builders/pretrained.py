"""VGG16, ResNet50, Xception and EfficientNetB4 of Keras applications, each with its own preprocessing in the graph.

The layers of the backbones are layers of the network itself, so that each has a name in it. The preprocessing is the
default scaling in the registry: "imagenet caffe", "-1..1" or "imagenet torch".
"""

from collections.abc import Callable
from typing import Final

import keras
from keras import layers

from bloodcell.core.errors import SpecError
from bloodcell.model_store.io_spec import FEATURES
from bloodcell.networks.builders.heads import add_heads, build_scaled_input
from bloodcell.networks.builders.scaling import LAYERS as SCALING_LAYERS
from bloodcell.networks.builders.weights import load_backbone_weights
from bloodcell.networks.settings import NetworkSettings

XCEPTION_HEAD: Final = (1024, 512, 128, 64, 8)


def build_vgg16(settings: NetworkSettings) -> keras.Model:
    """Build VGG16 [1]_ with dropout and one dense layer on its pooled maps; no side below 32 px.

    References
    ----------
    .. [1] Simonyan & Zisserman (2015), Very deep convolutional networks, ICLR, arXiv:1409.1556
    """
    return add_heads(*build_pooled_backbone("VGG16", settings), settings, "vgg16")


def build_resnet50(settings: NetworkSettings) -> keras.Model:
    """Build ResNet50 [1]_ with dropout and one dense layer on its pooled maps; no side below 32 px.

    References
    ----------
    .. [1] He et al. (2016), Deep residual learning, CVPR, doi:10.1109/CVPR.2016.90
    """
    return add_heads(*build_pooled_backbone("ResNet50", settings), settings, "resnet50")


def build_xception(settings: NetworkSettings) -> keras.Model:
    """Build Xception [1]_ with the published head, dropout and dense layers 1024-512-128-64-8; no side below 71 px.

    References
    ----------
    .. [1] Chollet (2017), Xception: deep learning with depthwise separable convolutions, CVPR, arXiv:1610.02357
    """
    return add_heads(*build_pooled_backbone("Xception", settings), settings, "xception", hidden=XCEPTION_HEAD)


def build_efficientnet_b4(settings: NetworkSettings) -> keras.Model:
    """Build EfficientNetB4 [1]_ with dropout and one dense layer on its pooled maps; no side below 32 px.

    References
    ----------
    .. [1] Tan & Le (2019), EfficientNet: rethinking model scaling, ICML, arXiv:1905.11946
    """
    return add_heads(*build_pooled_backbone("EfficientNetB4", settings), settings, "efficientnet_b4")


# Name in keras.applications -> smallest side of its input in pixels.
MIN_SIDES_PX: Final = {"VGG16": 32, "ResNet50": 32, "Xception": 71, "EfficientNetB4": 32}


def build_pooled_backbone(architecture: str, settings: NetworkSettings) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Build a backbone of Keras applications with averages over its last maps, the layer "features".

    Parameters
    ----------
    architecture : str
        Name in keras.applications, a key of `MIN_SIDES_PX`.
    settings : NetworkSettings
        Size, scaling, weights and last layer.

    Returns
    -------
    crops, features : KerasTensor
        The input, and the averages (N, F).

    Raises
    ------
    SpecError
        If a side is too small for the backbone, or it has no layer `backbone_end`.
    ModelError
        If the weights cannot be loaded (`weights.load_backbone_weights`).
    """
    size, min_px = (settings.height_px, settings.width_px), MIN_SIDES_PX[architecture]
    if min(size) < min_px:
        raise SpecError(f"The input of {architecture} must be {min_px} px or more on each side. Received: {size}.")
    crops, scaled = build_scaled_input(settings)
    build: Callable[..., keras.Model] = getattr(keras.applications, architecture)
    backbone = build(include_top=False, weights=None, input_tensor=scaled)
    load_backbone_weights(backbone, architecture, settings.weights)
    names = [layer.name for layer in backbone.layers]
    if settings.backbone_end and settings.backbone_end not in names:
        raise SpecError(f"`backbone_end` must be a layer of {architecture}. Received: {settings.backbone_end!r}.")
    maps = backbone.get_layer(settings.backbone_end).output if settings.backbone_end else backbone.output
    if any(isinstance(layer, layers.Normalization) for layer in backbone.layers):
        crops, maps = _remove_own_scaling(keras.Model(crops, maps))
    return crops, layers.GlobalAveragePooling2D(name=FEATURES)(maps)


def _remove_own_scaling(backbone: keras.Model) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Remove the scaling that Keras built into EfficientNet: exported, a Normalization makes inputs of its numbers."""
    own = {
        layer.name
        for layer in backbone.layers
        if isinstance(layer, layers.Rescaling | layers.Normalization) and layer.name not in SCALING_LAYERS
    }

    def copy_layer(layer: layers.Layer) -> layers.Layer:
        if layer.name in own:
            return layers.Identity(name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    copy = keras.models.clone_model(backbone, clone_function=copy_layer)
    for layer in backbone.layers:
        if layer.weights and layer.name not in own:
            copy.get_layer(layer.name).set_weights(layer.get_weights())
    return copy.input, copy.output
