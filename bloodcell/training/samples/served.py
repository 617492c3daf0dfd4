"""What a model of the shelf, as it is served, says of stored crops."""

import numpy as np

from bloodcell.evaluation.metrics.predictions import Predictions
from bloodcell.imaging.crop import middle_of
from bloodcell.inference.engine import Engine
from bloodcell.training.samples.samples import Samples

CHUNK = 256


def served_answers(engine: Engine, held: Samples) -> Predictions:
    """Ask an engine about samples, a part at a time, cut to what it takes.

    Parameters
    ----------
    held : Samples of known classes, one or more
    """
    probs, status = [], []
    for start in range(0, len(held.class_index), CHUNK):
        part = held.wide[start : start + CHUNK]
        scores = engine.classify(middle_of(part, engine.takes.height_px, engine.takes.width_px))
        probs.append(scores.probs)
        status.append(scores.status)
    every = np.concatenate(probs)
    return Predictions(
        engine.class_names, held.class_index, every.argmax(axis=1), every, np.concatenate(status), held.group
    )
