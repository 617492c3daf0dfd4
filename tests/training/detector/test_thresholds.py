"""The threshold of a class: as few missed cells and false boxes as can be, in the middle of equals."""

import numpy as np

from bloodcell.evaluation.boxes.matching import TrueBoxes
from bloodcell.inference.detections import NOTHING, Detections
from bloodcell.training.detector.thresholds import CANDIDATES, choose_threshold

NOWHERE = 900


def true(*places, class_index=1):
    """Labelled cells of 10 px, their upper left corners along a row."""
    boxes = np.array([(0, place, 10, place + 10) for place in places], np.float32).reshape(-1, 4)
    return TrueBoxes(boxes, np.full(len(places), class_index, np.int64))


def found(*cells, class_index=1):
    """Boxes (place, score), the best first as a detector gives them."""
    cells = sorted(cells, key=lambda cell: -cell[1])
    boxes = true(*(place for place, _ in cells), class_index=class_index)
    return Detections(boxes.boxes, boxes.class_index, np.array([score for _, score in cells], np.float32))


def test_candidates_go_from_a_tenth_to_nine():
    assert (CANDIDATES[0], CANDIDATES[20], CANDIDATES[-1], len(CANDIDATES)) == (0.1, 0.5, 0.9, 41)


def test_between_right_and_false_boxes_in_the_middle_of_equals():
    """Without an error from 0.32 to 0.7, which are 20 candidates; the middle one, the 11th, is 0.52."""
    fields = [true(0, 20)], [found((0, 0.9), (20, 0.705), (NOWHERE, 0.305), (NOWHERE, 0.2))]
    assert choose_threshold(*fields, 1) == 0.52


def test_missed_and_false_are_made_even():
    """Scores of right boxes 0.9, 0.6, 0.4 and of false ones 0.7, 0.5, 0.3, each 0.005 above a candidate.

    (missed, false) is (0, 3) up to 0.3, (0, 2) to 0.4, (1, 2) to 0.5, (1, 1) to 0.6, (2, 1) to 0.7, (2, 0) to 0.9: the
    larger one is least from 0.52 to 0.6, and the third of these five is 0.56.
    """
    right = [(place, score + 0.005) for place, score in ((0, 0.9), (20, 0.6), (40, 0.4))]
    false = [(NOWHERE + 20 * number, score + 0.005) for number, score in enumerate((0.7, 0.5, 0.3))]
    assert choose_threshold([true(0, 20, 40)], [found(*right, *false)], 1) == 0.56


def test_errors_are_added_over_fields():
    """One field is best without its false box of 0.6, three are best with their right ones of 0.4."""
    labels, seen = [true(0)], [found((0, 0.95), (NOWHERE, 0.6))]
    assert choose_threshold(labels, seen, 1) > 0.6
    labels, seen = labels + [true(0)] * 3, seen + [found((0, 0.405))] * 3
    # up to 0.4 (0 missed, 1 false), to 0.6 (3, 1), above (3, 0): the 16 candidates from 0.1 to 0.4, of which the 9th
    assert choose_threshold(labels, seen, 1) == 0.26


def test_other_classes_have_no_say():
    seen = found((0, 0.9), (20, 0.705), (NOWHERE, 0.305))
    others = found((40, 0.95), (60, 0.15), class_index=0)
    both = Detections(*(np.concatenate(pair) for pair in zip(vars(seen).values(), vars(others).values(), strict=True)))
    both = both.select(np.argsort(-both.score))
    assert choose_threshold([true(0, 20)], [both], 1) == choose_threshold([true(0, 20)], [seen], 1)


def test_without_a_difference_it_is_a_half():
    assert choose_threshold([true()], [NOTHING], 1) == 0.5
    assert choose_threshold([true(0)], [NOTHING], 1) == 0.5  # missed whatever the threshold
    assert choose_threshold([], [], 1) == 0.5
    assert choose_threshold([true(0)], [found((0, 0.95))], 1) == 0.5


def test_what_is_found_in_vain_is_left_out():
    """Only false boxes, the best at 0.85: the candidates 0.86, 0.88 and 0.9 let none through."""
    assert choose_threshold([true()], [found((0, 0.85), (20, 0.3))], 1) == 0.88
