"""Explain a model's answers to one crop, or to the cells of a class: all methods together."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np

from bloodcell.explain.class_cells import mean_crop, mean_occlusion
from bloodcell.explain.explanation import GRADCAM, LAYERS, OCCLUSION, Explanation
from bloodcell.explain.spec import cam_layer_of, needs_keras
from bloodcell.inference.engine import Engine

Progress = Callable[[int, int], None]


def explain(
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
    given: dict[str, Any] = {}
    if needs_keras(tuple(methods)):
        family_layer = cam_layer_of(model_dir)
        from bloodcell.explain.network.gradcam import grad_cam, last_map_layer, map_layers
        from bloodcell.explain.network.layer_outputs import layer_pictures
        from bloodcell.networks.builders.saved import load_network

        model = load_network(model_dir)
        if GRADCAM in methods:
            # A family built with fewer stages than its own lacks the layer that it names.
            places = map_layers(model)
            name = layer or (family_layer if family_layer in places else last_map_layer(model))
            given |= {GRADCAM: grad_cam(model, crops, name).mean(axis=0), "gradcam_layer": name}
            given["gradcam_places"] = places[name]
        if LAYERS in methods:
            given[LAYERS] = layer_pictures(model, crops)
    if OCCLUSION in methods:
        given[OCCLUSION] = mean_occlusion(engine, crops, on_progress)
    return Explanation(engine.class_names, mean_crop(crops), len(crops), of_class, **given)
