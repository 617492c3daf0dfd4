"""Explain a model's answers to one crop, or to the cells of a class: all methods together."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np

from bloodcell.explain.class_cells import average_crops, average_occlusion_maps
from bloodcell.explain.explanation import GRADCAM, LAYERS, OCCLUSION, Explanation
from bloodcell.explain.spec import find_cam_layer, needs_keras
from bloodcell.inference.engine import Engine

Progress = Callable[[int, int], None]


def explain_crops(
    engine: Engine,
    model_dir: Path,
    crops: np.ndarray,
    methods: Collection[str],
    layer: str = "",
    of_class: str = "",
    on_progress: Progress | None = None,
) -> Explanation:
    """Explain by some methods; of several crops the mean.

    Parameters
    ----------
    engine, model_dir : the model and its folder; Keras is loaded only for what looks into the network
    crops : uint8 array of shape (N, H, W, 3), as the engine takes them; one or more
    methods : of `explanation.METHODS`
    layer : whose maps Grad-CAM weighs; "" for the last
    of_class : the class that the crops belong to, "" for one crop
    on_progress : called with (cells done, cells) where occlusion maps are made

    Raises
    ------
    ExplainError
        If the model cannot be looked into, or has no such layer.
    """
    results: dict[str, Any] = {}
    if needs_keras(tuple(methods)):
        family_layer = find_cam_layer(model_dir)
        from bloodcell.explain.network.gradcam import find_last_map_layer, grad_cam, list_map_layers
        from bloodcell.explain.network.layer_outputs import compute_layer_maps
        from bloodcell.networks.builders.keras_file import load_network

        model = load_network(model_dir)
        if GRADCAM in methods:
            # A family built with fewer stages than its own lacks the layer that it names.
            map_sizes = list_map_layers(model)
            name = layer or (family_layer if family_layer in map_sizes else find_last_map_layer(model))
            results |= {GRADCAM: grad_cam(model, crops, name).mean(axis=0), "gradcam_layer": name}
            results["gradcam_places"] = map_sizes[name]
        if LAYERS in methods:
            results[LAYERS] = compute_layer_maps(model, crops)
    if OCCLUSION in methods:
        results[OCCLUSION] = average_occlusion_maps(engine, crops, on_progress)
    return Explanation(engine.class_names, average_crops(crops), len(crops), of_class, **results)
