"""From the heat maps of a detector to boxes: peaks, their sides, and one box for each cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from bloodcell.model_store.detectors import MAX_LOG_SIDE, STRIDE

# Two boxes of one class that share more than this are one cell; so are a white and a red one.
MAX_IOU: Final = 0.55


@dataclass(frozen=True)
class Detections:
    """What was found in an image.

    Attributes
    ----------
    boxes : ndarray of float32, shape (N, 4)
        Top, left, bottom and right in pixels of the image; the best first.
    class_index : ndarray of int64, shape (N,)
    score : ndarray of float32, shape (N,)
        Height of the peak, 0 to 1.
    """

    boxes: npt.NDArray[np.float32]
    class_index: npt.NDArray[np.int64]
    score: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.score)

    def select(self, keep: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "Detections":
        """Return some of the detections, by a mask or by positions."""
        return Detections(self.boxes[keep], self.class_index[keep], self.score[keep])

    def select_sure(self, thresholds: npt.NDArray[np.floating]) -> "Detections":
        """Return those whose score reaches the threshold of their class."""
        return self.select(np.asarray(self.score >= thresholds[self.class_index]))

    def locate_middles(self) -> npt.NDArray[np.float32]:
        """Return row and column of the middle of each box, shape (N, 2)."""
        return np.asarray((self.boxes[:, :2] + self.boxes[:, 2:]) / 2, np.float32)

    def group_classes(self, exclusive: tuple[int, ...]) -> npt.NDArray[np.int64]:
        """Return the class of each box, -1 for all that are in `exclusive`: those stand for the same things."""
        return np.where(np.isin(self.class_index, exclusive), -1, self.class_index)

    def measure_diameters(self) -> npt.NDArray[np.float32]:
        """Return sqrt(height * width) of each box in pixels."""
        return np.asarray(np.sqrt((self.boxes[:, 2:] - self.boxes[:, :2]).prod(axis=1)), np.float32)


NOTHING: Final = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32))


def decode_maps(
    centres: npt.NDArray[np.float32], sides: npt.NDArray[np.float32], thresholds: npt.NDArray[np.floating]
) -> Detections:
    """Read the boxes from the outputs of a detector for one image.

    Parameters
    ----------
    centres : ndarray of float32, shape (h, w, C)
        Logits.
    sides : ndarray of float32, shape (h, w, 4 * C)
        By class, logarithms of the distances to top, left, bottom and right in units of the stride.
    thresholds : ndarray of float, shape (C,)
        Lowest score of each class.

    Returns
    -------
    Detections
        In pixels of the network's input; overlapping boxes of one class are not yet joined.
    """
    n_classes = centres.shape[-1]
    highest = cv2.dilate(centres, np.ones((3, 3), np.uint8)).reshape(centres.shape)
    lowest_logit = np.log(thresholds) - np.log1p(-thresholds)
    rows, cols, classes = np.nonzero((centres >= highest) & (centres >= lowest_logit))
    logits = centres[rows, cols, classes]
    chosen = sides.reshape(*sides.shape[:2], n_classes, 4)[rows, cols, classes]
    distances = np.exp(np.clip(chosen, -MAX_LOG_SIDE, MAX_LOG_SIDE))
    middles = np.stack([rows, cols], axis=1) + 0.5
    boxes = STRIDE * np.concatenate([middles - distances[:, :2], middles + distances[:, 2:]], axis=1)
    order = np.argsort(-logits, kind="stable")
    score = 1 / (1 + np.exp(-logits.astype(np.float64)))
    return Detections(boxes.astype(np.float32), classes.astype(np.int64), score.astype(np.float32)).select(order)


def concatenate_detections(parts: Sequence[Detections]) -> Detections:
    """Put detections of several parts of an image together, the best first; `rank_scores` gives the order."""
    whole = Detections(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.class_index for part in parts]),
        np.concatenate([part.score for part in parts]),
    )
    return whole.select(rank_scores(parts))


def rank_scores(parts: Sequence[Detections]) -> npt.NDArray[np.int64]:
    """Return the positions of the scores of all parts, the best first."""
    return np.argsort(-np.concatenate([part.score for part in parts]), kind="stable")


def join_detections(found: Detections, exclusive: tuple[int, ...] = ()) -> Detections:
    """Keep one box for each cell, the one with the highest score.

    Parameters
    ----------
    found : Detections
        The best first.
    exclusive : tuple of int, default ()
        Classes that stand for the same things: a box of one suppresses one of another that it overlaps.

    Returns
    -------
    Detections
    """
    if len(found) < 2:
        return found
    group = found.group_classes(exclusive)
    is_kept = np.ones(len(found), bool)
    for number in range(len(found)):
        if is_kept[number]:
            others = np.flatnonzero(is_kept[number + 1 :] & (group[number + 1 :] == group[number])) + number + 1
            is_kept[others[compute_ious(found.boxes[number], found.boxes[others]) > MAX_IOU]] = False
    return found.select(is_kept)


def compute_ious(box: npt.NDArray[np.floating], boxes: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Compute the intersection over union of one box (4,) with others (N, 4)."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    shared = np.clip(sides, 0, None).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return np.asarray(shared / np.maximum((box[2:] - box[:2]).prod() + areas - shared, 1e-6))
