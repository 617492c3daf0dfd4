"""Compare the boxes that were found in a field with the true ones: pairs, missed cells, false boxes."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from bloodcell.inference.detections import Detections, compute_ious

SAME_IOU: Final = 0.5


@dataclass(frozen=True)
class TrueBoxes:
    """The labelled boxes of a field.

    Attributes
    ----------
    boxes : ndarray of float32, shape (N, 4)
        Top, left, bottom and right in pixels.
    class_index : ndarray of int64, shape (N,)
        Into the classes of the detector.
    """

    boxes: npt.NDArray[np.float32]
    class_index: npt.NDArray[np.int64]


@dataclass(frozen=True)
class ClassMatch:
    """How one class of one field was found.

    Attributes
    ----------
    n_true, n_found : int
    n_matched : int
        Pairs of a true and a found box with an IoU of `SAME_IOU` or more, each box in one pair at most.
    n_centres : int
        True boxes that hold the centre of a found box, each found box counted for one.
    missed, false : tuple of int
        Positions of the true boxes without a centre, and of the found boxes that hold no true one.
    """

    n_true: int
    n_found: int
    n_matched: int
    n_centres: int
    missed: tuple[int, ...]
    false: tuple[int, ...]


def match_class(true: TrueBoxes, found: Detections, class_index: int) -> ClassMatch:
    """Match the boxes of one class in one field, the highest score first.

    Parameters
    ----------
    true : TrueBoxes
    found : Detections
        The best first.
    class_index : int

    Returns
    -------
    ClassMatch
    """
    true_at = np.flatnonzero(true.class_index == class_index)
    found_at = np.flatnonzero(found.class_index == class_index)
    boxes = true.boxes[true_at]
    is_matched, is_hit = np.zeros(len(true_at), bool), np.zeros(len(true_at), bool)
    false = []
    for position in found_at:
        box = found.boxes[position]
        ious = compute_ious(box, boxes) if len(boxes) else np.zeros(0)
        free = np.where(is_matched, -1.0, ious)
        if len(free) and free.max() >= SAME_IOU:
            is_matched[int(free.argmax())] = True
        middle = (box[:2] + box[2:]) / 2
        holds = (boxes[:, :2] <= middle).all(axis=1) & (middle <= boxes[:, 2:]).all(axis=1)
        open_hits = np.flatnonzero(holds & ~is_hit)
        if len(open_hits):
            is_hit[open_hits[np.argmax(ious[open_hits])]] = True
        else:
            false.append(int(position))
    missed = tuple(int(position) for position in true_at[~is_hit])
    return ClassMatch(len(true_at), len(found_at), int(is_matched.sum()), int(is_hit.sum()), missed, tuple(false))
