"""The lowest score of each class of a detector, chosen so that missed cells and false boxes are few and even."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from bloodcell.evaluation.boxes.matching import TrueBoxes, match_class
from bloodcell.inference.detections import Detections

CANDIDATES: Final = tuple(round(float(score), 2) for score in np.arange(0.1, 0.91, 0.02))


def choose_threshold(true: Sequence[TrueBoxes], found: Sequence[Detections], class_index: int) -> float:
    """Choose the threshold of a class on held-out fields.

    The one for which the larger of missed cells and false boxes is least, so that counts are right too; the middle one
    of equals, which is the farthest from both errors.

    Parameters
    ----------
    true, found : sequences of one entry a field
    class_index : int

    Returns
    -------
    float
        One of `CANDIDATES`.
    """
    errors = []
    for threshold in CANDIDATES:
        matches = [
            match_class(labelled, field.select(field.score >= threshold), class_index)
            for labelled, field in zip(true, found, strict=True)
        ]
        missed, false = sum(len(match.missed) for match in matches), sum(len(match.false) for match in matches)
        errors.append(max(missed, false))
    best = np.flatnonzero(np.array(errors) == min(errors))
    return CANDIDATES[int(best[len(best) // 2])]
