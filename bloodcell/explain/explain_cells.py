"""Explain a model's prediction for one crop, or for the cells of a class, as the network sees them."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import ExplainError, ImageError
from bloodcell.core.progress import OnProgress
from bloodcell.datasets.labels.records import Record, normalise_label
from bloodcell.datasets.sources.contents import Contents
from bloodcell.explain.explanation import GRADCAM, LAYERS, OCCLUSION, Explanation
from bloodcell.explain.occlusion import occlusion_maps
from bloodcell.explain.spec import find_cam_layer, needs_keras
from bloodcell.imaging.find import find_white_cells
from bloodcell.imaging.read import read_rgb
from bloodcell.inference.engine import Engine
from bloodcell.inference.frame_scale import measure_frame_scale
from bloodcell.inference.pipeline import crop_model_input

# A mean over more cells looks the same, and this many take less than a minute.
MAX_CELLS: Final = 64


def explain_crops(
    engine: Engine,
    model_dir: Path,
    crops: npt.NDArray[np.uint8],
    methods: Collection[str],
    layer: str = "",
    of_class: str = "",
    on_progress: OnProgress | None = None,
) -> Explanation:
    """Explain by some methods; of several crops the mean.

    Parameters
    ----------
    engine : Engine
        The model.
    model_dir : Path
        Its folder; Keras is loaded only for methods that look into the network.
    crops : ndarray of uint8, shape (N, H, W, 3)
        As the engine expects them; one or more.
    methods : collection of str
        Some of `explanation.METHODS`.
    layer : str, default ""
        Layer for Grad-CAM; "" for the last one.
    of_class : str, default ""
        The class that the crops belong to; "" for one crop.
    on_progress : callable, optional
        Called with (cells done, cells) where occlusion maps are made.

    Raises
    ------
    ExplainError
        If the model cannot be looked into, or has no such layer.
    """
    results: dict[str, Any] = {}
    if needs_keras(tuple(methods)):
        usual_layer = find_cam_layer(model_dir)
        from bloodcell.explain.network.gradcam import find_last_map_layer, grad_cam, list_map_layers
        from bloodcell.explain.network.layer_outputs import compute_layer_maps
        from bloodcell.networks.builders.keras_file import load_network

        model = load_network(model_dir)
        if GRADCAM in methods:
            # A network built with fewer stages than usual lacks the usual layer.
            map_sizes = list_map_layers(model)
            name = layer or (usual_layer if usual_layer in map_sizes else find_last_map_layer(model))
            results |= {GRADCAM: grad_cam(model, crops, name).mean(axis=0), "gradcam_layer": name}
            results["gradcam_map_size"] = map_sizes[name]
        if LAYERS in methods:
            results[LAYERS] = compute_layer_maps(model, crops)
    if OCCLUSION in methods:
        results[OCCLUSION] = average_occlusion_maps(engine, crops, on_progress)
    return Explanation(engine.class_names, average_crops(crops), len(crops), of_class, **results)


def find_class_index(class_names: Sequence[str], name: str) -> int:
    """Return the position of a class, whatever its capitals; ExplainError names the classes if there is no such one.

    Examples
    --------
    >>> find_class_index(("EOSINOPHIL", "MONOCYTE"), "Monocyte")
    1
    """
    names = [normalise_label(class_name) for class_name in class_names]
    if normalise_label(name) not in names:
        raise ExplainError(f"The class must be one of {', '.join(class_names)}. Received: {name!r}.")
    return names.index(normalise_label(name))


def cut_class_crops(
    engine: Engine,
    images: Contents,
    records: Sequence[Record],
    class_name: str,
    max_cells: int = MAX_CELLS,
    on_progress: OnProgress | None = None,
) -> npt.NDArray[np.uint8]:
    """Cut the largest cell out of each image of a class; of many images, out of some spread evenly over their order.

    Parameters
    ----------
    engine : Engine
        The model.
    images : Contents
        Where the images are.
    records : sequence of Record
        Of all classes; capitals of labels do not matter.
    class_name : str
        The class, one of the model's.
    max_cells : int, default `MAX_CELLS`
        Images to use at most.
    on_progress : callable, optional
        Called with (images read, images to read).

    Returns
    -------
    ndarray of uint8, shape (N, height_px, width_px, 3)
        Images that cannot be read or show no white cell are left out.

    Raises
    ------
    ExplainError
        If the model does not have the class, `max_cells` is below 1, or no image shows a cell of the class.
    """
    if max_cells < 1:
        raise ExplainError(f"A mean needs 1 cell or more. Received: {max_cells}.")
    find_class_index(engine.class_names, class_name)
    class_records = [record for record in records if normalise_label(record.label) == normalise_label(class_name)]
    places = np.linspace(0, len(class_records) - 1, min(max_cells, len(class_records))).round().astype(int)
    first = (images.read(class_records[place].file) for place in places.tolist())
    red_cell_px = measure_frame_scale(engine.io_spec, first, class_name) if class_records else None
    crops = []
    for done, place in enumerate(places.tolist(), start=1):
        try:
            rgb = read_rgb(images.read(class_records[place].file))
            boxes = find_white_cells(rgb).boxes
        except ImageError:
            boxes = ()
        if boxes:
            largest = max(boxes, key=lambda box: box.area_px)
            crops.append(crop_model_input(engine.framing, rgb, largest, red_cell_px=red_cell_px))
        if on_progress is not None:
            on_progress(done, len(places))
    if not crops:
        raise ExplainError(f"None of the {len(class_records)} images labelled {class_name} shows a white cell.")
    return np.stack(crops)


def average_crops(crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Compute the mean image of crops, uint8 (N, H, W, 3) -> uint8 (H, W, 3)."""
    return np.asarray(crops.mean(axis=0).round().astype(np.uint8))


def average_occlusion_maps(
    engine: Engine, crops: npt.NDArray[np.uint8], on_progress: OnProgress | None = None
) -> npt.NDArray[np.float32]:
    """Compute the mean of `occlusion_maps` over crops, uint8 (N, H, W, 3) -> float32 (C, H, W)."""
    total = np.zeros((len(engine.class_names), *crops.shape[1:3]), np.float64)
    for done, crop in enumerate(crops, start=1):
        total += occlusion_maps(engine, crop)
        if on_progress is not None:
            on_progress(done, len(crops))
    return (total / len(crops)).astype(np.float32)
