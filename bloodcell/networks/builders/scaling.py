"""The layers that scale crops inside a network, so that its input is raw levels wherever it runs."""

from typing import Any, Final

import keras
import numpy as np
from keras import layers, ops

from bloodcell.imaging.scale import FIXED, PER_CROP_VARIANCE, Scaling

CENTRING: Final = "centring"
LAYER: Final = "scaling"
LAYERS: Final = (CENTRING, LAYER)


def scale_crops(crops: keras.KerasTensor, scaling: Scaling) -> keras.KerasTensor:
    """Add the scaling between a network's input and its first layer; the output of layer "scaling" is scaled.

    It consists of Keras' own layers, whose numbers are saved with the model. Normalization is not among them: in Keras
    3.15, an export to ONNX turns its statistics into inputs of the graph.

    Parameters
    ----------
    crops : KerasTensor of float32, shape (N, H, W, 3)
        Levels 0-255.
    scaling : Scaling

    Returns
    -------
    KerasTensor
        Of the same shape.
    """
    if scaling.is_per_crop:
        by_channel: dict[str, Any] = {"groups": 3, "center": False, "scale": False}
        return layers.GroupNormalization(**by_channel, epsilon=PER_CROP_VARIANCE, name=LAYER)(crops)
    if scaling.name in FIXED and scaling.mean.ndim == 0:
        factor, offset = 1 / float(scaling.sd), 0.0 - float(scaling.mean) / float(scaling.sd)
        return layers.Rescaling(factor, offset=offset, name=LAYER)(crops)
    mean, sd = scaling.mean, scaling.sd
    if scaling.is_bgr:
        crops, mean, sd = ops.take(crops, [2, 1, 0], axis=-1), mean[::-1], sd[::-1]
    # In two steps: with a small deviation, levels * (1 / sd) - mean / sd would lose most digits of float32.
    centred = layers.Rescaling(1.0, offset=(-mean).astype(np.float32), name=CENTRING)(crops)
    return layers.Rescaling((1 / sd).astype(np.float32), name=LAYER)(centred)
