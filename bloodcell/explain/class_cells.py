"""The cells of one class of a labelled set, as a network sees them; and the mean over them."""

from collections.abc import Callable, Sequence

import numpy as np

from bloodcell.core.errors import ExplainError, ImageError
from bloodcell.datasets.labels.records import Record, normalise_label
from bloodcell.datasets.sources.contents import Contents
from bloodcell.explain.occlusion import occlusion_maps
from bloodcell.imaging.find import find_white_cells
from bloodcell.imaging.read import read_rgb
from bloodcell.inference.engine import Engine
from bloodcell.inference.pipeline import crop_model_input

# A mean over so many cells no longer changes to the eye, and takes less than a minute.
MAX_CELLS = 64

Progress = Callable[[int, int], None]


def find_class_index(class_names: Sequence[str], name: str) -> int:
    """Place of a class, whatever its capitals; ExplainError names those there are."""
    names = [normalise_label(one) for one in class_names]
    if normalise_label(name) not in names:
        raise ExplainError(f"The class must be one of {', '.join(class_names)}. Received: {name!r}.")
    return names.index(normalise_label(name))


def cut_class_crops(
    engine: Engine,
    images: Contents,
    records: Sequence[Record],
    class_name: str,
    most: int = MAX_CELLS,
    on_progress: Progress | None = None,
) -> np.ndarray:
    """Cut the largest cell out of each image of a class, of more than `most` images evenly over their order.

    Parameters
    ----------
    records : of all classes; labels are compared whatever their capitals
    on_progress : called with (images read, images to read)

    Returns
    -------
    uint8 array of shape (N, height_px, width_px, 3)
        Images that cannot be read or show no white cell are left out.

    Raises
    ------
    ExplainError
        If the model does not know the class, `most` is no number of cells, or no cell of the class is there.
    """
    if most < 1:
        raise ExplainError(f"A mean needs 1 cell or more. Received: {most}.")
    find_class_index(engine.class_names, class_name)
    class_records = [record for record in records if normalise_label(record.label) == normalise_label(class_name)]
    places = np.linspace(0, len(class_records) - 1, min(most, len(class_records))).round().astype(int)
    crops = []
    for done, place in enumerate(places.tolist(), start=1):
        try:
            rgb = read_rgb(images.read(class_records[place].file))
            boxes = find_white_cells(rgb).boxes
        except ImageError:
            boxes = ()
        if boxes:
            crops.append(crop_model_input(engine.framing, rgb, max(boxes, key=lambda box: box.area_px)))
        if on_progress is not None:
            on_progress(done, len(places))
    if not crops:
        raise ExplainError(f"No image labelled {class_name} shows a white cell, of {len(class_records)} of that label.")
    return np.stack(crops)


def average_crops(crops: np.ndarray) -> np.ndarray:
    """The mean picture of crops, uint8 (N, H, W, 3) -> uint8 (H, W, 3)."""
    return crops.mean(axis=0).round().astype(np.uint8)


def average_occlusion_maps(engine: Engine, crops: np.ndarray, on_progress: Progress | None = None) -> np.ndarray:
    """The mean of `occlusion_maps` over crops, uint8 (N, H, W, 3) -> float32 (C, H, W); cells done are told."""
    total = np.zeros((len(engine.class_names), *crops.shape[1:3]), np.float64)
    for done, crop in enumerate(crops, start=1):
        total += occlusion_maps(engine, crop)
        if on_progress is not None:
            on_progress(done, len(crops))
    return (total / len(crops)).astype(np.float32)
