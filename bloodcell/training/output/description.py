"""What the spec.json of a model folder holds: all that prediction needs, and where the model came from."""

from dataclasses import asdict

import numpy as np

from bloodcell.imaging.crop import BACKGROUND_LEVEL
from bloodcell.imaging.scale import FIXED, Scaling
from bloodcell.model_store.io_spec import CELL, ModelIOSpec
from bloodcell.model_store.versions import read_revision, read_versions
from bloodcell.training.samples.samples import OOD, Samples
from bloodcell.training.specs.train_spec import TrainSpec

SCALING_PHRASES = {
    "-1..1": "scaled to -1..1",
    "255": "divided by 255",
    "imagenet torch": "centred and divided by the standard deviation of each channel of ImageNet",
    "imagenet caffe": "less the mean of each channel of ImageNet, blue first,",
    "crop": "centred and divided by the standard deviation of each channel of the crop itself",
    "channel": "centred and divided by the standard deviation of each channel",
    "global": "centred and divided by the standard deviation of all levels",
    "pixel": "centred and divided by the standard deviation of each pixel and channel",
}


def describe_model(
    spec: TrainSpec,
    io_spec: ModelIOSpec,
    samples: Samples,
    training_samples: Samples,
    scaling: Scaling,
    calibration: dict[str, float],
) -> dict:
    """Describe a trained model, as spec.json keeps it.

    Parameters
    ----------
    takes : what the exported network takes and gives
    samples : all Samples of the sources
    learned : those that the network learned from
    scaling : Scaling inside the network, fitted on `training_samples`
    calibration : settings of `calibrate`
    """
    balanced = f", background balanced to {BACKGROUND_LEVEL}" if io_spec.input == CELL else ""
    counts = {}
    for number, source in enumerate(spec.sources):
        mine = samples.class_index[samples.source == number]
        counts[source.name] = {name: int((mine == index).sum()) for index, name in enumerate(spec.class_names)} | {
            "cells": len(np.unique(samples.group[samples.source == number])),
            "unknown": int((mine == OOD).sum()),
        }
    return {
        "format": 1,
        "name": spec.name,
        "title": spec.title or spec.name,
        "class_names": list(spec.class_names),
        **io_spec.to_dict(),
        "scaling": f"levels 0-255{balanced}; {SCALING_PHRASES[scaling.name]} inside the graph",
        **({} if scaling.name in FIXED else {"scaling_statistics": _describe_scaling(scaling)}),
        "calibration": calibration,
        "data": counts,
        "learned_from": {
            name: {
                "images": int((training_samples.class_index == index).sum()),
                "source_cells": len(np.unique(training_samples.group[training_samples.class_index == index])),
            }
            for index, name in enumerate(spec.class_names)
        },
        "training": asdict(spec),
        "versions": read_versions(),
        "revision": read_revision(),
    }


def _describe_scaling(scaling: Scaling) -> dict:
    """Where the scaling came from, and its numbers unless there is one a pixel: those stand in the graph alone."""
    origin = {"images": scaling.images, "sha256_of_learned_crops": scaling.crops_sha256}
    if scaling.mean.ndim <= 1:
        return {"mean": scaling.mean.tolist(), "sd": scaling.sd.tolist(), **origin}
    spread = {"least": float(scaling.sd.min()), "median": float(np.median(scaling.sd)), "most": float(scaling.sd.max())}
    return {"shape": list(scaling.mean.shape), "sd": spread, **origin}
