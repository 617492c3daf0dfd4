"""The layers that scale crops inside a network, so that the network takes raw levels wherever it runs."""

import keras
import numpy as np
from keras import layers

from bloodcell.imaging.scale import FIXED, Scaling, fixed_scaling

LAYER = "scaling"


def scale_crops(crops: keras.KerasTensor, scaling: Scaling | None = None) -> keras.KerasTensor:
    """Put the scaling between a network's input and its first layer; what comes out of layer "scaling" is scaled.

    Built from Keras' own layers, whose numbers are saved with the model. Normalization is not used: in Keras 3.15 an
    export to ONNX turns its statistics into inputs of the graph.

    Parameters
    ----------
    crops : float32 (N, S, S, 3), levels 0-255
    scaling : Scaling; None for "-1..1"

    Returns
    -------
    keras.KerasTensor of the same shape
    """
    scaling = scaling or fixed_scaling("-1..1")
    if scaling.name in FIXED:
        factor, offset = 1 / float(scaling.sd), 0.0 - float(scaling.mean) / float(scaling.sd)
        return layers.Rescaling(factor, offset=offset, name=LAYER)(crops)
    # In two steps: where the deviation is small, levels * (1 / sd) - mean / sd would lose most of float32's digits.
    centred = layers.Rescaling(1.0, offset=(-scaling.mean).astype(np.float32), name="centring")(crops)
    return layers.Rescaling((1 / scaling.sd).astype(np.float32), name=LAYER)(centred)
