"""Predictions of a model in use, through its inference engine, for stored crops."""

import numpy as np

from bloodcell.evaluation.metrics.predictions import Predictions
from bloodcell.imaging.crop import crop_middle
from bloodcell.inference.engine import Engine
from bloodcell.training.samples.samples import Samples

CHUNK_SIZE = 256


def predict_with_engine(engine: Engine, held_out: Samples) -> Predictions:
    """Classify samples with an engine, in chunks, cropped to its input size.

    Parameters
    ----------
    engine : Engine
        The model.
    held_out : Samples
        Samples of the classes, one or more.

    Returns
    -------
    Predictions
        In the order of the samples.
    """
    probs, status = [], []
    for start in range(0, len(held_out.class_index), CHUNK_SIZE):
        crops = held_out.stored_crops[start : start + CHUNK_SIZE]
        scores = engine.classify(crop_middle(crops, engine.io_spec.height_px, engine.io_spec.width_px))
        probs.append(scores.probs)
        status.append(scores.status)
    all_probs = np.concatenate(probs)
    return Predictions(
        engine.class_names,
        held_out.class_index,
        all_probs.argmax(axis=1),
        all_probs,
        np.concatenate(status),
        held_out.group,
    )
