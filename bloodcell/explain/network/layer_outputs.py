"""What the convolution and pooling layers of a network put out, layer by layer."""

import cv2
import keras
import numpy as np

from bloodcell.core.errors import ExplainError
from bloodcell.explain.explanation import CONVOLUTION, POOLING, USE_OCCLUSION, LayerMaps
from bloodcell.explain.network.gradcam import BATCH, CONVOLUTIONS, POOLINGS
from bloodcell.explain.network.layers import inspect_network

N_CHANNELS = 16
MAX_SIDE_PX = 64


def compute_layer_maps(model: keras.Model, crops: np.ndarray, n_channels: int = N_CHANNELS) -> tuple[LayerMaps, ...]:
    """The most active channels of every convolution and pooling layer; of several crops the mean of what they give.

    A channel's activity is the mean of its absolute values. Layers are taken as they stand: a convolution that is
    normalised afterwards shows its values before that.

    Parameters
    ----------
    crops : uint8 array of shape (N, H, W, 3), one or more
    n_channels : most channels of a layer

    Returns
    -------
    tuple of LayerMaps, from the input on
        `maps` are float32 of at most `MAX_SIDE_PX` a side.

    Raises
    ------
    ExplainError
        If the network has no such layer.
    """
    network = inspect_network(model)
    wanted = [layer for layer in network.layers.values() if isinstance(layer, CONVOLUTIONS + POOLINGS)]
    if not wanted:
        raise ExplainError(f"This network has no convolution or pooling layer to show. {USE_OCCLUSION}")
    build_model = network.build_model([network.maps[layer.name] for layer in wanted])
    sums: list[np.ndarray] = []
    for start in range(0, len(crops), BATCH):
        outputs = keras.tree.flatten(build_model(crops[start : start + BATCH].astype(np.float32), training=False))
        some = [keras.ops.convert_to_numpy(one).astype(np.float32).sum(axis=0) for one in outputs]
        sums = [before + more for before, more in zip(sums, some, strict=True)] if sums else some
    return tuple(
        _select_active_channels(layer, total / len(crops), n_channels)
        for layer, total in zip(wanted, sums, strict=True)
    )


def _select_active_channels(layer: keras.Layer, values: np.ndarray, n_channels: int) -> LayerMaps:
    """Choose among channels, float32 (h, w, K)."""
    activity = np.abs(values).mean(axis=(0, 1))
    channels = np.argsort(-activity, kind="stable")[:n_channels]
    chosen = values[..., channels]
    low, high = float(chosen.min()), float(chosen.max())
    maps = (chosen - low) / (high - low) if high > low else np.zeros_like(chosen)
    kind = CONVOLUTION if isinstance(layer, CONVOLUTIONS) else POOLING
    height, width, n_all = values.shape
    small = np.stack([_shrink_map(maps[..., at]) for at in range(len(channels))])
    return LayerMaps(layer.name, kind, height, width, n_all, tuple(channels.tolist()), small)


def _shrink_map(one: np.ndarray) -> np.ndarray:
    scale = MAX_SIDE_PX / max(one.shape)
    if scale >= 1:
        return one
    height, width = (max(1, round(side * scale)) for side in one.shape)
    return cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA)
