"""Average precision as COCO defines it, by hand: 101 levels of recall from 0 to 1."""

import math

import numpy as np
import pytest

from bloodcell.evaluation.boxes.average_precision import compute_average_precision
from bloodcell.evaluation.boxes.matching import TrueBoxes
from bloodcell.inference.detections import NOTHING, Detections

NAMES = ("WBC", "RBC")
A, B, C = (0, 0, 10, 10), (0, 20, 10, 30), (0, 40, 10, 50)


def true(*boxes, class_index=1):
    return TrueBoxes(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), class_index, np.int64))


def found(*boxes, scores=None, class_index=1):
    scores = 0.9 - 0.1 * np.arange(len(boxes)) if scores is None else scores
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(boxes, np.full(len(boxes), class_index, np.int64), np.asarray(scores, np.float32))


def join(*parts):
    """Fields with cells of several classes."""
    names = [name for name in ("boxes", "class_index", "score") if hasattr(parts[0], name)]
    return type(parts[0])(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def ap50(labels, seen):
    return compute_average_precision(labels, seen, NAMES).by_class["RBC"]


def test_all_found_is_1():
    measured = compute_average_precision([true(A, B), true(C)], [found(A, B), found(C)], NAMES)
    assert (measured.map50, measured.map50_95) == (pytest.approx(1), pytest.approx(1))
    assert measured.by_class["RBC"] == pytest.approx(1)
    assert math.isnan(measured.by_class["WBC"])  # there is none to find


def test_one_of_two_found():
    """Recall 0.5 at precision 1: the 51 levels from 0 to 0.5 of 101."""
    assert ap50([true(A, B)], [found(A)]) == pytest.approx(51 / 101)


def test_a_false_box_above_the_right_one_halves_and_one_below_does_nothing():
    """Precision 1/2 at the only recall; below the right one the recall is 1 already."""
    assert ap50([true(A)], [found(C, A)]) == pytest.approx(1 / 2)
    assert ap50([true(A)], [found(A, C)]) == pytest.approx(1)


def test_a_false_box_between_two_right_ones():
    """Precision 1 up to recall 0.5 (51 levels), then 2 of 3 (50 levels)."""
    assert ap50([true(A, B)], [found(A, C, B)]) == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_precision_is_the_best_at_this_recall_or_a_higher_one():
    """1/2 at recall 1/3, 2/3 at 2/3, 3/4 at 1: the envelope is 3/4 everywhere."""
    assert ap50([true(A, B, C)], [found((50, 0, 60, 10), A, B, C)]) == pytest.approx(3 / 4)


def test_scores_order_boxes_over_all_fields_not_within_one():
    """The false box of the second field has the highest score of all."""
    labels = [true(A), true()]
    assert ap50(labels, [found(A, scores=[0.5]), found(C, scores=[0.6])]) == pytest.approx(1 / 2)
    assert ap50(labels, [found(A, scores=[0.5]), found(C, scores=[0.4])]) == pytest.approx(1)


def test_a_second_box_on_one_cell_is_false():
    """Right, false, right: as a false box between two right ones."""
    twice = (0, 1, 10, 11)
    assert ap50([true(A, B)], [found(A, twice, B)]) == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_stricter_overlaps_count_for_map50_95():
    """Shifted by 2 of 10 px, 8 of 12 columns are shared: 0.67, enough at 0.5, 0.55, 0.6 and 0.65 of ten levels."""
    measured = compute_average_precision([true(A)], [found((0, 2, 10, 12))], NAMES)
    assert (measured.map50, measured.map50_95) == (pytest.approx(1), pytest.approx(4 / 10))


def test_a_box_of_another_class_is_no_box():
    measured = compute_average_precision([true(A)], [found(A, class_index=0)], NAMES)
    assert measured.by_class["RBC"] == 0
    assert math.isnan(measured.by_class["WBC"])
    assert measured.map50 == 0


def test_the_mean_is_over_the_classes_that_occur():
    """White cells all found, red cells half: (1 + 51 / 101) / 2; a third class that does not occur has no part."""
    labels = [join(true(A, class_index=0), true(B, C))]
    seen = [join(found(A, class_index=0), found(B))]
    measured = compute_average_precision(labels, seen, (*NAMES, "PLATELET"))
    assert measured.by_class == {
        "WBC": pytest.approx(1),
        "RBC": pytest.approx(51 / 101),
        "PLATELET": pytest.approx(math.nan, nan_ok=True),
    }
    assert measured.map50 == pytest.approx((1 + 51 / 101) / 2)


def test_nothing_found_is_0_for_the_classes_that_occur():
    measured = compute_average_precision([true(A), true()], [NOTHING, NOTHING], NAMES)
    assert (measured.by_class["RBC"], measured.map50, measured.map50_95) == (0, 0, 0)
    assert math.isnan(measured.by_class["WBC"])


@pytest.mark.parametrize("seen", [[NOTHING, NOTHING], [found(A), NOTHING]])
def test_without_labels_there_is_no_precision(seen):
    measured = compute_average_precision([true(), true()], seen, NAMES)
    assert all(math.isnan(value) for value in (*measured.by_class.values(), measured.map50, measured.map50_95))
    assert list(measured.by_class) == list(NAMES)


def test_no_fields_have_none_either():
    assert math.isnan(compute_average_precision([], [], NAMES).map50)


def test_the_order_of_fields_and_of_boxes_is_irrelevant():
    labels, seen = [true(A, B), true(C)], [found(B, A, (90, 90, 99, 99)), found((0, 41, 10, 51))]
    turned = [field.select(np.arange(len(field))[::-1]) for field in seen[::-1]]
    assert ap50(labels, seen) == pytest.approx(ap50(labels[::-1], turned))


def test_up_to_500_boxes_of_a_class_count():
    """A grid of 22 x 22 cells, all found: no limit of 100 as COCO has it."""
    boxes = [(row, col, row + 9, col + 9) for row in range(0, 220, 10) for col in range(0, 220, 10)]
    assert ap50([true(*boxes)], [found(*boxes, scores=np.linspace(0.9, 0.1, 484))]) == pytest.approx(1)


def test_nothing_is_printed(capsys):
    compute_average_precision([true(A)], [found(A)], NAMES)
    assert capsys.readouterr() == ("", "")
