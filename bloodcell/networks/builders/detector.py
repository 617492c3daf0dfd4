"""The detector: heat maps of the centres of white cells, red cells and platelets, and the sides of their boxes.

A truncated EfficientNet-Lite0 with a light decoder up to stride 4. Each cell is a peak of the heat map of its class; at
the peak, four numbers of the class give the distances to the sides of its box.
"""

from typing import Final

import keras
from keras import layers

from bloodcell.model_store.detectors import CENTRES, SIDES
from bloodcell.networks.builders.efficientnet_lite import build_lite_backbone, load_lite_weights
from bloodcell.networks.settings import FROM_SCRATCH

_STAGES: Final = 5  # the last one at stride 16
_WIDTHS: Final = (96, 64, 48)  # of the decoder at strides 16, 8 and 4
_RARE: Final = -4.6  # bias of the heat maps: at first, no pixel is a centre (0.01)


def build_detector(n_classes: int, weights: str = FROM_SCRATCH) -> keras.Model:
    """Build a detector for images of any size.

    Parameters
    ----------
    n_classes : int
    weights : {"none", "imagenet"}
        Initial weights of the backbone.

    Returns
    -------
    keras.Model
        Input float32 (N, H, W, 3) with levels 0-255, H and W multiples of `INPUT_MULTIPLE`. Its output is a dict:
        "centres" (N, H/4, W/4, n_classes), logits that a pixel is the centre of a cell; "sides"
        (N, H/4, W/4, 4 * n_classes), by class the logarithms of the distances to top, left, bottom and right of its
        box, in units of the stride.

    Raises
    ------
    ModelError
        If the ImageNet weights are not installed.

    References
    ----------
    .. [1] Zhou et al. (2019), Objects as points, arXiv:1904.07850 (peaks of heat maps)
    .. [2] Liu et al. (2020), Training-time-friendly network for real-time object detection, AAAI, arXiv:1909.00700
       (sides learned around the centre)
    """
    images = keras.Input((None, None, 3), name="images")
    scaled = layers.Rescaling(1 / 128, -127 / 128, name="scaled")(images)
    stages = build_lite_backbone(scaled, "lite0", _STAGES)
    x = _refine(stages[4], _WIDTHS[0], "decode16")
    for stage, width, name in ((stages[2], _WIDTHS[1], "decode8"), (stages[1], _WIDTHS[2], "decode4")):
        x = layers.Conv2D(width, 1, use_bias=False, name=f"{name}_narrow")(x)
        x = layers.UpSampling2D(2, name=f"{name}_up")(x)
        lateral = layers.Conv2D(width, 1, use_bias=False, name=f"{name}_lateral")(stage)
        x = _refine(layers.Add(name=f"{name}_joined")([x, lateral]), width, name)
    outputs = {
        CENTRES: layers.Conv2D(
            n_classes, 1, bias_initializer=keras.initializers.Constant(_RARE), dtype="float32", name=CENTRES
        )(_refine(x, _WIDTHS[2], "centre_branch")),
        SIDES: layers.Conv2D(4 * n_classes, 1, bias_initializer="ones", dtype="float32", name=SIDES)(
            _refine(x, _WIDTHS[2], "side_branch")
        ),
    }
    model = keras.Model(images, outputs, name="detector")
    if weights != FROM_SCRATCH:
        load_lite_weights(model, "lite0")
    return model


def _refine(x: keras.KerasTensor, width: int, name: str) -> keras.KerasTensor:
    """Mix a map over its neighbourhood and its channels."""
    x = layers.SeparableConv2D(width, 5, padding="same", use_bias=False, name=f"{name}_mix")(x)
    return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(momentum=0.97, name=f"{name}_norm")(x))
