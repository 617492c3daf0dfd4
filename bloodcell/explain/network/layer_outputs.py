"""The outputs of the convolution and pooling layers of a network."""

from typing import Any, Final

import cv2
import keras
import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import ExplainError
from bloodcell.explain.explanation import CONVOLUTION, POOLING, USE_OCCLUSION, LayerMaps
from bloodcell.explain.network.gradcam import BATCH_SIZE, CONVOLUTIONS, POOLINGS
from bloodcell.explain.network.layers import inspect_network

N_CHANNELS: Final = 16
MAX_SIDE_PX: Final = 64


def compute_layer_maps(
    model: keras.Model, crops: npt.NDArray[np.uint8], n_channels: int = N_CHANNELS
) -> tuple[LayerMaps, ...]:
    """Compute the most active channels of every convolution and pooling layer; of several crops the mean.

    The activity of a channel is the mean of its absolute values. The output of a convolution is shown as it is, before
    any normalisation that follows it.

    Parameters
    ----------
    model : keras.Model
    crops : ndarray of uint8, shape (N, H, W, 3)
        One or more.
    n_channels : int, default 16
        Channels of each layer at most.

    Returns
    -------
    tuple of LayerMaps
        From the input on; `maps` are float32, with at most `MAX_SIDE_PX` on each side.

    Raises
    ------
    ExplainError
        If the network has no such layer.
    """
    network = inspect_network(model)
    shown_layers = [layer for layer in network.layers.values() if isinstance(layer, CONVOLUTIONS + POOLINGS)]
    if not shown_layers:
        raise ExplainError(f"This network has no convolution or pooling layer to show. {USE_OCCLUSION}")
    build_model = network.build_model([network.maps[layer.name] for layer in shown_layers])
    sums: list[npt.NDArray[np.float32]] = []
    for start in range(0, len(crops), BATCH_SIZE):
        outputs = keras.tree.flatten(build_model(crops[start : start + BATCH_SIZE].astype(np.float32), training=False))
        batch_sums = [keras.ops.convert_to_numpy(output).astype(np.float32).sum(axis=0) for output in outputs]
        sums = [total + batch for total, batch in zip(sums, batch_sums, strict=True)] if sums else batch_sums
    return tuple(
        _select_active_channels(layer, total / len(crops), n_channels)
        for layer, total in zip(shown_layers, sums, strict=True)
    )


def _select_active_channels(layer: keras.Layer, values: npt.NDArray[Any], n_channels: int) -> LayerMaps:
    """Choose the most active of the channels in float32 (h, w, K)."""
    activity = np.abs(values).mean(axis=(0, 1))
    channels = np.argsort(-activity, kind="stable")[:n_channels]
    chosen = values[..., channels]
    low, high = float(chosen.min()), float(chosen.max())
    maps = (chosen - low) / (high - low) if high > low else np.zeros_like(chosen)
    kind = CONVOLUTION if isinstance(layer, CONVOLUTIONS) else POOLING
    height, width, n_all = values.shape
    shrunk = np.stack([_shrink_map(maps[..., number]) for number in range(len(channels))])
    return LayerMaps(layer.name, kind, height, width, n_all, tuple(channels.tolist()), shrunk)


def _shrink_map(channel: npt.NDArray[Any]) -> npt.NDArray[Any]:
    scale = MAX_SIDE_PX / max(channel.shape)
    if scale >= 1:
        return channel
    height, width = (max(1, round(side * scale)) for side in channel.shape)
    return cv2.resize(channel, (width, height), interpolation=cv2.INTER_AREA)
