"""Grad-CAM: which places of a network's last maps speak for a class. Needs gradients, so TensorFlow."""

import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import cv2
import keras
import numpy as np
import tensorflow as tf
from keras import layers

from bloodcell.core.errors import ExplainError
from bloodcell.explain.explanation import USE_OCCLUSION
from bloodcell.explain.network.layers import InspectedNetwork, inspect_network
from bloodcell.model_store.io_spec import LOGITS

CONVOLUTIONS = (layers.Conv2D, layers.SeparableConv2D, layers.DepthwiseConv2D)
POOLINGS = (layers.MaxPooling2D, layers.AveragePooling2D)
BATCH = 8
_SKIPPED_LAYERS = (*POOLINGS, layers.Dropout, layers.SpatialDropout2D)


def grad_cam(model: keras.Model, crops: np.ndarray, layer: str = "") -> np.ndarray:
    """Weigh the maps of one layer by how much each raises the score of a class [1]_.

    The score is the class's output before the softmax. A map's weight is the mean of the score's gradient over the
    map; of the weighted sum what is above 0 is kept, and brought to the crop's size by bilinear interpolation. Each map
    is then divided by its own largest value: unlike in the paper, but as everywhere in use, since it has no unit.

    Parameters
    ----------
    model : keras.Model with an output "logits" (N, C)
    crops : uint8 array of shape (N, H, W, 3)
    layer : whose maps, see `list_map_layers`; "" for `find_last_map_layer`

    Returns
    -------
    float32 array of shape (N, C, H, W)
        From 0 to 1, for every class; 0 throughout where nothing speaks for the class.

    Raises
    ------
    ExplainError
        If there is no such layer, or the class's score does not depend on its maps in a way that has a gradient.

    References
    ----------
    .. [1] Selvaraju et al. (2017), Grad-CAM: visual explanations from deep networks via gradient-based localization,
       ICCV, doi:10.1109/ICCV.2017.74
    """
    network = inspect_network(model)
    name = _check_layer(network, layer) if layer else _find_last_layer(network)
    maps_and_logits = network.build_model([network.maps[name], _get_logits(network)])
    parts = [
        _compute_batch(maps_and_logits, crops[start : start + BATCH], name) for start in range(0, len(crops), BATCH)
    ]
    return np.concatenate(parts)


def list_map_layers(model: keras.Model) -> dict[str, tuple[int, int]]:
    """Layers that put out maps of more than one place, from the input on, and how many: (height, width).

    Those are the layers that Grad-CAM can be made at.
    """
    return {name: tuple(maps.shape[1:3]) for name, maps in inspect_network(model).maps.items()}


def find_last_map_layer(model: keras.Model) -> str:
    """The layer whose maps are the last that a network makes, before they are pooled, averaged or laid flat.

    Raises
    ------
    ExplainError
        If it makes none.
    """
    return _find_last_layer(inspect_network(model))


def _find_last_layer(network: InspectedNetwork) -> str:
    for name in reversed(network.layers):
        if not isinstance(network.layers[name], _SKIPPED_LAYERS):
            return name
    raise ExplainError(f"This network makes no maps that Grad-CAM could weigh. {USE_OCCLUSION}")


def _get_logits(network: InspectedNetwork) -> keras.KerasTensor:
    """The scores of the classes before the softmax, (N, C)."""
    if not isinstance(network.output, dict) or LOGITS not in network.output:
        raise ExplainError(f"This network has no output {LOGITS!r}. {USE_OCCLUSION}")
    return network.output[LOGITS]


def _check_layer(network: InspectedNetwork, name: str) -> str:
    if name not in network.maps:
        raise ExplainError(f"`layer` must be one of {', '.join(network.maps)}. Received: {name!r}.")
    return name


def _compute_batch(maps_and_logits: keras.Model, crops: np.ndarray, name: str) -> np.ndarray:
    levels = tf.constant(crops.astype(np.float32))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(levels)  # else frozen layers would leave no trace
        maps, logits = maps_and_logits(levels, training=False)
        scores = [logits[:, number] for number in range(logits.shape[1])]
    return np.stack(
        [_compute_class_map(tape.gradient(score, maps), maps, crops.shape[1:3], name) for score in scores], axis=1
    )


def _compute_class_map(gradient: Any, maps: Any, size: tuple[int, ...], name: str) -> np.ndarray:
    if gradient is None:
        raise ExplainError(f"The answer has no gradient at the layer {name!r}. {USE_OCCLUSION}")
    weights = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
    weighted = tf.nn.relu(tf.reduce_sum(weights * maps, axis=3)).numpy().astype(np.float32)
    cams = np.stack([cv2.resize(one, size[::-1], interpolation=cv2.INTER_LINEAR) for one in weighted])
    peaks = cams.max(axis=(1, 2), keepdims=True)
    return np.divide(cams, peaks, out=np.zeros_like(cams), where=peaks > 0)
