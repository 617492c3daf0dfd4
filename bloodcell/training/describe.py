"""What the spec.json of a model folder holds: all that prediction needs, and where the model came from."""

import importlib.metadata as packages
import subprocess
from dataclasses import asdict

import numpy as np

from bloodcell.imaging.crop import BACKGROUND_LEVEL
from bloodcell.settings import PROJECT_DIR
from bloodcell.training.samples import UNKNOWN, Samples
from bloodcell.training.spec import TrainSpec


def describe(spec: TrainSpec, samples: Samples, calibration: dict[str, float]) -> dict:
    """Describe a trained model, as spec.json keeps it."""
    counts = {}
    for number, source in enumerate(spec.sources):
        mine = samples.class_index[samples.source == number]
        counts[source.name] = {name: int((mine == index).sum()) for index, name in enumerate(spec.class_names)} | {
            "cells": len(np.unique(samples.group[samples.source == number])),
            "unknown": int((mine == UNKNOWN).sum()),
        }
    return {
        "format": 1,
        "name": spec.name,
        "title": spec.title or spec.name,
        "class_names": list(spec.class_names),
        "side_px": spec.side_px,
        "context": spec.context,
        "scaling": f"levels 0-255, background balanced to {BACKGROUND_LEVEL}; scaled to -1..1 inside the graph",
        "calibration": calibration,
        "data": counts,
        "training": asdict(spec),
        "versions": _versions(),
        "revision": _revision(),
    }


def _versions() -> dict[str, str]:
    """Versions of what shapes a model; TensorFlow comes under one of two names, or not at all with another backend."""
    names = ("keras", "tensorflow", "tensorflow-cpu", "numpy", "opencv-python-headless", "onnxruntime")
    installed = {package.metadata["Name"]: package.version for package in packages.distributions()}
    return {name: installed[name] for name in names if name in installed}


def _revision() -> str:
    """The commit of this code; "unknown" outside a checkout and where there is no git."""
    command = ["git", "-C", str(PROJECT_DIR), "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return answer.stdout.strip() or "unknown"
