"""Grad-CAM: which places in a network's last maps are evidence for a class. Needs gradients, so TensorFlow."""

import os
from typing import Any, Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import cv2
import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import layers

from bloodcell.core.errors import ExplainError
from bloodcell.explain.explanation import USE_OCCLUSION
from bloodcell.explain.network.layers import InspectedNetwork, inspect_network
from bloodcell.model_store.io_spec import LOGITS

CONVOLUTIONS = (layers.Conv2D, layers.SeparableConv2D, layers.DepthwiseConv2D)
POOLINGS = (layers.MaxPooling2D, layers.AveragePooling2D)
BATCH_SIZE: Final = 8
_SKIPPED_LAYERS = (*POOLINGS, layers.Dropout, layers.SpatialDropout2D)


def grad_cam(model: keras.Model, crops: npt.NDArray[np.uint8], layer: str = "") -> npt.NDArray[np.float32]:
    """Weight the maps of one layer by how much each raises the score of a class [1]_.

    The score of a class is its logit. The weight of a map is the mean of the score's gradient over the map; the
    positive part of the weighted sum is resized to the crop by bilinear interpolation. Each result is then divided by
    its own largest value, since it has no unit: unlike in the paper, but as is usual.

    Parameters
    ----------
    model : keras.Model
        With an output "logits" (N, C).
    crops : ndarray of uint8, shape (N, H, W, 3)
    layer : str, default ""
        Name of the layer, one of `list_map_layers`; "" for `find_last_map_layer`.

    Returns
    -------
    ndarray of float32, shape (N, C, H, W)
        From 0 to 1, for every class; 0 everywhere without evidence for the class.

    Raises
    ------
    ExplainError
        If there is no such layer, or the score of a class has no gradient at its maps.

    References
    ----------
    .. [1] Selvaraju et al. (2017), Grad-CAM: visual explanations from deep networks via gradient-based localization,
       ICCV, doi:10.1109/ICCV.2017.74
    """
    network = inspect_network(model)
    name = _check_layer(network, layer) if layer else _find_last_layer(network)
    maps_and_logits = network.build_model([network.maps[name], _get_logits(network)])
    batches = [
        _compute_batch(maps_and_logits, crops[start : start + BATCH_SIZE], name)
        for start in range(0, len(crops), BATCH_SIZE)
    ]
    return np.concatenate(batches)


def list_map_layers(model: keras.Model) -> dict[str, tuple[int, int]]:
    """List the layers that Grad-CAM can be made at, from the input on, with the size (height, width) of their maps."""
    return {name: tuple(maps.shape[1:3]) for name, maps in inspect_network(model).maps.items()}


def find_last_map_layer(model: keras.Model) -> str:
    """Find the layer with the last maps of a network, before they are pooled, averaged or flattened.

    Raises
    ------
    ExplainError
        If the network makes no maps.
    """
    return _find_last_layer(inspect_network(model))


def _find_last_layer(network: InspectedNetwork) -> str:
    for name in reversed(network.layers):
        if not isinstance(network.layers[name], _SKIPPED_LAYERS):
            return name
    raise ExplainError(f"This network makes no maps that Grad-CAM could use. {USE_OCCLUSION}")


def _get_logits(network: InspectedNetwork) -> keras.KerasTensor:
    """Return the logits of a network, (N, C)."""
    if not isinstance(network.output, dict) or LOGITS not in network.output:
        raise ExplainError(f"This network has no output {LOGITS!r}. {USE_OCCLUSION}")
    return network.output[LOGITS]


def _check_layer(network: InspectedNetwork, name: str) -> str:
    if name not in network.maps:
        raise ExplainError(f"`layer` must be one of {', '.join(network.maps)}. Received: {name!r}.")
    return name


def _compute_batch(maps_and_logits: keras.Model, crops: npt.NDArray[np.uint8], name: str) -> npt.NDArray[np.float32]:
    levels = tf.constant(crops.astype(np.float32))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(levels)  # else frozen layers would have no gradient
        maps, logits = maps_and_logits(levels, training=False)
        scores = [logits[:, number] for number in range(logits.shape[1])]
    return np.stack(
        [_compute_class_map(tape.gradient(score, maps), maps, crops.shape[1:3], name) for score in scores], axis=1
    )


def _compute_class_map(gradient: Any, maps: Any, size: tuple[int, ...], name: str) -> npt.NDArray[np.float32]:
    if gradient is None:
        raise ExplainError(f"The logits have no gradient at the layer {name!r}. {USE_OCCLUSION}")
    weights = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
    weighted = tf.nn.relu(tf.reduce_sum(weights * maps, axis=3)).numpy().astype(np.float32)
    cams = np.stack([cv2.resize(cam, size[::-1], interpolation=cv2.INTER_LINEAR) for cam in weighted])
    peaks = cams.max(axis=(1, 2), keepdims=True)
    return np.asarray(np.divide(cams, peaks, out=np.zeros_like(cams), where=peaks > 0))
