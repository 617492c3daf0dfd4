"""What a model of the shelf, as it is served, says of stored crops."""

import numpy as np

from bloodcell.evaluation.metrics.predictions import Predictions
from bloodcell.imaging.crop import crop_middle
from bloodcell.inference.engine import Engine
from bloodcell.training.samples.samples import Samples

CHUNK_SIZE = 256


def predict_with_engine(engine: Engine, held_out: Samples) -> Predictions:
    """Ask an engine about samples, a part at a time, cut to what it takes.

    Parameters
    ----------
    held : Samples of known classes, one or more
    """
    probs, status = [], []
    for start in range(0, len(held_out.class_index), CHUNK_SIZE):
        part = held_out.stored_crops[start : start + CHUNK_SIZE]
        scores = engine.classify(crop_middle(part, engine.io_spec.height_px, engine.io_spec.width_px))
        probs.append(scores.probs)
        status.append(scores.status)
    every = np.concatenate(probs)
    return Predictions(
        engine.class_names, held_out.class_index, every.argmax(axis=1), every, np.concatenate(status), held_out.group
    )
