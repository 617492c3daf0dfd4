"""The layers that scale crops inside a network, so that the network takes raw levels wherever it runs."""

import keras
import numpy as np
from keras import layers, ops

from bloodcell.imaging.scale import FIXED, PER_CROP_VARIANCE, Scaling

CENTRING, LAYER = LAYERS = ("centring", "scaling")


def scale_crops(crops: keras.KerasTensor, scaling: Scaling) -> keras.KerasTensor:
    """Put the scaling between a network's input and its first layer; what comes out of layer "scaling" is scaled.

    Built from Keras' own layers, whose numbers are saved with the model. Normalization is not used: in Keras 3.15 an
    export to ONNX turns its statistics into inputs of the graph.

    Parameters
    ----------
    crops : float32 (N, H, W, 3), levels 0-255
    scaling : Scaling

    Returns
    -------
    keras.KerasTensor of the same shape
    """
    if scaling.is_per_crop:
        by_channel = {"groups": 3, "center": False, "scale": False}
        return layers.GroupNormalization(**by_channel, epsilon=PER_CROP_VARIANCE, name=LAYER)(crops)
    if scaling.name in FIXED and scaling.mean.ndim == 0:
        factor, offset = 1 / float(scaling.sd), 0.0 - float(scaling.mean) / float(scaling.sd)
        return layers.Rescaling(factor, offset=offset, name=LAYER)(crops)
    mean, sd = scaling.mean, scaling.sd
    if scaling.is_bgr:
        crops, mean, sd = ops.take(crops, [2, 1, 0], axis=-1), mean[::-1], sd[::-1]
    # In two steps: where the deviation is small, levels * (1 / sd) - mean / sd would lose most of float32's digits.
    centred = layers.Rescaling(1.0, offset=(-mean).astype(np.float32), name=CENTRING)(crops)
    return layers.Rescaling((1 / sd).astype(np.float32), name=LAYER)(centred)
