"""What spec.json and metrics.json of a trained model hold: all that prediction needs, and where the model comes from."""

from typing import Any, TypedDict

import numpy as np

from bloodcell.imaging.crop import BACKGROUND_LEVEL
from bloodcell.imaging.scale import FIXED, Scaling
from bloodcell.model_store.io_spec import CELL, ModelIOSpec
from bloodcell.model_store.versions import read_revision, read_versions
from bloodcell.training.output.calibration import CalibrationMetrics
from bloodcell.training.samples.samples import OOD, Samples
from bloodcell.training.specs.train_spec import TrainSpec

SCALING_PHRASES = {
    "-1..1": "scaled to -1..1",
    "255": "divided by 255",
    "imagenet torch": "centred and divided by the standard deviation of each channel of ImageNet",
    "imagenet caffe": "centred on the mean of each channel of ImageNet, blue first,",
    "crop": "centred and divided by the standard deviation of each channel of the crop itself",
    "channel": "centred and divided by the standard deviation of each channel",
    "global": "centred and divided by the standard deviation of all levels",
    "pixel": "centred and divided by the standard deviation of each pixel and channel",
}


class ValidationMetrics(CalibrationMetrics):
    """`CalibrationMetrics` with the cells they are measured on, and the sources whose split is leaky."""

    protocol: str
    leaky: list[str]


class TrainMetrics(TypedDict):
    """The contents of metrics.json of a trained model; `no_cell` counts the images in which no white cell was found."""

    seconds: int
    parameters: int
    no_cell: dict[str, int]
    validation: ValidationMetrics


def describe_model(
    spec: TrainSpec,
    io_spec: ModelIOSpec,
    samples: Samples,
    training_samples: Samples,
    scaling: Scaling,
    calibration: dict[str, float],
) -> dict[str, Any]:
    """Describe a trained model, as spec.json holds it.

    Parameters
    ----------
    spec : TrainSpec
        How it was trained.
    io_spec : ModelIOSpec
        Inputs and outputs of the exported network.
    samples : Samples
        All samples of the sources.
    training_samples : Samples
        Those that the network was trained on.
    scaling : Scaling
        Scaling inside the network, fitted on `training_samples`.
    calibration : dict of str to float
        Settings of `calibrate`.

    Returns
    -------
    dict
    """
    balanced = f", background balanced to {BACKGROUND_LEVEL}" if io_spec.input == CELL else ""
    return {
        "format": 1,
        "name": spec.name,
        "title": spec.title or spec.name,
        "class_names": list(spec.class_names),
        **io_spec.to_dict(),
        "scaling": f"levels 0-255{balanced}; {SCALING_PHRASES[scaling.name]} inside the graph",
        **({} if scaling.name in FIXED else {"scaling_statistics": _describe_scaling(scaling)}),
        "calibration": calibration,
        "data": _count_source_cells(spec, samples),
        "learned_from": _count_training_images(spec, training_samples),
        "training": spec.to_dict(),
        "versions": read_versions(),
        "revision": read_revision(),
    }


def describe_validation(spec: TrainSpec) -> str:
    """Describe in words which cells the validation metrics of a run are measured on."""
    if spec.fold < 0:
        return f"each source cell predicted by a fit that was not trained on it ({spec.folds} folds)"
    return f"fold {spec.fold} of {spec.folds}, source cells that it was not trained on"


def _count_source_cells(spec: TrainSpec, samples: Samples) -> dict[str, dict[str, int]]:
    """Source -> images of each class and of other cells, and source cells."""
    counts = {}
    for number, source in enumerate(spec.sources):
        class_index = samples.class_index[samples.source == number]
        images = {name: int((class_index == index).sum()) for index, name in enumerate(spec.class_names)}
        n_cells = len(np.unique(samples.group[samples.source == number]))
        counts[source.name] = images | {"cells": n_cells, "unknown": int((class_index == OOD).sum())}
    return counts


def _count_training_images(spec: TrainSpec, training_samples: Samples) -> dict[str, dict[str, int]]:
    """Class -> images and source cells that the network was trained on."""
    counts = {}
    for index, name in enumerate(spec.class_names):
        groups = training_samples.group[training_samples.class_index == index]
        counts[name] = {"images": len(groups), "source_cells": len(np.unique(groups))}
    return counts


def _describe_scaling(scaling: Scaling) -> dict[str, Any]:
    """Where the scaling comes from, and its numbers unless there is one per pixel: those are in the graph alone."""
    origin = {"images": scaling.images, "sha256_of_learned_crops": scaling.crops_sha256}
    if scaling.mean.ndim <= 1:
        return {"mean": scaling.mean.tolist(), "sd": scaling.sd.tolist(), **origin}
    spread = {"least": float(scaling.sd.min()), "median": float(np.median(scaling.sd)), "most": float(scaling.sd.max())}
    return {"shape": list(scaling.mean.shape), "sd": spread, **origin}
